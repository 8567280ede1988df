"""What statements that define something share: their effect, and the columns of the table they name."""

from __future__ import annotations

from collections.abc import Iterable

from policy.catalog import Relation
from proxy.sql.context import Context, refuse_statement
from proxy.sql.expressions import infer
from proxy.sql.parse import Node
from proxy.sql.plan import CatalogChange
from proxy.sql.scope import Columns, Item, Scope, Source
from proxy.sql.value import PLAIN, Value, require_plain


def changes(
    context: Context, *names: str | None, functions: Iterable[str] = (), columns: bool = False
) -> None:
    """The catalogue changes; `names` are relations that may mean protected columns from now on.

    `functions`: they may change search_path from now on, or have other parameters. `columns`: any relation
    may have others then.
    """
    relations = frozenset(name for name in names if name is not None)
    context.effects.append(CatalogChange(relations, frozenset(functions), columns))


def may_hide(context: Context, name: str) -> bool:
    """Whether a new relation of this name may stand before one with protected columns in search_path."""
    relations = context.binding.catalog.named(name)
    return any(context.binding.of(relation) or relation.kind in "vm" for relation in relations)


def table_scope(columns: Columns, name: str, relation: Relation | None = None) -> Scope:
    """A scope of one table's columns; `relation`: what is known of the table by now."""
    source = Source(name, columns, relation=relation)
    return Scope(sources=[source], items=[Item.of(source)])


def relation_scope(context: Context, node: Node) -> Scope:
    """A scope of a table's columns by its name."""
    relation = context.relation(node)
    context.all_columns(relation)
    return table_scope(context.columns(relation) if relation is not None else [], node.relname, relation)


def column_of(context: Context, scope: Scope, name: str, place: str = "") -> Value:
    """A column by its name, where a definition cannot write an expression; `place` as errors call it."""
    value = scope.column(name)
    if value is None:
        context.unknown_column(name, scope.all_sources(), f'"{name}"{place}')
    return value or PLAIN


def refuse_shadow(context: Context, node: Node) -> None:
    """A temporary relation under the name of one with protected columns would be taken for it."""
    context.look()
    catalog = context.binding.catalog
    known = any(
        value.protected for relation in catalog.named(node.relname) for _, value in context.columns(relation)
    )
    if known or any(table == node.relname for _, table in context.binding.policy.tables):
        refuse_statement(
            f'a temporary table named "{node.relname}" would hide the protected table of that name',
            "Give the temporary table another name.",
        )


def index_element(context: Context, scope: Scope, node: Node) -> Value:
    """The column of an index or exclusion element. Raises Refused for an expression on a field."""
    if node.expr is not None:
        value = infer(context, scope, node.expr)
        require_plain(value, "an index on an expression")
        return PLAIN
    return column_of(context, scope, node.name)
