"""FROM: tables, views, CTEs, derived tables, functions and joins, as sources of a scope."""

from __future__ import annotations

from policy.catalog import Relation
from proxy.sql.calls import Call
from proxy.sql.comparisons import compare
from proxy.sql.context import Context
from proxy.sql.expressions import condition, infer
from proxy.sql.functions import unnest
from proxy.sql.json_records import record_columns
from proxy.sql.parse import Node, ast
from proxy.sql.scope import Columns, Item, Scope, Source, as_source, joined, merged, renamed
from proxy.sql.unify import left as left_query
from proxy.sql.value import PLAIN, Value, require_plain


def from_clause(context: Context, scope: Scope, items: tuple[Node, ...]) -> None:
    """Add the items of FROM to a scope, from left to right."""
    for node in items:
        scope.items.append(_item(context, scope, node))


def _item(context: Context, scope: Scope, node: Node) -> Item:
    if isinstance(node, ast.RangeVar):
        return scope.add(table_source(context, scope, node))
    if isinstance(node, ast.RangeSubselect):
        return _derived_table(context, scope, node)
    if isinstance(node, ast.JoinExpr):
        return _join(context, scope, node)
    if isinstance(node, ast.RangeFunction):
        return _function(context, scope, node)
    if isinstance(node, ast.RangeTableSample):
        for arg in node.args or ():
            require_plain(infer(context, scope, arg), "TABLESAMPLE")
        return _item(context, scope, node.relation)
    return _other(context, scope, node)


def _alias(node: Node) -> tuple[str, list[str]]:
    if node.alias is None:
        return "", []
    return node.alias.aliasname, [name.sval for name in node.alias.colnames or ()]


def table_source(context: Context, scope: Scope, node: Node) -> Source:
    """A table, view or CTE by its name."""
    alias, names = _alias(node)
    if not node.schemaname and (table := scope.common_table(node.relname)) is not None:
        return Source(alias or node.relname, renamed(table.columns, names), opaque=table.opaque)
    relation = context.relation(node)
    return relation_source(context, relation, node, alias, names)


def relation_source(
    context: Context, relation: Relation | None, node: Node, alias: str, names: list[str]
) -> Source:
    """A relation of the catalogue (None: one that is not known) under an alias."""
    if relation is None:
        return Source(alias or node.relname, [(name, PLAIN) for name in names], opaque=True)
    context.missing_column(relation)
    columns = renamed(context.columns(relation), names)
    return Source(alias or node.relname, columns, "" if alias else relation.schema, relation=relation)


def _derived_table(context: Context, scope: Scope, node: Node) -> Item:
    inner = Scope(parent=scope if node.lateral else _outer(scope))
    item = context.query(context, inner, node.subquery)
    alias, names = _alias(node)
    columns = [(name, left_query(value)) for name, value in item.columns]
    shown = Item(renamed(columns, names), item.gap)
    scope.sources.append(as_source(alias, shown))
    return shown


def _outer(scope: Scope) -> Scope:
    """What a derived table that is not LATERAL sees: the CTEs here, and the outer queries."""
    return Scope(parent=scope.parent, tables=scope.tables)


def _join(context: Context, scope: Scope, node: Node) -> Item:
    inner = Scope(parent=scope.parent, tables=scope.tables) if node.alias is not None else scope
    if node.alias is not None:
        inner.sources += scope.sources  # LATERAL items inside may still look to their left
        inner.items += scope.items
    left = _item(context, inner, node.larg)
    inner.items.append(left)  # LATERAL on the right sees the left side
    right = _item(context, inner, node.rarg)
    inner.items.pop()
    if node.isNatural:
        for source in inner.sources:
            context.all_columns(source.relation)
        if left.gap is not None or right.gap is not None:
            for _, value in left.columns + right.columns:
                require_plain(value, "NATURAL JOIN with a source of unknown columns", "Write ON or USING.")
        right_names = {name for name, _ in right.columns}
        shared = [name for name, _ in left.columns if name in right_names]
    else:
        shared = [name.sval for name in node.usingClause or ()]
    for name in shared:
        context.unknown_columns |= any(_lacks(item, name) for item in (left, right))
        compare(_named(left, name), _named(right, name), context.roles, "JOIN ... USING")
    item = merged(left, right, shared) if shared else joined(left, right)
    if node.join_using_alias is not None:
        merged_columns = [column for column in item.columns if column[0] in shared]
        inner.sources.append(Source(node.join_using_alias.aliasname, merged_columns))
    if node.quals is not None:
        _on(context, inner, item, node)
    if node.alias is None:
        return item
    alias, names = _alias(node)
    return scope.add(as_source(alias, Item(renamed(item.columns, names), item.gap)))


