"""INSERT, UPDATE, DELETE and MERGE: what is assigned to a field, and what RETURNING gives."""

from __future__ import annotations

from policy.binding import BoundField
from policy.storage import is_sealed
from proxy.sql.context import Context
from proxy.sql.expressions import condition, infer
from proxy.sql.operators import stands_alone
from proxy.sql.parse import Node, ast
from proxy.sql.plan import SetSearchPath, SettingChange, Use
from proxy.sql.queries import target_list, with_clause
from proxy.sql.scope import Item, Scope, Source
from proxy.sql.sources import from_clause, relation_source
from proxy.sql.unify import fit
from proxy.sql.value import (
    HINTS,
    NULL,
    PLAIN,
    Value,
    refuse,
    require_deterministic,
    require_plain,
    require_usable,
)

NOTHING = Item([])


def target(context: Context, scope: Scope, node: Node) -> Source:
    """The table (or view) that is written, as a source of the scope."""
    relation = context.relation(node)
    alias = node.alias.aliasname if node.alias is not None else ""
    source = relation_source(context, relation, node, alias, [])
    scope.items.append(scope.add(source))
    return source


def assign(
    context: Context, source: Source, column: str, value: Value, clause: str, written: Node = None
) -> None:
    """A value goes into a column. Raises Refused unless the field's ciphertext can be made, or copied.

    `written`: the expression that stands for this column alone.
    """
    known = source.column(column)
    if known is not None and known.field is not None and not known.array:
        field = known.field
        context.touched.add(field)
        require_usable(field, clause)
        fit(value, field, context.roles, clause, use=Use.STORED, alone=stands_alone(written))
        return
    if known is None and not source.opaque:
        table = source.relation.name if source.relation is not None else source.name
        context.unknown_column(column, [source], f'"{column}" of relation "{table}"')
    require_plain(
        value,
        f'copying into the unprotected column "{column}"',
        "Classify that column under the same key, or leave the value where it is.",
    )


# --- INSERT ----------------------------------------------------------------------------------------------


def insert(context: Context, scope: Scope, node: Node) -> Item:
    """INSERT with any source of rows, ON CONFLICT and RETURNING."""
    with_clause(context, scope, node.withClause)
    source = target(context, Scope(), node.relation)
    columns = [column.name for column in node.cols or ()] or [name for name, _ in source.columns]
    for column in node.cols or ():
        if column.indirection:
            _refuse_part(source, column.name)
    given = _insert_rows(context, scope, node, source, columns) if node.selectStmt is not None else 0
    require_no_default(context, source, columns[:given])
    inner = Scope(parent=scope, sources=[source], items=[Item.of(source)])
    if node.onConflictClause is not None:
        _on_conflict(context, inner, node.onConflictClause, source)
    return returning(context, inner, node, source)


def _insert_rows(context: Context, scope: Scope, node: Node, source: Source, columns: list[str]) -> int:
    """Judge the rows of INSERT; how many of the columns they give a value."""
    rows = node.selectStmt
    if rows.valuesLists and rows.withClause is None and not rows.sortClause:
        for row in rows.valuesLists:
            for column, item in zip(columns, row, strict=False):
                _require_default_is_safe(context, source, column, item)
                assign(context, source, column, infer(context, scope, item), "INSERT", item)
            if len(row) > len(columns) and not node.cols:
                context.more_values(source.relation)
            for item in row[len(columns) :]:
                require_plain(infer(context, scope, item), "INSERT of more values than columns")
        return min(len(row) for row in rows.valuesLists)
    item = context.query(context, Scope(parent=scope), rows)
    if item.gap is not None:
        context.all_columns(source.relation)
        _require_plain_target(source, columns)
    for column, (_, value) in zip(columns, item.columns, strict=False):
        assign(context, source, column, value, "INSERT ... SELECT")
    if len(item.columns) > len(columns) and not node.cols:
        context.more_values(source.relation)
    for _, value in item.columns[len(columns) :]:
        require_plain(value, "INSERT of more values than columns")
    return len(item.columns)


def _require_plain_target(source: Source, columns: list[str]) -> None:
    """Rows whose columns are not known cannot be assigned to fields."""
    for column in columns:
        value = source.column(column)
        if value is not None and value.field is not None:
            refuse(value.field, "INSERT of a star of unknown width", "Name the columns instead of the star.")


def require_no_default(context: Context, source: Source, given: list[str]) -> None:
    """A column that is left out takes its DEFAULT, which the server would store as plaintext."""
    for name, value in source.columns:
        if name not in given and value.field is not None:
            _refuse_default(context, source, name, value.field)


def _require_default_is_safe(context: Context, source: Source, column: str, item: Node) -> None:
    value = source.column(column)
    if isinstance(item, ast.SetToDefault) and value is not None and value.field is not None:
        _refuse_default(context, source, column, value.field)


def _refuse_default(context: Context, source: Source, column: str, field: BoundField) -> None:
    """Refuse where a view's column or the table's own has a default that is plaintext."""
    base = context.binding.catalog.relations.get(field.relation_oid)
    own = source.relation.column(column) if source.relation is not None else None
    columns = [known for known in base.columns if known.number == field.number] if base is not None else []
    for known in (own, *columns):
        if known is None or not known.has_default or is_sealed(known.default):
            continue
        if known.default is not None and known.default.upper().startswith("NULL"):
            continue
        refuse(
            field,
            "DEFAULT",
            "Give the value in the statement, or drop the column's default.",
            "The column's default is plaintext, which the server would store as it is.",
        )


