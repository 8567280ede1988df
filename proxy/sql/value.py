"""What an expression is worth to the analyser: plain, a field's values, or open; and how two of them meet.

An open value (a parameter or a literal) takes the role of what it meets. Roles are collected while the
statement is walked; the walk is repeated until no new role is found, so that an open value that reaches a
field through a derived table is known as protected wherever else it is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from policy.binding import BoundField
from policy.conversions import assignable, comparable
from policy.model import Mode
from policy.types import LogicalType
from proxy.errors import Refused
from proxy.sql.plan import Role


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
    levels: int = 0  # +1: an array whose elements are meant (unnest); -1: an element of ARRAY[...]


@dataclass(frozen=True, slots=True)
class Value:
    """An expression's worth. With no part set it is plain."""

    field: BoundField | None = None
    type: LogicalType | None = None  # what the application sees, where a cast has changed it
    array: bool = False
    opens: tuple[Open, ...] = ()
    whole: Open | None = None  # ARRAY[...] of literals, `opens` are its elements
    json: frozenset[BoundField] = frozenset()
    row: tuple[tuple[str, Value], ...] | None = None
    null: bool = False  # NULL or DEFAULT: fits everything
    untyped: bool = False  # a string or a parameter that is a field's: it takes the type of what it meets

    @property
    def protected(self) -> bool:
        return (
            self.field is not None
            or bool(self.json)
            or (self.row is not None and any(value.protected for _, value in self.row))
        )

    @property
    def fields(self) -> frozenset[BoundField]:
        """Every field that the value holds, at any depth."""
        found = set(self.json)
        if self.field is not None:
            found.add(self.field)
        for _, value in self.row or ():
            found |= value.fields
        return frozenset(found)


PLAIN = Value()
NULL = Value(null=True)

HINTS = {
    "randomized": "Give the field a class with mode deterministic if it has to be compared.",
    "pattern": "Search for the whole value with =, or filter in the application.",
    "order": "Sort and filter by range in the application, or by a column that is not protected.",
    "function": "Return the column itself and apply the function in the application.",
    "twice": "Write the value twice.",
    "value": "Pass the value itself, as a parameter or a literal, so that pgveil can encrypt it.",
}


def refuse(field: BoundField, construct: str, hint: str | None = None, detail: str | None = None) -> NoReturn:
    """Refuse what a field's mode cannot do."""
    name = f"{field.field.schema}.{field.field.table}.{field.field.column}"
    raise Refused(
        f'{construct} is not possible on protected column "{name}"',
        detail=detail or f"The column is encrypted with mode {field.field.mode.value}.",
        hint=hint,
    )


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