def _on(context: Context, scope: Scope, item: Item, node: Node) -> None:
    """The condition sees the two sides of the join as a scope of its own."""
    inner = Scope(parent=scope.parent, sources=scope.sources, items=[*scope.items, item], tables=scope.tables)
    condition(context, inner, node.quals, "ON")


def _lacks(item: Item, name: str) -> bool:
    return item.gap is None and all(known != name for known, _ in item.columns)


def _named(item: Item, name: str) -> Value:
    return next((value for known, value in item.columns if known == name), PLAIN)


def _function(context: Context, scope: Scope, node: Node) -> Item:
    alias, names = _alias(node)
    calls = [pair[0] for pair in node.functions]
    known_parts: list[Columns | None] = []
    for call, given in node.functions:
        definitions = given or node.coldeflist or ()
        part = _unnested(context, scope, call) or record_columns(context, scope, call, definitions)
        if part is None and (part := _rows_of_fields(context, scope, call)) is None:
            part = [(d.colname, PLAIN) for d in definitions]
        known_parts.append(part)
    columns = _beside(known_parts)
    name = alias or (calls[0].funcname[-1].sval if isinstance(calls[0], ast.FuncCall) else "")
    if columns and len(columns) == 1 and columns[0][0] in ("unnest", "") and not names:
        names = [name]
    if columns and node.ordinality:
        columns = [*columns, ("ordinality", PLAIN)]
    if columns:
        return scope.add(Source(name, renamed(columns, names)))
    known: Columns = [(column, PLAIN) for column in names or [name]]
    return scope.add(Source(name, known, opaque=True))


def _beside(parts: list[Columns | None]) -> Columns | None:
    """The columns of functions side by side; None where they are not all known, and none is protected."""
    columns = [column for part in parts for column in part or ()]
    if all(parts):
        return columns
    for _, value in columns:
        require_plain(value, "ROWS FROM beside a function of unknown columns", "Join the functions instead.")
    return None


def _unnested(context: Context, scope: Scope, call: Node) -> Columns | None:
    """The columns of unnest(...) in FROM, one an array; None for another function."""
    if not isinstance(call, ast.FuncCall) or call.funcname[-1].sval != "unnest":
        return None
    elements = [unnest(infer(context, scope, arg)) for arg in call.args or ()]
    if len(elements) == 1 and not (elements[0].protected or elements[0].opens):
        return None  # a composite array has columns of its own
    return [("unnest", element) for element in elements]


def _rows_of_fields(context: Context, scope: Scope, call: Node) -> Columns | None:
    """The columns of a function that gives fields' values; None for one that gives nothing protected."""
    value = infer(context, scope, call)
    if not value.protected:
        return None
    if isinstance(call, ast.FuncCall) and (concerned := Call(context, call)).concerns:
        return concerned.columns() or [("", value)]
    require_plain(value, "a function in FROM")
    return None


def _other(context: Context, scope: Scope, node: Node) -> Item:
    """XMLTABLE, JSON_TABLE and what is still to come: nothing protected may go in."""
    require_plain(infer(context, scope, node), "a table function")
    alias, names = _alias(node)
    return scope.add(Source(alias, [(name, PLAIN) for name in names], opaque=True))
