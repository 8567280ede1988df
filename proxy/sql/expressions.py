"""The worth of expressions, bottom up. What a rule does not know has to be plain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pglast.enums import SubLinkType

from proxy.sql.array_literal import array_of_literals
from proxy.sql.calls import require_no_call
from proxy.sql.column_references import column
from proxy.sql.comparisons import compare
from proxy.sql.conditions import require_condition
from proxy.sql.constants import constant, open_value, parameter
from proxy.sql.context import Context, children
from proxy.sql.functions import function_call
from proxy.sql.json_constructors import CONSTRUCTORS
from proxy.sql.json_functions import beside_documents
from proxy.sql.operators import EQUALITY, operation, stands_alone
from proxy.sql.parse import Node, ast
from proxy.sql.scope import Scope
from proxy.sql.unify import left as left_query
from proxy.sql.unify import unify, with_cast
from proxy.sql.value import (
    HINTS,
    NULL,
    PLAIN,
    Open,
    Value,
    require_deterministic,
    require_plain,
)


def infer(context: Context, scope: Scope, node: Node) -> Value:
    """The value of an expression. Raises Refused where a protected value is used as its mode cannot be."""
    if node is None:
        return PLAIN
    rule = _RULES.get(type(node))
    if rule is not None:
        return rule(context, scope, node)
    for child in children(node):
        require_plain(infer(context, scope, child), _construct(node))
    return PLAIN


def _construct(node: Node) -> str:
    return f"this use ({type(node).__name__})"


def condition(context: Context, scope: Scope, node: Node, clause: str) -> None:
    """An expression that the server evaluates for its truth."""
    require_condition(context, node, infer(context, scope, node), f"use as a condition in {clause}")


# --- casts, alternatives, rows ---------------------------------------------------------------------------


def _cast(context: Context, scope: Scope, node: Node) -> Value:
    value = infer(context, scope, node.arg)
    if value.null:  # NULL itself, or alternatives that all are
        constant = isinstance(node.arg, ast.A_Const)
        offset = context.parsed.constant_at(node.arg) if constant else node.arg.location
        value = open_value(context, Open(offset, null=True))
    if not (value.protected or value.opens or value.wholes):
        return value if value.null else PLAIN
    site = context.cast_site(node.typeName)
    if site is None or (value.opens and _has_suffix(context, node)):
        require_plain(value, "this spelling of a cast")
        return PLAIN
    if not value.protected and site.type is None:
        return PLAIN  # a type that no field has
    return with_cast(value, site, context.roles)


def _has_suffix(context: Context, node: Node) -> bool:
    """`type 'literal' suffix`, as in INTERVAL '1' DAY: the suffix would be left behind."""
    if not isinstance(node.arg, ast.A_Const):
        return False
    index = context.parsed.token_at(context.parsed.constant_at(node.arg))
    if index is None or index == 0 or node.typeName.location > context.parsed.constant_at(node.arg):
        return False
    following = (
        context.parsed.tokens[index + 1].text.lower() if index + 1 < len(context.parsed.tokens) else ""
    )
    return following in ("year", "month", "day", "hour", "minute", "second")


def _collate(context: Context, scope: Scope, node: Node) -> Value:
    value = infer(context, scope, node.arg)
    require_plain(value, "COLLATE", "Ciphertexts have no order that a collation could change.")
    return PLAIN if value.opens else value


def _coalesce(context: Context, scope: Scope, node: Node) -> Value:
    values = [infer(context, scope, arg) for arg in node.args]
    return unify(beside_documents(context, node.args, values), context.roles, "COALESCE")


def _case(context: Context, scope: Scope, node: Node) -> Value:
    # a string of no type is text there
    subject = left_query(infer(context, scope, node.arg)) if node.arg is not None else None
    # the default is first where types are brought together
    results = [infer(context, scope, node.defresult) if node.defresult is not None else NULL]
    written = [node.defresult]
    for when in node.args:
        test = infer(context, scope, when.expr)
        if subject is None:
            require_condition(context, when.expr, test, "use as a condition in CASE")
        else:
            alone = stands_alone(node.arg, when.expr)
            compare(subject, test, context.roles, "comparison in CASE", alone=alone)
        results.append(infer(context, scope, when.result))
        written.append(when.result)
    return unify(beside_documents(context, written, results), context.roles, "CASE")


def _row(context: Context, scope: Scope, node: Node) -> Value:
    values = [infer(context, scope, arg) for arg in node.args or ()]
    return Value(row=tuple((f"f{i + 1}", value) for i, value in enumerate(values)))


def _array(context: Context, scope: Scope, node: Node) -> Value:
    whole = array_of_literals(context, node)
    if whole is not None and (known := context.roles.of(whole)) is not None:
        return known
    value = unify([infer(context, scope, item) for item in node.elements or ()], context.roles, "ARRAY[]")
    value = left_query(value) if value.untyped else value  # of strings of no type, it is an array of texts
    if value.field is not None and not value.array and not value.field.type.array:
        return replace(value, array=True)
    require_plain(value, "ARRAY[] of JSON, rows or arrays")
    wholes = (whole,) if whole is not None else ()
    return Value(opens=tuple(replace(item, levels=item.levels - 1) for item in value.opens), wholes=wholes)


def _indirection(context: Context, scope: Scope, node: Node) -> Value:
    value = infer(context, scope, node.arg)
    subscript = len(node.indirection) == 1 and isinstance(node.indirection[0], ast.A_Indices)
    for part in node.indirection:
        require_plain(infer(context, scope, part), "use as a subscript")
    if value.field is not None and value.array and subscript and not node.indirection[0].is_slice:
        return replace(value, array=False)
    if (
        value.row is not None
        and not value.array
        and len(node.indirection) == 1
        and isinstance(node.indirection[0], ast.String)
    ):
        for name, part in value.row:
            if name == node.indirection[0].sval:
                return part
    require_plain(value, "a subscript or field selection")
    for part in node.indirection:
        if isinstance(part, ast.String):
            require_no_call(context, part.sval, value)
    return PLAIN


# --- operators and tests ---------------------------------------------------------------------------------


def _operation(context: Context, scope: Scope, node: Node) -> Value:
    return operation(context, scope, node, infer)


def _boolean(context: Context, scope: Scope, node: Node) -> Value:
    for arg in node.args:
        condition(context, scope, arg, "AND, OR, NOT")
    return PLAIN


def _boolean_test(context: Context, scope: Scope, node: Node) -> Value:
    condition(context, scope, node.arg, "IS TRUE, FALSE, UNKNOWN")
    return PLAIN


def _null_test(context: Context, scope: Scope, node: Node) -> Value:
    value = infer(context, scope, node.arg)
    context.roles.adopt(value, "IS NULL")
    if isinstance(node.arg, ast.A_Const | ast.TypeCast):
        context.roles.blank(value)
    return PLAIN


# --- subqueries ------------------------------------------------------------------------------------------


def _sublink(context: Context, scope: Scope, node: Node) -> Value:
    item = context.query(context, Scope(parent=scope), node.subselect)
    kind = node.subLinkType
    if kind == SubLinkType.EXISTS_SUBLINK:
        return PLAIN
    item.columns = [(name, left_query(value)) for name, value in item.columns]
    values = [value for _, value in item.columns]
    if kind == SubLinkType.EXPR_SUBLINK:
        return values[0] if len(values) == 1 else Value(row=tuple(item.columns)) if values else PLAIN
    if kind == SubLinkType.ARRAY_SUBLINK:
        return array_of(values[0], "ARRAY of a subquery") if values else PLAIN
    left = infer(context, scope, node.testexpr)
    right = Value(row=tuple(item.columns)) if left.row is not None else values[0] if values else PLAIN
    operator = [part.sval for part in node.operName][-1] if node.operName else "="
    if operator not in EQUALITY:
        require_plain(left, f'the operator "{operator}"', HINTS["order"])
        require_plain(right, f'the operator "{operator}"', HINTS["order"])
        return PLAIN
    compare(left, right, context.roles, "IN")
    return PLAIN


def array_of(value: Value, construct: str) -> Value:
    """The array whose elements are such values."""
    holds = value.json or value.row or (value.field is not None and not value.field.type.array)
    if holds and not value.array:
        return replace(value, array=True)
    require_plain(value, construct)
    return PLAIN


def _named_argument(context: Context, scope: Scope, node: Node) -> Value:
    return infer(context, scope, node.arg)


def _default(context: Context, scope: Scope, node: Node) -> Value:
    return NULL


def _function(context: Context, scope: Scope, node: Node) -> Value:
    return function_call(context, scope, node, infer)


def _grouping(context: Context, scope: Scope, node: Node) -> Value:
    for arg in node.args or ():
        require_deterministic(infer(context, scope, arg), "GROUPING")
    return PLAIN


def _constructor(context: Context, scope: Scope, node: Node) -> Value:
    return CONSTRUCTORS[type(node)](context, scope, node, infer)


_RULES: dict[type, Callable[[Context, Scope, Node], Value]] = {
    ast.A_ArrayExpr: _array,
    ast.A_Const: constant,
    ast.A_Expr: _operation,
    ast.A_Indirection: _indirection,
    ast.BoolExpr: _boolean,
    ast.BooleanTest: _boolean_test,
    ast.CaseExpr: _case,
    ast.CoalesceExpr: _coalesce,
    ast.CollateClause: _collate,
    ast.ColumnRef: column,
    ast.FuncCall: _function,
    ast.GroupingFunc: _grouping,
    ast.NamedArgExpr: _named_argument,
    ast.NullTest: _null_test,
    ast.ParamRef: parameter,
    ast.RowExpr: _row,
    ast.SetToDefault: _default,
    ast.SubLink: _sublink,
    ast.TypeCast: _cast,
    **dict.fromkeys(CONSTRUCTORS, _constructor),
}
