"""SELECT, VALUES and set operations: from a tree to the columns that it gives."""

from __future__ import annotations

from pglast.enums import SetOperation

from proxy.sql.context import Context, descendants, refuse_statement
from proxy.sql.expressions import condition, infer
from proxy.sql.functions import group, window
from proxy.sql.parse import Node, ast
from proxy.sql.scope import Columns, CommonTable, Item, Scope, require_known_width
from proxy.sql.sources import from_clause
from proxy.sql.unify import left as left_query
from proxy.sql.unify import unify
from proxy.sql.value import (
    HINTS,
    Value,
    require_plain,
    require_usable,
)


def with_clause(context: Context, scope: Scope, node: Node) -> None:
    """Make the common table expressions of WITH known in a scope."""
    for table in _in_order(node) if node is not None else ():
        if table.search_clause is not None or table.cycle_clause is not None:
            _require_plain_query(context, scope, table)
        item = _common_table(context, scope, table, recursive=bool(node.recursive))
        names = [name.sval for name in table.aliascolnames or ()]
        columns = [
            (names[i] if i < len(names) else name, left_query(value))
            for i, (name, value) in enumerate(item.columns)
        ]
        scope.tables[table.ctename] = CommonTable(columns, opaque=item.gap is not None)


def _in_order(node: Node) -> list[Node]:
    """The members of WITH, each after those that it names: those of WITH RECURSIVE may name later ones."""
    if not node.recursive:
        return list(node.ctes)
    by_name = {table.ctename: table for table in node.ctes}
    ordered: dict[str, Node] = {}
    visiting: set[str] = set()

    def visit(name: str) -> None:
        if name in ordered or name in visiting:
            return
        visiting.add(name)
        for item in descendants(by_name[name].ctequery):
            if isinstance(item, ast.RangeVar) and not item.schemaname and item.relname in by_name:
                visit(item.relname)
        ordered[name] = by_name[name]

    for name in by_name:
        visit(name)
    return list(ordered.values())


def _require_plain_query(context: Context, scope: Scope, table: Node) -> None:
    """SEARCH and CYCLE order and compare whole rows."""
    for _, value in context.query(context, Scope(parent=scope), table.ctequery).columns:
        require_plain(value, "SEARCH or CYCLE", HINTS["order"])
    refuse_none = CommonTable([], opaque=True)
    scope.tables[table.ctename] = refuse_none


def _common_table(context: Context, scope: Scope, table: Node, *, recursive: bool) -> Item:
    body = table.ctequery
    if not (recursive and isinstance(body, ast.SelectStmt) and body.op != SetOperation.SETOP_NONE):
        return context.query(context, Scope(parent=scope), body)
    inner = Scope(parent=scope)
    with_clause(context, inner, body.withClause)
    first = context.query(context, Scope(parent=inner), body.larg)
    names = [name.sval for name in table.aliascolnames or ()]
    columns = [(names[i] if i < len(names) else name, value) for i, (name, value) in enumerate(first.columns)]
    inner.tables[table.ctename] = CommonTable(columns, opaque=first.gap is not None)
    second = context.query(context, Scope(parent=inner), body.rarg)
    output = _united(context, first, second, body)
    order_by(context, inner, body.sortClause or (), output)
    return output


def select(context: Context, scope: Scope, node: Node) -> Item:
    """The output columns of a SELECT, VALUES or set operation."""
    with_clause(context, scope, node.withClause)
    if node.op != SetOperation.SETOP_NONE:
        output = _set_operation(context, scope, node)
    elif node.valuesLists:
        output = values(context, scope, node.valuesLists)
        order_by(context, scope, node.sortClause or (), output)
    else:
        output = _select(context, scope, node)
    for limit in (node.limitOffset, node.limitCount):
        require_plain(infer(context, scope, limit), "LIMIT or OFFSET")
    if node.intoClause is not None:
        refuse_copy(context, node.intoClause.rel, output, "SELECT INTO")
    return output


