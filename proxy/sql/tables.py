"""CREATE TABLE: protected columns get their storage type, also those of a parent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from policy.binding import BoundField
from policy.catalog import Relation
from policy.model import Field
from proxy.errors import Refused
from proxy.sql.column_definitions import define, unwritten
from proxy.sql.constraints import require_constraint, require_constraints
from proxy.sql.context import Context
from proxy.sql.definitions import changes, column_of, may_hide, refuse_shadow, table_scope
from proxy.sql.expressions import infer
from proxy.sql.parse import Node, ast
from proxy.sql.scope import Columns
from proxy.sql.value import PLAIN, Value, refuse, require_plain

NO_FIELDS: Mapping[str, Field] = {}


def create_table(context: Context, node: Node) -> None:
    """CREATE TABLE: protected columns are made with their storage type, their defaults are encrypted."""
    if node.relation.relpersistence == "t":
        refuse_shadow(context, node.relation)
        return
    parents = _parents(context, node)
    bound = _inherited(context, parents)
    fields = new_fields(context, node.relation)
    name = node.relation.relname
    if bound or fields or context.binding.catalog.named(name):
        changes(context, name if bound or fields or may_hide(context, name) else None)
    # else its first use will find that the snapshot lacks it: schemas are made without reading each time
    if node.partbound is not None:
        refuse_bounds(context, parents)
    for parent in parents if fields else ():
        context.gains_child(parent)
    definitions = [item for item in node.tableElts or () if isinstance(item, ast.ColumnDef)]
    for item in definitions:
        if (made := define(context, item, fields)) is not None or item.colname not in bound:
            bound[item.colname] = made
    for name, known in fields.items():
        if bound.get(name) is None:
            bound[name] = unwritten(known)
    columns: Columns = [
        (name, Value(field=field) if field is not None else PLAIN) for name, field in bound.items()
    ]
    scope = table_scope(columns, node.relation.relname)
    for part in node.partspec.partParams if node.partspec is not None else ():
        named = part.expr is None
        value = column_of(context, scope, part.name) if named else infer(context, scope, part.expr)
        require_plain(value, "a partition key", "Partition by a column that is not protected.")
    for item in definitions:
        require_constraints(context, scope, item.constraints or (), bound[item.colname])
    for item in node.tableElts or ():
        if isinstance(item, ast.Constraint):
            require_constraint(context, scope, item, None)


def create_foreign_table(context: Context, node: Node) -> None:
    """CREATE FOREIGN TABLE: another server has its rows, and so their ciphertext."""
    create_table(context, node.base)


def _parents(context: Context, node: Node) -> list[Relation]:
    found = [context.relation(parent) for parent in node.inhRelations or ()]
    return [relation for relation in found if relation is not None]


def _inherited(context: Context, parents: Iterable[Relation]) -> dict[str, BoundField | None]:
    """The protected columns that a child has from its parents."""
    bound: dict[str, BoundField | None] = {}
    for relation in parents:
        context.all_columns(relation)
        bound.update(context.binding.of(relation))
    return bound


def refuse_bounds(context: Context, parents: Iterable[Relation]) -> None:
    """The bounds of a partition are values of its key."""
    for relation in parents:
        fields = context.binding.of(relation)
        keys = [d for d in relation.dependents if d.kind == "partition key"]
        for name in (column for key in keys for column in key.columns):
            if name in fields:
                refuse(fields[name], "a partition's bounds", "Partition by a column that is not protected.")


def new_fields(context: Context, node: Node) -> Mapping[str, Field]:
    """The policy's fields of a table that is being made."""
    context.look()
    tables = context.binding.policy.tables
    if node.schemaname:
        return tables.get((node.schemaname, node.relname), NO_FIELDS)
    path = context.search_path
    if path is None:
        candidates = [fields for (_, table), fields in tables.items() if table == node.relname]
        if candidates:
            raise Refused("search_path is not known", hint="Write the schema before the table's name.")
        return NO_FIELDS
    schema = next((name for name in path if name in context.binding.catalog.schemas), "")
    return tables.get((schema, node.relname), NO_FIELDS)
