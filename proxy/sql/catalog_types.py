"""What the catalogue says of protected columns: the logical type, where pg_attribute has the storage type.

A reference to pg_attribute becomes a derived table, in which the columns that describe a type depend on
attrelid and attnum; a view of the server's that shows such columns is replaced by its definition over that
table. The texts hold oids and numbers of the catalogue, never a value. See docs/decisions/0007.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policy.binding import Binding, BoundField
from policy.catalog import Column, Relation
from policy.types import LogicalType
from proxy.sql.parse import SyntaxFailure, parse
from proxy.sql.redirect import redirected

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

_Overrides = dict[str, dict[str, list[int]]]  # column of pg_attribute -> its value -> keys of attributes


class CatalogTypes:
    """The derived tables of one binding, by the oid of the relation that they stand for; made when needed."""

    def __init__(self, binding: Binding) -> None:
        catalog = binding.catalog
        attribute = catalog.lookup("pg_catalog", "pg_attribute")
        overrides = _overrides(binding) if attribute is not None else {}
        self._catalog = catalog
        self._tables: dict[int, str | None] = {}
        self._names: re.Pattern[str] | None = None
        if attribute is None or not overrides:
            return
        self._tables[attribute.oid] = _attributes(attribute, overrides)
        views = [catalog.relations[oid] for oid in catalog.type_views if oid in catalog.relations]
        names = {relation.name for relation in (attribute, *views)}
        self._names = re.compile("|".join(map(re.escape, sorted(names))), re.IGNORECASE)

    def mentioned(self, text: str) -> bool:
        """Whether a text may read one of the relations that are replaced."""
        return self._names is not None and self._names.search(text) is not None

    def table(self, relation: Relation) -> str | None:
        """The derived table, in parentheses, that stands for a relation; None where that stays."""
        if relation.oid not in self._tables:
            definition = self._catalog.type_views.get(relation.oid)
            self._tables[relation.oid] = self._view(definition) if definition is not None else None
        return self._tables[relation.oid]

    def _view(self, definition: str) -> str | None:
        try:
            parsed = parse(definition)
        except SyntaxFailure:
            return None
        text = redirected(parsed, self._catalog, self.table, (), qualify=True)
        return f"({text.strip().rstrip(';')})" if text is not None else None


# --- what differs ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Described:
    """A type as the columns of pg_attribute describe it."""

    type: LogicalType

    def columns(self) -> Iterator[tuple[str, str]]:
        logical = self.type
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


def _overrides(binding: Binding) -> _Overrides:
    """The columns of pg_attribute that have to be shown otherwise, for all protected columns."""
    found: _Overrides = {}
    for oid, fields in sorted(binding.fields.items()):
        columns = {column.number: column for column in binding.catalog.relations[oid].columns}
        for number, bound in sorted(fields.items()):
            for name, value in _differences(columns[number], bound):
                found.setdefault(name, {}).setdefault(value, []).append(oid << 16 | number)
    return found


def _differences(column: Column, bound: BoundField) -> Iterator[tuple[str, str]]:
    """Where logical and storage type differ. A field that cannot be used is shown as it is."""
    stored = LogicalType.from_catalog(column.type_oid, column.modifier)
    if bound.problem is not None or stored is None:
        return
    before = dict(_Described(stored).columns())
    for name, value in _Described(bound.type).columns():
        if before[name] != value:
            yield name, value


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