def refuse_copy(context: Context, target: Node, output: Item, statement: str) -> None:
    """A table made of a query's rows: its columns get what the query gives, ciphertext or plaintext."""
    known = any(table == target.relname for _, table in context.binding.policy.tables)
    if known or any(value.protected for _, value in output.columns):
        refuse_statement(
            f"{statement} would copy rows past the policy",
            "Create the table, classify its columns, and use INSERT ... SELECT.",
        )


def _select(context: Context, scope: Scope, node: Node) -> Item:
    from_clause(context, scope, node.fromClause or ())
    condition(context, scope, node.whereClause, "WHERE")
    for definition in node.windowClause or ():
        window(context, scope, definition, infer)
    output = target_list(context, scope, node.targetList or ())
    for item in node.groupClause or ():
        _group(context, scope, item, output)
    condition(context, scope, node.havingClause, "HAVING")
    if node.distinctClause is not None:
        _distinct(context, scope, node, output)
    order_by(context, scope, node.sortClause or (), output)
    return output


def _distinct(context: Context, scope: Scope, node: Node, output: Item) -> None:
    expressions = [item for item in node.distinctClause if item is not None]
    for item in expressions:
        group(context, _output_or(context, scope, item, output), "DISTINCT ON")
    if not expressions:
        for _, value in output.columns:
            group(context, value, "DISTINCT")


def _group(context: Context, scope: Scope, node: Node, output: Item) -> None:
    if isinstance(node, ast.GroupingSet):
        for item in node.content or ():
            _group(context, scope, item, output)
        return
    if isinstance(node, ast.RowExpr):
        for item in node.args or ():
            _group(context, scope, item, output)
        return
    name = _single_name(node)
    if name is not None and scope.column(name) is not None:  # an input column comes first in GROUP BY
        group(context, infer(context, scope, node), "GROUP BY")
        return
    group(context, _output_or(context, scope, node, output), "GROUP BY")


def order_by(context: Context, scope: Scope, clause: tuple[Node, ...], output: Item) -> None:
    """ORDER BY: by an output column's name or position, or by an expression."""
    for item in clause:
        require_plain(_output_or(context, scope, item.node, output), "ORDER BY", HINTS["order"])


def _single_name(node: Node) -> str | None:
    if isinstance(node, ast.ColumnRef) and len(node.fields) == 1 and isinstance(node.fields[0], ast.String):
        return str(node.fields[0].sval)
    return None


def _output_or(context: Context, scope: Scope, node: Node, output: Item) -> Value:
    """An output column by name or position, else the expression."""
    name = _single_name(node)
    if name is not None:
        for known, value in output.columns:
            if known == name:
                return value
    if isinstance(node, ast.A_Const):
        context.pinned.add(context.parsed.constant_at(node))
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.Integer):
        position: int = node.val.ival - 1
        if output.gap is not None and position >= output.gap:
            require_known_width((output,))
        if 0 <= position < len(output.columns):
            return output.columns[position][1]
    return infer(context, scope, node)


# --- target lists ----------------------------------------------------------------------------------------


def target_list(context: Context, scope: Scope, targets: Node) -> Item:
    """The output columns of a SELECT list or of RETURNING."""
    columns: Columns = []
    gap: int | None = None
    for target in targets:
        part = _star(context, scope, target.val)
        if part is None:
            part = Item([(target.name or column_name(target.val), infer(context, scope, target.val))])
        if part.gap is not None:
            if gap is not None:
                require_known_width((Item(columns), part))
            gap = len(columns) + part.gap
        columns += part.columns
    return Item(columns, gap)


