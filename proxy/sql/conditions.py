"""Expressions that the server evaluates for their truth."""

from __future__ import annotations

from policy.types import LogicalType
from proxy.sql.context import Context
from proxy.sql.parse import Node, ast
from proxy.sql.plan import Role, Use
from proxy.sql.value import Value, require_deterministic, require_plain

_BOOL = LogicalType("bool")


def require_condition(context: Context, node: Node, value: Value, construct: str) -> None:
    """The value of `node` is to be true or false: it is plain, or a boolean column.

    `WHERE active` is sent as `WHERE <TRUE> = active`, which is true, false or NULL where the column is.
    Whatever stands beside a condition binds less than `=`, so that no parentheses are needed.
    """
    field = value.field
    own_column = isinstance(node, ast.ColumnRef) and not value.array and value.type is None
    if field is None or field.type != _BOOL or not own_column:
        require_plain(value, construct)
        return
    require_deterministic(value, construct)
    context.roles.use(value, Use.COMPARED, construct)
    context.tested[node.location] = Role(field, use=Use.COMPARED)