def _refuse_part(source: Source, column: str) -> None:
    value = source.column(column)
    if value is not None and value.field is not None:
        refuse(value.field, "assignment to a part of the value", HINTS["value"])


def _on_conflict(context: Context, scope: Scope, node: Node, source: Source) -> None:
    if node.infer is not None:
        for element in node.infer.indexElems or ():
            if element.expr is not None:
                require_plain(infer(context, scope, element.expr), "an expression in ON CONFLICT")
            elif (value := source.column(element.name)) is not None:
                require_deterministic(value, "ON CONFLICT")
        condition(context, scope, node.infer.whereClause, "ON CONFLICT")
    inner = Scope(
        parent=scope.parent,
        sources=[*scope.sources, Source("excluded", source.columns, opaque=source.opaque)],
        items=scope.items,
    )
    set_clause(context, inner, node.targetList or (), source, "ON CONFLICT DO UPDATE")
    condition(context, inner, node.whereClause, "ON CONFLICT DO UPDATE")


# --- UPDATE, DELETE --------------------------------------------------------------------------------------


def set_clause(context: Context, scope: Scope, targets: Node, source: Source, clause: str) -> None:
    """SET column = value, SET (a, b) = (x, y), SET (a, b) = (SELECT ...)."""
    for item in targets:
        if item.indirection:
            _refuse_part(source, item.name)
        if isinstance(item.val, ast.MultiAssignRef):
            _require_default_is_safe(context, source, item.name, _part_node(item.val))
            written = _part_node(item.val)
            value = _part_of_row(context, scope, item.val)
        else:
            written = item.val
            _require_default_is_safe(context, source, item.name, item.val)
            value = infer(context, scope, item.val)
        assign(context, source, item.name, value, clause, written)


def _part_node(node: Node) -> Node:
    """What is written for one column of a row that is assigned to several; None inside a subquery."""
    args = node.source.args or () if isinstance(node.source, ast.RowExpr) else ()
    return args[node.colno - 1] if node.colno <= len(args) else None


def _part_of_row(context: Context, scope: Scope, node: Node) -> Value:
    """One column's part of a row that is assigned to several."""
    if isinstance(node.source, ast.RowExpr):
        args = node.source.args or ()
        return infer(context, scope, args[node.colno - 1]) if node.colno <= len(args) else NULL
    value = infer(context, scope, node.source)
    if value.row is not None and node.ncolumns > 1:  # else it is one column, whose values are rows
        return value.row[node.colno - 1][1] if node.colno <= len(value.row) else NULL
    return value if node.ncolumns == 1 else PLAIN if not value.protected else value


def update(context: Context, scope: Scope, node: Node) -> Item:
    with_clause(context, scope, node.withClause)
    if node.relation.relname == "pg_settings":  # a rule of this view calls set_config()
        context.effects += [SettingChange(), SetSearchPath(None, known=False)]
    source = target(context, scope, node.relation)
    from_clause(context, scope, node.fromClause or ())
    set_clause(context, scope, node.targetList, source, "UPDATE")
    if not isinstance(node.whereClause, ast.CurrentOfExpr):
        condition(context, scope, node.whereClause, "WHERE")
    return returning(context, scope, node, source)


def delete(context: Context, scope: Scope, node: Node) -> Item:
    with_clause(context, scope, node.withClause)
    source = target(context, scope, node.relation)
    from_clause(context, scope, node.usingClause or ())
    if not isinstance(node.whereClause, ast.CurrentOfExpr):
        condition(context, scope, node.whereClause, "WHERE")
    return returning(context, scope, node, source)


# --- MERGE -----------------------------------------------------------------------------------------------


def merge(context: Context, scope: Scope, node: Node) -> Item:
    with_clause(context, scope, node.withClause)
    source = target(context, scope, node.relation)
    from_clause(context, scope, (node.sourceRelation,))
    condition(context, scope, node.joinCondition, "ON")
    for when in node.mergeWhenClauses:
        condition(context, scope, when.condition, "WHEN")
        if when.values is not None or when.commandType.name == "CMD_INSERT":
            _merge_insert(context, scope, when, source)
        else:
            set_clause(context, scope, when.targetList or (), source, "MERGE")
    return returning(context, scope, node, source)


def _merge_insert(context: Context, scope: Scope, when: Node, source: Source) -> None:
    columns = [column.name for column in when.targetList or ()] or [name for name, _ in source.columns]
    values = when.values or ()
    if len(values) > len(columns) and not when.targetList:
        context.more_values(source.relation)
    for column, item in zip(columns, values, strict=False):
        _require_default_is_safe(context, source, column, item)
        assign(context, source, column, infer(context, scope, item), "MERGE", item)
    require_no_default(context, source, columns[: len(values)])


def returning(context: Context, scope: Scope, node: Node, source: Source) -> Item:
    """RETURNING, with PostgreSQL 18's OLD and NEW."""
    clause = node.returningClause
    if clause is None:
        return NOTHING
    names = {"old": "old", "new": "new"}
    for option in clause.options or ():
        names["old" if option.option.name.endswith("OLD") else "new"] = option.value
    rows = [Source(name, source.columns, opaque=source.opaque) for name in names.values()]
    inner = Scope(
        parent=scope.parent, sources=[*scope.sources, *rows], items=scope.items, tables=scope.tables
    )
    return target_list(context, inner, clause.exprs)