def _star(context: Context, scope: Scope, node: Node) -> Item | None:
    """The columns of `*`, `table.*` or `schema.table.*`; None for anything else."""
    if isinstance(node, ast.A_Indirection) and isinstance(node.indirection[-1], ast.A_Star):
        value = infer(context, scope, node.arg)
        if value.array:
            require_plain(value, "the columns of an array")
        return Item(list(value.row), None) if value.row is not None else Item([], 0)
    if not (isinstance(node, ast.ColumnRef) and isinstance(node.fields[-1], ast.A_Star)):
        return None
    names = [part.sval for part in node.fields[:-1]]
    if scope.parent is not None:  # its rows meet others: in UNION, IN and such
        for known in scope.sources:
            context.all_columns(known.relation)
    if not names:
        item = scope.star()
    else:
        source = scope.source(names[-1], names[-2] if len(names) > 1 else "")
        item = Item.of(source) if source is not None else Item([], 0)
    for _, value in item.columns:
        for field in value.fields:
            context.touched.add(field)
            require_usable(field, "any use of the values")
    return item


def column_name(node: Node) -> str:
    """The name of an output column without AS (PostgreSQL's FigureColname)."""
    if isinstance(node, ast.ColumnRef):
        last = node.fields[-1]
        return last.sval if isinstance(last, ast.String) else "?column?"
    if isinstance(node, ast.FuncCall):
        return str(node.funcname[-1].sval)
    if isinstance(node, ast.TypeCast):
        inner = column_name(node.arg)
        return inner if inner != "?column?" else str(node.typeName.names[-1].sval)
    if isinstance(node, ast.CollateClause | ast.A_Indirection):
        return column_name(node.arg)
    if isinstance(node, ast.CaseExpr):
        inner = column_name(node.defresult) if node.defresult is not None else "?column?"
        return inner if inner != "?column?" else "case"
    if isinstance(node, ast.SubLink):
        return _sublink_name(node)
    names = {ast.CoalesceExpr: "coalesce", ast.A_ArrayExpr: "array", ast.RowExpr: "row"}
    return names.get(type(node), "?column?")


def _sublink_name(node: Node) -> str:
    if node.subLinkType.name == "EXISTS_SUBLINK":
        return "exists"
    if node.subLinkType.name == "ARRAY_SUBLINK":
        return "array"
    body = node.subselect
    targets = body.targetList if isinstance(body, ast.SelectStmt) else None
    if node.subLinkType.name == "EXPR_SUBLINK" and targets:
        return targets[0].name or column_name(targets[0].val)
    return "?column?"


# --- VALUES and set operations ---------------------------------------------------------------------------


def values(context: Context, scope: Scope, rows: tuple[tuple[Node, ...], ...]) -> Item:
    """The columns of VALUES: what stands below each other has to be of one kind."""
    lines = [[infer(context, scope, item) for item in row] for row in rows]
    width = min(len(line) for line in lines)
    return Item(
        [
            (f"column{i + 1}", unify([line[i] for line in lines], context.roles, "VALUES"))
            for i in range(width)
        ]
    )


def _set_operation(context: Context, scope: Scope, node: Node) -> Item:
    left = context.query(context, Scope(parent=scope), node.larg)
    right = context.query(context, Scope(parent=scope), node.rarg)
    output = _united(context, left, right, node)
    for item in node.sortClause or ():
        require_plain(_output_or(context, Scope(parent=scope), item.node, output), "ORDER BY", HINTS["order"])
    return output


def _united(context: Context, left: Item, right: Item, node: Node) -> Item:
    """The columns of UNION, INTERSECT, EXCEPT; all but UNION ALL compare rows."""
    if left.gap is not None or right.gap is not None:
        require_known_width((left, right))
    columns: Columns = []
    for (name, one), (_, other) in zip(left.columns, right.columns, strict=False):
        value = unify([one, other], context.roles, node.op.name.removeprefix("SETOP_"))
        value = left_query(value) if value.untyped else value
        if not (node.all and node.op == SetOperation.SETOP_UNION):
            group(context, value, node.op.name.removeprefix("SETOP_"))
        columns.append((name, value))
    for _, value in left.columns[len(columns) :] + right.columns[len(columns) :]:
        require_plain(value, "a set operation of different widths")
    return Item(columns, left.gap)