class Roles:
    """The roles of open values, by occurrence, and the edits that casts around protected values need."""

    def __init__(self) -> None:
        self.by_offset: dict[int, Role] = {}
        self.opens: dict[int, Open] = {}
        self.by_parameter: dict[int, Role] = {}  # the first role that a parameter was given
        self.casts: dict[int, tuple[int, str]] = {}  # start of a type's name -> its end, the new name

    def adopt(self, value: Value, construct: str) -> None:
        """Where an open value may be anything, a parameter takes the role that it has elsewhere."""
        for item in value.opens:
            role = self.by_parameter.get(item.parameter) if item.parameter else None
            if role is not None:
                array = role.array and item.levels == 0
                compared = role.compared
                self.assign(item, role.field, array=array, construct=construct, compared=compared)

    def of(self, open_value: Open) -> Value | None:
        """The value that an occurrence already is by its role; None while it is open."""
        role = self.by_offset.get(open_value.offset)
        if role is None:
            return None
        own = role.field.type
        literal = open_value.type if open_value.type and open_value.type.family == own.family else None
        kind = role.cast or literal or LogicalType(own.name, array=own.array)
        untyped = role.cast is None and open_value.type is None
        return Value(field=role.field, array=role.array, type=None if kind == own else kind, untyped=untyped)

    def assign(
        self,
        open_value: Open,
        field: BoundField,
        *,
        array: bool,
        construct: str,
        compared: bool = False,
        alone: bool = False,
    ) -> None:
        """Give an occurrence its role. Raises Refused where it already has another one."""
        depth = int(array) + open_value.levels
        if depth not in (0, 1):
            refuse(field, f"an array of another depth in {construct}", HINTS["value"])
        array = depth == 1
        alone = alone and not array
        cast = self._converting_cast(open_value, field, compared=compared) if alone else None
        role = Role(field, array, cast or self._cast(open_value, field, construct), compared)
        known = self.by_offset.get(open_value.offset)
        if known is not None and not (same_key(known.field, field) and known.array == array):
            refuse(field, f"one value used for two fields in {construct}", HINTS["value"])
        if known is not None and known.compared != compared and not same_either_way(field):
            refuse(field, f"one value that is both stored and compared, in {construct}", HINTS["twice"])
        if known is None:
            self.by_offset[open_value.offset] = role
            self.opens[open_value.offset] = open_value
            if open_value.parameter:
                self.by_parameter.setdefault(open_value.parameter, role)

    def _converting_cast(self, open_value: Open, field: BoundField, *, compared: bool) -> LogicalType | None:
        """A cast to another type, or to other limits: the value is read by it, and then becomes the field's.

        Only where the value stands alone: nobody else sees it as the type that it had.
        """
        if len(open_value.casts) != 1:
            return None
        site = open_value.casts[0]
        if site.type is None or (_spells(site.type, field.type) and site.type.array == field.type.array):
            return None
        fits = _can_be_looked_for if compared else assignable
        if not fits(site.type, field.type):
            return None
        self.casts[site.start] = (site.end, storage_name(field))
        return site.type

    def _cast(self, open_value: Open, field: BoundField, construct: str) -> LogicalType | None:
        """Check the casts around an open value and turn them into casts to the storage type."""
        seen: LogicalType | None = None
        for site in open_value.casts:
            self.cast(site, field, construct)
            if seen is None and site.type is not None:
                seen = site.type if field.type.array else site.type.element
        own = seen is None or (seen.name == field.type.name and seen.modifier < 0 and open_value.type is None)
        return None if own else seen

    def cast(self, site: CastSite, field: BoundField, construct: str) -> None:
        """Let a cast to a spelling of the logical type stand as a cast to the storage type."""
        logical, target = field.type, site.type
        if target is None or not _spells(target, logical):
            hint = f"Cast to {logical}, or leave the cast out."
            refuse(field, f"a cast to another type in {construct}", hint)
        self.casts[site.start] = (site.end, storage_name(field, array=target.array and not logical.array))


def _spells(target: LogicalType, logical: LogicalType) -> bool:
    """Whether a cast to a type leaves a field's values as they are, but for what widths do not hold."""
    return target.element.family == logical.element.family and target.modifier in (-1, logical.modifier)


def _can_be_looked_for(source: LogicalType, target: LogicalType) -> bool:
    """Whether a value of one type can be compared with a field of the other by what equals it there."""
    return comparable(source, target) and "time" not in (source.name, target.name)


def storage_name(field: BoundField, *, array: bool = False) -> str:
    """The SQL name of the storage type of a field's ciphertext."""
    name = field.storage if field.storage in ("bytea", "json", "jsonb") else "text"
    return f"{name}[]" if array else name


def unify(
    values: Sequence[Value], roles: Roles, construct: str, *, compared: bool = False, alone: bool = False
) -> Value:
    """The common value of alternatives (CASE, COALESCE, UNION, rows of VALUES)."""
    holders = [value for value in values if value.protected]
    if not holders:
        if all(value.opens or value.null for value in values):
            opens = tuple(item for value in values for item in value.opens)
            return Value(opens=opens) if opens else NULL
        return PLAIN
    first = holders[0]
    if first.json:
        if any(value.json != first.json and not value.null for value in values):
            refuse(in_order(first.json)[0], f"mixing JSON with other values in {construct}", HINTS["value"])
        return first
    if first.field is None:
        return _unify_rows(values, roles, construct)
    for value in values:
        fit(value, first.field, roles, construct, array=first.array, compared=compared, alone=alone)
    untyped = all(value.untyped for value in holders)
    return replace(first, type=_common_type(values, holders), untyped=untyped)


