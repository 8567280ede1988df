"""The worth of what operators make, IN, NULLIF and BETWEEN among them."""

from __future__ import annotations

from collections.abc import Callable

from pglast.enums import A_Expr_Kind

from proxy.sql.comparisons import compare, compare_elements, meet_in_list, nullif
from proxy.sql.constants import literal_type, open_value
from proxy.sql.context import Context
from proxy.sql.json_functions import json_operation
from proxy.sql.parse import Node, ast
from proxy.sql.scope import Scope
from proxy.sql.value import HINTS, PLAIN, Open, Value, require_plain

Infer = Callable[[Context, Scope, Node], Value]

EQUALITY = frozenset({"=", "<>", "!="})


def stands_alone(*nodes: Node) -> bool:
    """Whether one of these is a literal or a parameter under a cast, and nothing else."""
    alone = ast.A_Const | ast.ParamRef | ast.A_ArrayExpr
    return any(isinstance(node, ast.TypeCast) and isinstance(node.arg, alone) for node in nodes)


def _operator(node: Node) -> str:
    names = [part.sval for part in node.name]
    return names[-1] if len(names) == 1 or names[0] == "pg_catalog" else ".".join(names)


def operation(context: Context, scope: Scope, node: Node, infer: Infer) -> Value:
    """Equality compares; what else an operator does is for plain values, or for documents."""
    kind, operator = node.kind, _operator(node)
    if kind == A_Expr_Kind.AEXPR_OP and node.lexpr is None and operator in "+-":
        return _sign(context, scope, node, operator, infer)
    if kind == A_Expr_Kind.AEXPR_IN and operator in EQUALITY:
        left = infer(context, scope, node.lexpr)
        items = [infer(context, scope, item) for item in node.rexpr]
        for item in items:
            compare(left, item, context.roles, "IN", operator=operator)
        meet_in_list(context.roles, [left, *items])
        return PLAIN
    left, right = infer(context, scope, node.lexpr), _side(context, scope, node.rexpr, infer)
    alone = stands_alone(node.lexpr, node.rexpr)
    if kind == A_Expr_Kind.AEXPR_NULLIF:
        compare(left, right, context.roles, "NULLIF")
        return nullif(left, right, context.roles)
    if kind in (A_Expr_Kind.AEXPR_DISTINCT, A_Expr_Kind.AEXPR_NOT_DISTINCT):
        compare(left, right, context.roles, "IS DISTINCT FROM", alone=alone)
        return PLAIN
    if kind == A_Expr_Kind.AEXPR_OP and operator in EQUALITY:
        construct = f'comparison with "{operator}"'
        compare(left, right, context.roles, construct, operator=operator, alone=alone)
        return PLAIN
    if kind in (A_Expr_Kind.AEXPR_OP_ANY, A_Expr_Kind.AEXPR_OP_ALL) and operator in EQUALITY:
        compare_elements(left, right, context.roles, f"{operator} ANY/ALL", operator)
        return PLAIN
    documents = kind == A_Expr_Kind.AEXPR_OP and (left.json or right.json)
    if documents and (value := json_operation(node, operator, left, right)) is not None:
        return value
    construct, hint = _refused_operator(kind, operator)
    require_plain(left, construct, hint)
    require_plain(right, construct, hint)
    return PLAIN


def _side(context: Context, scope: Scope, node: Node, infer: Infer) -> Value:
    if isinstance(node, tuple):  # BETWEEN's two bounds
        for item in node:
            require_plain(infer(context, scope, item), "BETWEEN", HINTS["order"])
        return PLAIN
    return infer(context, scope, node)


def _refused_operator(kind: A_Expr_Kind, operator: str) -> tuple[str, str]:
    if kind in (A_Expr_Kind.AEXPR_LIKE, A_Expr_Kind.AEXPR_ILIKE, A_Expr_Kind.AEXPR_SIMILAR):
        return "matching by pattern", HINTS["pattern"]
    if operator in ("<", ">", "<=", ">=") or "BETWEEN" in kind.name:
        return f'the range operator "{operator}"', HINTS["order"]
    return f'the operator "{operator}"', HINTS["function"]


def _sign(context: Context, scope: Scope, node: Node, operator: str, infer: Infer) -> Value:
    """A sign that is no part of a number to the grammar; `+5` is one literal all the same, as `-5` is."""
    if operator == "+" and _signs_a_number(context, node):
        return open_value(context, Open(node.location, type=literal_type(node.rexpr.val)))
    value = infer(context, scope, node.rexpr)
    require_plain(value, "a sign before the value", "Write the number as one literal or parameter.")
    return PLAIN


def _signs_a_number(context: Context, node: Node) -> bool:
    tokens = context.parsed.tokens
    index = context.parsed.token_at(node.location)
    if index is None or tokens[index].text != "+" or not isinstance(node.rexpr, ast.A_Const):
        return False
    number = tokens[index + 1]
    return number.name in ("ICONST", "FCONST") and number.start == context.parsed.constant_at(node.rexpr)
