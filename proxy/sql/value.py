"""What an expression is worth to the analyser: plain, a field's values, or open.

An open value (a parameter or a literal) takes the role of what it meets (roles.py, unify.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NoReturn

from policy.binding import BoundField
from policy.model import Mode
from policy.types import LogicalType
from proxy.errors import Refused
from proxy.sql.plan import JsonMember


@dataclass(frozen=True, slots=True)
class CastSite:
    """A cast written around an open value or a column: the span of the type's name, and the type."""

    start: int
    end: int
    type: LogicalType | None  # None: a type that pgveil does not know


@dataclass(frozen=True, slots=True)
class Open:
    """One occurrence of a parameter or literal. `offset` of its first token identifies it."""

    offset: int
    parameter: int = 0  # n of $n; 0: a literal
    type: LogicalType | None = None  # of a number or a boolean; a string has none of its own
    casts: tuple[CastSite, ...] = ()
    null: bool = False  # NULL with a cast: nothing to encrypt, but the cast has to name the storage type
    elements: tuple[int, ...] | None = None  # of ARRAY[...] as one value: the offsets of its literals
    kind: str = ""  # and their type, or what there is to be known of it (array_literal.py)
    left: bool = False  # has left a subquery: a string has become text there
    doubtful: bool = False  # the name that it came by may mean something else: it cannot become a field's
    member: bool = False  # no token of its own, but a column of a JSON document of records (json_records.py)
    levels: int = 0  # +1: an array whose elements are meant (unnest); -1: an element of ARRAY[...]


@dataclass(frozen=True, slots=True)
class Document:
    """JSON that the server makes: whose values stand in it, and as what the server has it.

    `top`: what it is, so far as the server sees that too: an object, an array, `any` of these; else "", for
    it may be a protected value itself, which is a string to the server whatever it is to the application.
    """

    members: frozenset[JsonMember]
    kind: str  # json, jsonb, or text once it was cast; "" for an empty document, which is of any kind
    top: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """An expression's worth. With no part set it is plain."""

    field: BoundField | None = None
    type: LogicalType | None = None  # what the application sees, where a cast has changed it
    array: bool = False  # an array of such values, documents or rows
    opens: tuple[Open, ...] = ()
    wholes: tuple[Open, ...] = ()  # ARRAY[...] of literals as one value, beside `opens`, its elements
    json: Document | None = None
    row: tuple[tuple[str, Value], ...] | None = None
    records: Open | None = None  # a document of records some of whose members, `sealed`, are fields' values
    sealed: frozenset[BoundField] = frozenset()
    null: bool = False  # NULL or DEFAULT: fits everything
    untyped: bool = False  # a string or a parameter that is a field's: it takes the type of what it meets
    sources: tuple[Open, ...] = ()  # the open values that have become a field's, and are among its values
    blended: bool = False  # a column's values are, too

    @property
    def protected(self) -> bool:
        return (
            self.field is not None
            or bool(self.json and self.json.members)
            or self.records is not None
            or (self.row is not None and any(value.protected for _, value in self.row))
        )

    @property
    def fields(self) -> frozenset[BoundField]:
        """Every field that the value holds, at any depth."""
        found = {member.field for member in self.json.members} if self.json is not None else set()
        found |= self.sealed
        if self.field is not None:
            found.add(self.field)
        for _, value in self.row or ():
            found |= value.fields
        return frozenset(found)


PLAIN = Value()
NULL = Value(null=True)


def doubtful(value: Value) -> Value:
    """An open value by a name that may mean another column, which is not known."""
    opens = tuple(replace(item, doubtful=True) for item in value.opens)
    wholes = tuple(replace(item, doubtful=True) for item in value.wholes)
    records = value.records and replace(value.records, doubtful=True)
    return replace(value, opens=opens, wholes=wholes, records=records)


HINTS = {
    "randomized": "Give the field a class with mode deterministic if it has to be compared.",
    "pattern": "Search for the whole value with =, or filter in the application.",
    "order": "Sort and filter by range in the application, or by a column that is not protected.",
    "function": "Return the column itself and apply the function in the application.",
    "name": "Write the table's name before the column's.",
    "twice": "Write the value twice.",
    "type": "Cast the value to its type.",
    "value": "Pass the value itself, as a parameter or a literal, so that pgveil can encrypt it.",
}


def refuse(field: BoundField, construct: str, hint: str | None = None, detail: str | None = None) -> NoReturn:
    """Refuse what a field's mode cannot do."""
    name = f"{field.field.schema}.{field.field.table}.{field.field.column}"
    refused = Refused(
        f'{construct} is not possible on protected column "{name}"',
        detail=detail or f"The column is encrypted with mode {field.field.mode.value}.",
        hint=hint,
    )
    refused.field, refused.construct = name, construct
    raise refused


def in_order(fields: Iterable[BoundField]) -> list[BoundField]:
    """Fields in the order of their columns, so that messages are the same each time."""
    return sorted(fields, key=lambda field: (field.relation_oid, field.number))


def require_usable(field: BoundField, construct: str) -> None:
    """A column whose type cannot hold ciphertext is not touched at all."""
    if field.problem is not None:
        detail = f"The column cannot hold its ciphertext: {field.problem}."
        refuse(field, construct, "Change the column's type, or the policy.", detail)


def same_key(one: BoundField, other: BoundField) -> bool:
    """Whether ciphertexts of one field open, and compare, as those of the other."""
    return one.field is other.field or (
        one.field.key_name == other.field.key_name
        and one.type.family == other.type.family
        and one.field.algorithm == other.field.algorithm
    )


def same_either_way(field: BoundField) -> bool:
    """Whether a value is the same stored as compared: the type neither rounds it nor limits it."""
    return field.type.name in ("text", "bytea", "bool", "uuid", "inet", "int8") and field.type.modifier < 0


def require_deterministic(value: Value, construct: str) -> None:
    """Comparing, grouping, making distinct: only where equal values have equal ciphertexts."""
    for field in in_order(value.fields):
        if field.field.mode is not Mode.DETERMINISTIC:
            refuse(field, construct, HINTS["randomized"])
        if field.field.plaintext_allowed:
            detail = "The column may still hold plaintext (plaintext: allow), and those rows would be missed."
            refuse(field, construct, "Encrypt its rows first, then take plaintext: allow away.", detail)
    if value.json or value.records:
        for field in in_order(value.fields)[:1]:
            refuse(field, f"{construct} of JSON", HINTS["function"])


def require_plain(value: Value, construct: str, hint: str | None = None) -> None:
    """What the server has to see in clear cannot be protected."""
    for field in in_order(value.fields):
        refuse(field, construct, hint or HINTS["function"])