def _common_type(values: Sequence[Value], holders: Sequence[Value]) -> LogicalType | None:
    """The type of alternatives of one family (documentation, 10.5); limits only where all have the same.

    Of strings the first one's, of integers the widest; what has no type has no say in it.
    """
    first = holders[0]
    assert first.field is not None
    typed = [value for value in holders if not value.untyped] or holders
    types = [value.type or value.field.type for value in typed if value.field is not None]
    common = types[0] if first.field.type.family == "text" else max(types, key=lambda t: t.typlen)
    if len(typed) < len(values) or len(set(types)) > 1:
        common = replace(common, modifier=-1)
    return None if common == first.field.type else common


def without_limits(value: Value) -> Value:
    """A field's value as a function gives it back: of its type, with no limits."""
    if value.field is None:
        return value
    kind = replace(value.type or value.field.type, modifier=-1)
    return replace(value, type=None if kind == value.field.type else kind)


def _unify_rows(values: Sequence[Value], roles: Roles, construct: str) -> Value:
    rows = [value.row for value in values if not value.null]
    width = len(rows[0] or ())
    if any(row is None or len(row) != width for row in rows):
        holder = next(iter(next(value for value in values if value.protected).fields))
        refuse(holder, f"a whole row in {construct}", "Name the columns.")
    known = [row for row in rows if row is not None]
    return Value(
        row=tuple(
            (known[0][i][0], unify([row[i][1] for row in known], roles, construct)) for i in range(width)
        )
    )


def fit(
    value: Value,
    field: BoundField,
    roles: Roles,
    construct: str,
    *,
    array: bool = False,
    compared: bool = False,
    alone: bool = False,
) -> None:
    """Make a value one of the field's: opens are given the role, its own column is let through.

    `alone`: the value stands for itself there, and is no part of another expression.
    """
    if value.null:
        return
    if value.field is not None:
        if not same_key(value.field, field) or value.array != array:
            refuse(field, f"a value of another field in {construct}", HINTS["value"])
        return
    if value.whole is not None and field.type.array and not array:
        roles.assign(value.whole, field, array=False, construct=construct, compared=compared, alone=alone)
        return
    if value.opens:
        for item in value.opens:
            roles.assign(item, field, array=array, construct=construct, compared=compared, alone=alone)
        return
    refuse(field, f"an expression in {construct}", HINTS["value"])


def require_deterministic(value: Value, construct: str) -> None:
    """Comparing, grouping, making distinct: only where equal values have equal ciphertexts."""
    for field in in_order(value.fields):
        if field.field.mode is not Mode.DETERMINISTIC:
            refuse(field, construct, HINTS["randomized"])
        if field.field.plaintext_allowed:
            detail = "The column may still hold plaintext (plaintext: allow), and those rows would be missed."
            refuse(field, construct, "Encrypt its rows first, then take plaintext: allow away.", detail)
    if value.json:
        refuse(in_order(value.json)[0], f"{construct} of JSON", HINTS["function"])


def require_plain(value: Value, construct: str, hint: str | None = None) -> None:
    """What the server has to see in clear cannot be protected."""
    for field in in_order(value.fields):
        refuse(field, construct, hint or HINTS["function"])


def with_cast(value: Value, site: CastSite, roles: Roles) -> Value:
    """A cast around a value: kept with an open one, checked and rewritten on a field's own."""
    if value.null or not (value.opens or value.whole or value.protected):
        return value
    if value.opens or value.whole:
        opens = tuple(replace(o, casts=(*o.casts, site)) for o in value.opens)
        whole = value.whole and replace(value.whole, casts=(*value.whole.casts, site))
        return replace(value, opens=opens, whole=whole)
    if value.field is None:
        require_plain(value, "a cast of JSON or a row")
        return value
    if site.start not in roles.casts:  # else it was judged when the value got its role
        roles.cast(site, value.field, "a cast")
    assert site.type is not None
    kind = None if site.type.element == value.field.type else site.type.element
    return replace(value, type=kind, untyped=False)
