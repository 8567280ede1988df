"""What the catalogue says of protected columns: the logical type, where pg_attribute has the storage type.

A reference to pg_attribute becomes a derived table, in which the columns that describe a type depend on
attrelid and attnum; a view of the server's that shows such columns is replaced by its definition over that
table. The texts hold oids and numbers of the catalogue, never a value. See docs/decisions/0007.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from policy.binding import Binding
from policy.catalog import Column, Relation
from policy.types import LogicalType
from proxy.errors import Refused
from proxy.sql.parse import SyntaxFailure, parse
from proxy.sql.redirect import redirected
from proxy.sql.scope import Columns

_DEFAULT_COLLATION = 100  # the oid of pg_collation's "default"
_COLLATABLE = frozenset({"text", "varchar", "bpchar"})

# typbyval, typalign and typstorage, where a type is not as bytea is: f, i, x (PostgreSQL's pg_type.dat).
_PHYSICAL = {
    "bool": ("t", "c", "p"),
    "int2": ("t", "s", "p"),
    "int4": ("t", "i", "p"),
    "int8": ("t", "d", "p"),
    "float4": ("t", "i", "p"),
    "float8": ("t", "d", "p"),
    "numeric": ("f", "i", "m"),
    "date": ("t", "i", "p"),
    "time": ("t", "d", "p"),
    "timestamp": ("t", "d", "p"),
    "timestamptz": ("t", "d", "p"),
    "interval": ("f", "d", "p"),
    "uuid": ("f", "c", "p"),
    "inet": ("f", "i", "m"),
}
_AS_BYTEA = ("f", "i", "x")

_Column = tuple[
    int, int, Column, LogicalType
]  # relation, attribute number, as it is stored, its logical type
_Overrides = dict[str, dict[str, list[int]]]  # column of pg_attribute -> its value -> keys of attributes


class CatalogTypes:
    """The derived tables of one binding, by the oid of the relation that they stand for; made when needed.

    `views` gives the columns of a view, or raises Refused.
    """

    def __init__(self, binding: Binding, views: Callable[[Relation], Columns]) -> None:
        catalog = binding.catalog
        self._binding = binding
        self._views = views
        self._tables: dict[int, str | None] = {}
        shown = [
            catalog.lookup("pg_catalog", "pg_attribute"),
            *map(catalog.relations.get, catalog.type_views),
        ]
        names = {relation.name for relation in shown if relation is not None} if binding.fields else set()
        self._names = re.compile("|".join(map(re.escape, sorted(names))), re.IGNORECASE) if names else None

    def mentioned(self, text: str) -> bool:
        """Whether a text may read one of the relations that are replaced."""
        return self._names is not None and self._names.search(text) is not None

    def table(self, relation: Relation) -> str | None:
        """The derived table, in parentheses, that stands for a relation; None where that stays."""
        if relation.oid not in self._tables:
            self._tables[relation.oid] = self._made(relation)
        return self._tables[relation.oid]

    def _made(self, relation: Relation) -> str | None:
        if (relation.schema, relation.name) == ("pg_catalog", "pg_attribute"):
            overrides = _overrides(self._binding, self._views)
            return _attributes(relation, overrides) if overrides else None
        catalog = self._binding.catalog
        if (definition := catalog.type_views.get(relation.oid)) is None:
            return None
        try:
            parsed = parse(definition)
        except SyntaxFailure:
            return None
        text = redirected(parsed, catalog, self.table, (), qualify=True)
        return f"({text.strip().rstrip(';')})" if text is not None else None


# --- what differs ----------------------------------------------------------------------------------------


def _overrides(binding: Binding, views: Callable[[Relation], Columns]) -> _Overrides:
    """The columns of pg_attribute that have to be shown otherwise, for all that hold protected values."""
    found: _Overrides = {}
    for oid, number, stored, logical in sorted(_columns(binding, views), key=lambda column: column[:2]):
        for name, value in _differences(stored, logical):
            found.setdefault(name, {}).setdefault(value, []).append(oid << 16 | number)
    return found


def _columns(binding: Binding, views: Callable[[Relation], Columns]) -> Iterator[_Column]:
    """The protected columns of tables, their indexes, and views. A field that cannot be used is left out."""
    for oid, fields in binding.fields.items():
        relation = binding.catalog.relations[oid]
        columns = {column.number: column for column in relation.columns}
        usable = {number: bound.type for number, bound in fields.items() if bound.problem is None}
        for number, logical in usable.items():
            yield oid, number, columns[number], logical
        for index in relation.dependents:
            for own, number in enumerate(index.numbers, 1):
                if number in usable:
                    yield index.oid, own, columns[number], usable[number]
    for relation in binding.catalog.relations.values():
        if relation.kind in "vm" and not relation.system:
            yield from _view_columns(relation, views)


def _view_columns(relation: Relation, views: Callable[[Relation], Columns]) -> Iterator[_Column]:
    try:
        values = [value for _, value in views(relation)]
    except Refused:
        return
    for column, value in zip(relation.columns, values, strict=False):
        if value.field is not None:
            logical = value.type or value.field.type
            logical = logical.array_of if value.array and not logical.array else logical
            yield relation.oid, column.number, column, logical


def _differences(column: Column, logical: LogicalType) -> Iterator[tuple[str, str]]:
    """Where logical and storage type differ."""
    stored = LogicalType.from_catalog(column.type_oid, column.modifier)
    if stored is None:
        return
    before = dict(_described(stored))
    for name, value in _described(logical):
        if before[name] != value:
            yield name, value


def _described(logical: LogicalType) -> Iterator[tuple[str, str]]:
    """A type as the columns of pg_attribute describe it."""
    byval, align, storage = _PHYSICAL.get(logical.name, _AS_BYTEA)
    if logical.array:
        byval, align, storage = "f", "d" if align == "d" else "i", "x"
    yield "atttypid", str(logical.oid)
    yield "atttypmod", str(logical.modifier)
    yield "attlen", str(logical.typlen)
    yield "attndims", str(int(logical.array))
    yield "attbyval", byval
    yield "attalign", align
    yield "attstorage", storage
    yield "attcollation", str(_DEFAULT_COLLATION if logical.name in _COLLATABLE else 0)


# --- pg_attribute ----------------------------------------------------------------------------------------

# One number for attrelid and attnum. Operators are qualified: the path of the session is not ours.
_KEY = (
    "(a.attrelid::pg_catalog.int8 OPERATOR(pg_catalog.<<) 16"
    " OPERATOR(pg_catalog.|) a.attnum::pg_catalog.int8)"
)


def _attributes(attribute: Relation, overrides: _Overrides) -> str:
    shown = ", ".join(_shown(column, overrides.get(column.name, {})) for column in attribute.columns)
    return f"(SELECT {shown} FROM pg_catalog.pg_attribute AS a)"  # noqa: S608


def _shown(column: Column, values: Mapping[str, list[int]]) -> str:
    if not values:
        return f"a.{column.name}"
    cases = " ".join(
        f"WHEN {_KEY} OPERATOR(pg_catalog.=) ANY ('{{{','.join(map(str, keys))}}}'::pg_catalog.int8[])"
        f""" THEN '{value}'::pg_catalog."{column.type_name}\""""
        for value, keys in sorted(values.items())
    )
    return f"CASE {cases} ELSE a.{column.name} END AS {column.name}"
