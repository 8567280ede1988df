"""COPY: which columns stream between client and table, and how they are written."""

from __future__ import annotations

from collections.abc import Callable

from policy.catalog import Relation
from proxy.sql.context import Context, refuse_statement
from proxy.sql.dml import require_no_default
from proxy.sql.expressions import condition
from proxy.sql.parse import Node, ast
from proxy.sql.plan import CopyPlan, ResultColumn
from proxy.sql.scope import Columns, Item, Scope, require_known_width
from proxy.sql.sources import relation_source
from proxy.sql.value import PLAIN, Value, require_usable


def copy(
    context: Context, node: Node, column: Callable[[Context, Value], ResultColumn | None]
) -> CopyPlan | None:
    """The plan of a COPY; None if nothing protected streams. Raises Refused for the server's own files."""
    columns = _columns(context, node)
    for _, value in columns:
        for field in value.fields:
            require_usable(field, "COPY")
    planned = tuple(column(context, value) for _, value in columns)
    if not any(planned):
        return None
    if node.filename is not None or node.is_program:
        refuse_statement(
            "COPY between a file on the server and protected columns is not possible",
            "Use COPY ... FROM STDIN or TO STDOUT (psql: \\copy), so that the rows pass through pgveil.",
        )
    names = tuple(name for name, _ in columns)
    table = node.relation.relname if node.is_from else ""
    return CopyPlan(bool(node.is_from), planned, names, tuple(_options(node)), table)


def _columns(context: Context, node: Node) -> Columns:
    if node.query is not None:
        item = context.query(context, Scope(), node.query)
        if item.gap is not None:
            require_known_width((item,))
        return item.columns
    relation = context.relation(node.relation)
    source = relation_source(context, relation, node.relation, "", [])
    names = [name.sval for name in node.attlist or ()] or _copied(relation)
    if not node.attlist:
        context.all_columns(relation)
    if node.is_from:
        options = dict(_options(node))
        require_no_default(context, source, [] if "default" in options else names)
    if node.whereClause is not None:
        condition(context, Scope(sources=[source], items=[Item.of(source)]), node.whereClause, "WHERE")
    by_name = dict(source.columns)
    for name in names:
        if name not in by_name and not source.opaque:
            context.unknown_column(name, [source], f'"{name}" of relation "{node.relation.relname}"')
    return [(name, by_name.get(name, PLAIN)) for name in names]  # each keeps its place in a row


def _copied(relation: Relation | None) -> list[str]:
    """COPY without a column list leaves generated columns out."""
    return [column.name for column in relation.columns if not column.generated] if relation else []


def _options(node: Node) -> list[tuple[str, str]]:
    """The options as (name, value): booleans as true or false, column lists joined by a NUL."""
    found: list[tuple[str, str]] = []
    for option in node.options or ():
        value = option.arg
        if value is None:
            text = "true"
        elif isinstance(value, tuple):
            text = "\0".join(name.sval for name in value)
        elif isinstance(value, ast.A_Star):
            text = "*"
        elif isinstance(value, ast.Integer):
            text = "true" if value.ival else "false"
        elif isinstance(value, ast.Boolean):
            text = "true" if value.boolval else "false"
        else:
            text = str(value.sval)
        found.append((option.defname.lower(), text))
    return found
