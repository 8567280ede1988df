"""The worth of expressions, bottom up. What a rule does not know has to be plain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pglast.enums import A_Expr_Kind, SubLinkType

from policy.types import LogicalType
from proxy.sql.array_literal import array_of_literals
from proxy.sql.calls import require_no_call
from proxy.sql.comparisons import compare, compare_elements, meet_in_list, nullif
from proxy.sql.conditions import require_condition
from proxy.sql.context import Context, children
from proxy.sql.functions import function_call
from proxy.sql.json_constructors import CONSTRUCTORS
from proxy.sql.json_functions import beside_documents, json_operation
from proxy.sql.parse import Node, ast
from proxy.sql.scope import SYSTEM_COLUMNS, Scope
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
    require_usable,
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


# --- leaves ----------------------------------------------------------------------------------------------


def _constant(context: Context, scope: Scope, node: Node) -> Value:
    if node.isnull:
        return NULL
    if isinstance(node.val, ast.BitString):
        return PLAIN
    return _open(context, Open(context.parsed.constant_at(node), type=_literal_type(node.val)))


def _literal_type(value: Node) -> LogicalType | None:
    """The type that a literal has by its spelling (PostgreSQL documentation, 4.1.2); None: a string."""
    if isinstance(value, ast.Integer):
        return LogicalType("int4")
    if isinstance(value, ast.Boolean):
        return LogicalType("bool")
    if isinstance(value, ast.Float):
        digits = value.fval.removeprefix("-")
        return LogicalType("int8" if digits.isdigit() and int(digits) < 1 << 63 else "numeric")
    return None


def _parameter(context: Context, scope: Scope, node: Node) -> Value:
    return _open(context, Open(node.location, parameter=node.number))


def _open(context: Context, open_value: Open) -> Value:
    return context.roles.of(open_value) or Value(opens=(open_value,))


def _column(context: Context, scope: Scope, node: Node) -> Value:
    names = [part.sval if isinstance(part, ast.String) else "*" for part in node.fields]
    value = _column_by_name(context, scope, names)
    for field in value.fields:
        context.touched.add(field)
        require_usable(field, "any use of the values")
    return value


def _column_by_name(context: Context, scope: Scope, names: list[str]) -> Value:
    """A column, a whole row by its table's name, or PLAIN for a name that nothing protected has."""
    if names[-1] == "*":
        source = scope.source(names[-2], names[-3] if len(names) > 2 else "") if len(names) > 1 else None
        return source.row if source is not None else _whole_scope(scope)
    if len(names) == 1:
        value = scope.column(names[0])
        if value is None and (whole := scope.source(names[0])) is not None:
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


# --- casts, alternatives, rows ---------------------------------------------------------------------------


def _cast(context: Context, scope: Scope, node: Node) -> Value:
    value = infer(context, scope, node.arg)
    if value.null:  # NULL itself, or alternatives that all are
        constant = isinstance(node.arg, ast.A_Const)
        offset = context.parsed.constant_at(node.arg) if constant else node.arg.location
        value = _open(context, Open(offset, null=True))
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


def stands_alone(*nodes: Node) -> bool:
    """Whether one of these is a literal or a parameter under a cast, and nothing else."""
    alone = ast.A_Const | ast.ParamRef | ast.A_ArrayExpr
    return any(isinstance(node, ast.TypeCast) and isinstance(node.arg, alone) for node in nodes)


# --- comparisons -----------------------------------------------------------------------------------------

_EQUALITY = frozenset({"=", "<>", "!="})


def _operator(node: Node) -> str:
    names = [part.sval for part in node.name]
    return names[-1] if len(names) == 1 or names[0] == "pg_catalog" else ".".join(names)


def _expression(context: Context, scope: Scope, node: Node) -> Value:
    kind, operator = node.kind, _operator(node)
    if kind == A_Expr_Kind.AEXPR_OP and node.lexpr is None and operator in "+-":
        return _sign(context, scope, node, operator)
    if kind == A_Expr_Kind.AEXPR_IN and operator in _EQUALITY:
        left = infer(context, scope, node.lexpr)
        items = [infer(context, scope, item) for item in node.rexpr]
        for item in items:
            compare(left, item, context.roles, "IN", operator=operator)
        meet_in_list(context.roles, [left, *items])
        return PLAIN
    left, right = infer(context, scope, node.lexpr), _side(context, scope, node.rexpr)
    alone = stands_alone(node.lexpr, node.rexpr)
    if kind == A_Expr_Kind.AEXPR_NULLIF:
        compare(left, right, context.roles, "NULLIF")
        return nullif(left, right, context.roles)
    if kind in (A_Expr_Kind.AEXPR_DISTINCT, A_Expr_Kind.AEXPR_NOT_DISTINCT):
        compare(left, right, context.roles, "IS DISTINCT FROM", alone=alone)
        return PLAIN
    if kind == A_Expr_Kind.AEXPR_OP and operator in _EQUALITY:
        construct = f'comparison with "{operator}"'
        compare(left, right, context.roles, construct, operator=operator, alone=alone)
        return PLAIN
    if kind in (A_Expr_Kind.AEXPR_OP_ANY, A_Expr_Kind.AEXPR_OP_ALL) and operator in _EQUALITY:
        compare_elements(left, right, context.roles, f"{operator} ANY/ALL", operator)
        return PLAIN
    documents = kind == A_Expr_Kind.AEXPR_OP and (left.json or right.json)
    if documents and (value := json_operation(node, operator, left, right)) is not None:
        return value
    construct, hint = _refused_operator(kind, operator)
    require_plain(left, construct, hint)
    require_plain(right, construct, hint)
    return PLAIN


def _side(context: Context, scope: Scope, node: Node) -> Value:
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


def _sign(context: Context, scope: Scope, node: Node, operator: str) -> Value:
    """A sign that is no part of a number to the grammar; `+5` is one literal all the same, as `-5` is."""
    if operator == "+" and _signs_a_number(context, node):
        return _open(context, Open(node.location, type=_literal_type(node.rexpr.val)))
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
    if operator not in _EQUALITY:
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
    ast.A_Const: _constant,
    ast.A_Expr: _expression,
    ast.A_Indirection: _indirection,
    ast.BoolExpr: _boolean,
    ast.BooleanTest: _boolean_test,
    ast.CaseExpr: _case,
    ast.CoalesceExpr: _coalesce,
    ast.CollateClause: _collate,
    ast.ColumnRef: _column,
    ast.FuncCall: _function,
    ast.GroupingFunc: _grouping,
    ast.NamedArgExpr: _named_argument,
    ast.NullTest: _null_test,
    ast.ParamRef: _parameter,
    ast.RowExpr: _row,
    ast.SetToDefault: _default,
    ast.SubLink: _sublink,
    ast.TypeCast: _cast,
    **dict.fromkeys(CONSTRUCTORS, _constructor),
}
