"""The worth of literals and parameters: open values, which take the role of what they meet."""

from __future__ import annotations

from policy.types import LogicalType
from proxy.sql.context import Context
from proxy.sql.parse import Node, ast
from proxy.sql.scope import Scope
from proxy.sql.value import NULL, PLAIN, Open, Value


def constant(context: Context, scope: Scope, node: Node) -> Value:
    """NULL, or a literal that takes the role of what it meets."""
    if node.isnull:
        return NULL
    if isinstance(node.val, ast.BitString):
        return PLAIN
    return open_value(context, Open(context.parsed.constant_at(node), type=literal_type(node.val)))


def literal_type(value: Node) -> LogicalType | None:
    """The type that a literal has by its spelling (PostgreSQL documentation, 4.1.2); None: a string."""
    if isinstance(value, ast.Integer):
        return LogicalType("int4")
    if isinstance(value, ast.Boolean):
        return LogicalType("bool")
    if isinstance(value, ast.Float):
        digits = value.fval.removeprefix("-")
        return LogicalType("int8" if digits.isdigit() and int(digits) < 1 << 63 else "numeric")
    return None


def parameter(context: Context, scope: Scope, node: Node) -> Value:
    """A parameter takes the role of what it meets."""
    return open_value(context, Open(node.location, parameter=node.number))


def open_value(context: Context, value: Open) -> Value:
    """What a parameter or literal is worth: its role, as far as that is known."""
    return context.roles.of(value) or Value(opens=(value,))
