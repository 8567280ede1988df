"""Scopes: which columns a name can mean. A source is a table, view, CTE, derived table or function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from policy.binding import BoundField
from policy.catalog import Relation
from proxy.errors import Refused
from proxy.sql.value import PLAIN, Value, doubtful

Columns = list[tuple[str, Value]]
SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})


@dataclass(slots=True)
class Source:
    """Something in FROM under a name. `opaque`: its columns are not known (a temporary table, a function)."""

    name: str
    columns: Columns
    schema: str = ""
    opaque: bool = False
    relation: Relation | None = None

    def column(self, name: str) -> Value | None:
        for known, value in self.columns:
            if known == name:
                return value
        return None

    @property
    def row(self) -> Value:
        """The source as a whole-row value."""
        if any(value.protected or value.opens for _, value in self.columns):
            return Value(row=tuple(self.columns))
        return PLAIN


@dataclass(slots=True)
class Item:
    """One item of FROM as `*` shows it: its columns, and where (if at all) ones of unknown number stand."""

    columns: Columns
    gap: int | None = None

    @staticmethod
    def of(source: Source) -> Item:
        return Item(list(source.columns), len(source.columns) if source.opaque else None)


@dataclass(slots=True)
class CommonTable:
    """A CTE as seen by name."""

    columns: Columns
    opaque: bool = False


@dataclass(slots=True)
class Scope:
    """The names that an expression may use; names that it lacks are looked for in `parent`."""

    parent: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    tables: dict[str, CommonTable] = field(default_factory=dict)

    def common_table(self, name: str) -> CommonTable | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.tables:
                return scope.tables[name]
            scope = scope.parent
        return None

    def add(self, source: Source) -> Item:
        self.sources.append(source)
        return Item.of(source)

    def source(self, name: str, schema: str = "") -> Source | None:
        """A source by its alias, here or further out."""
        scope: Scope | None = self
        while scope is not None:
            for source in scope.sources:
                if source.name == name and (not schema or source.schema == schema):
                    return source
            scope = scope.parent
        return None

    def column(self, name: str) -> Value | None:
        """An unqualified column; None if no scope knows it. Raises Refused where two sources have it."""
        scope: Scope | None = self
        while scope is not None:
            found = [value for item in scope.items for known, value in item.columns if known == name]
            if len(found) > 1 and any(value.protected for value in found):
                raise Refused(
                    f'column reference "{name}" is ambiguous',
                    sqlstate="42702",
                    hint="Write the table's name before the column's.",
                )
            if found:
                return found[0]
            if any(item.gap is not None for item in scope.items):
                return _beyond_gap(scope.parent, name)
            scope = scope.parent
        return None

    def all_sources(self) -> list[Source]:
        """The sources here and further out."""
        outer = self.parent.all_sources() if self.parent is not None else []
        return [*self.sources, *outer]

    def star(self) -> Item:
        """What a bare `*` stands for. Raises Refused where two sources of unknown width surround a field."""
        columns: Columns = []
        gap: int | None = None
        for item in self.items:
            if item.gap is not None:
                if gap is not None:
                    require_known_width(item for item in self.items)
                    gap = len(columns)
                else:
                    gap = len(columns) + item.gap
            columns += item.columns
        return Item(columns, gap)


def _beyond_gap(outer: Scope | None, name: str) -> Value:
    """A source of unknown columns is nearer than the outer scopes: it may have the column, or not."""
    value = outer.column(name) if outer is not None else None
    if value is not None and value.protected:
        raise Refused(
            f'cannot tell what column "{name}" means here',
            detail="A source of unknown columns is nearer than the table that has a column of this name.",
            hint="Write the table's name before the column's.",
        )
    return doubtful(value) if value is not None else PLAIN


def require_known_width(items: Iterable[Item]) -> None:
    """Two stars of unknown width: the place of a protected column cannot be told."""
    for item in items:
        for _, value in item.columns:
            for bound in value.fields:
                raise Refused(
                    f'cannot tell where column "{bound.field}" stands in the result',
                    detail="Several sources of unknown columns are returned with a star.",
                    hint="Name the columns instead of the star.",
                )


def renamed(columns: Columns, names: Sequence[str]) -> Columns:
    """Columns under the names of an alias list, which may be shorter."""
    return [(names[i] if i < len(names) else name, value) for i, (name, value) in enumerate(columns)]


def relation_columns(relation: Relation, bound: dict[str, BoundField]) -> Columns:
    """The columns of a table: fields where the policy protects them."""
    return [
        (column.name, Value(field=bound[column.name]) if column.name in bound else PLAIN)
        for column in relation.columns
    ]


def merged(left: Item, right: Item, names: Sequence[str]) -> Item:
    """The columns of a join with USING: the shared ones first, once."""
    shared = [(name, value) for name, value in left.columns if name in names]
    shared.sort(key=lambda column: names.index(column[0]))
    rest = [column for item in (left, right) for column in item.columns if column[0] not in names]
    gap = None
    if left.gap is not None or right.gap is not None:
        gap = len(shared) + len([c for c in left.columns if c[0] not in names])
    return Item(shared + rest, gap)


def joined(left: Item, right: Item) -> Item:
    """The columns of a join without USING."""
    if left.gap is not None and right.gap is not None:
        require_known_width((left, right))
    gap = left.gap
    if right.gap is not None:
        gap = len(left.columns) + right.gap
    return Item(left.columns + right.columns, gap)


def as_source(name: str, item: Item) -> Source:
    """A join or derived table under an alias."""
    return Source(name, list(item.columns), opaque=item.gap is not None)
