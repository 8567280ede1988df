"""The worth of names: columns, whole rows, and what no source has."""

from __future__ import annotations

from proxy.sql.calls import require_no_call
from proxy.sql.context import Context
from proxy.sql.parse import Node, ast
from proxy.sql.scope import SYSTEM_COLUMNS, Scope
from proxy.sql.value import PLAIN, Value, require_usable


def column(context: Context, scope: Scope, node: Node) -> Value:
    """What a name is worth. Raises Refused for a field that cannot be used now."""
    names = [part.sval if isinstance(part, ast.String) else "*" for part in node.fields]
    value = _by_name(context, scope, names)
    for field in value.fields:
        context.touched.add(field)
        require_usable(field, "any use of the values")
    return value


def _by_name(context: Context, scope: Scope, names: list[str]) -> Value:
    """A column, a whole row by its table's name, or PLAIN for a name that nothing protected has."""
    if names[-1] == "*":
        source = scope.source(names[-2], names[-3] if len(names) > 2 else "") if len(names) > 1 else None
        if source is None:
            return _whole_scope(scope)
        context.all_columns(source.relation)
        return source.row
    if len(names) == 1:
        value = scope.column(names[0])
        if value is None and (whole := scope.source(names[0])) is not None:
            context.all_columns(whole.relation)
            return whole.row
        return value if value is not None else _unknown_column(context, scope, names)
    source = scope.source(names[-2], names[-3] if len(names) > 2 else "")
    value = source.column(names[-1]) if source is not None else None
    if value is None:
        require_no_call(context, names[-1], source.row if source is not None else PLAIN)
    if value is None and (source is None or not source.opaque):
        return _unknown_column(context, scope, names)
    return value or PLAIN


def _unknown_column(context: Context, scope: Scope, names: list[str]) -> Value:
    """A name that no source has: a new column that the snapshot lacks, or an error of the statement."""
    if names[-1] not in SYSTEM_COLUMNS:
        written = ".".join(names[-2:]) if len(names) > 1 else f'"{names[0]}"'
        context.unknown_column(names[-1], scope.all_sources(), written)
    return PLAIN


def _whole_scope(scope: Scope) -> Value:
    columns = scope.star().columns
    return Value(row=tuple(columns)) if any(value.protected for _, value in columns) else PLAIN
