"""Function calls: the few that may see protected values, because they only carry or count them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from policy.server_code import may_change_search_path
from proxy.sql.calls import Call
from proxy.sql.conditions import require_condition
from proxy.sql.context import Context, refuse_statement
from proxy.sql.json_functions import json_call
from proxy.sql.parse import Node, ast
from proxy.sql.plan import SetSearchPath, SettingChange, Use
from proxy.sql.scope import Scope
from proxy.sql.search_path import parse_search_path
from proxy.sql.unify import unify, without_limits
from proxy.sql.value import PLAIN, Value, require_deterministic, require_plain

Infer = Callable[[Context, Scope, Node], Value]

# Give back one of their first argument's values as it is.
CARRIERS = frozenset({"any_value", "first_value", "last_value", "nth_value", "lag", "lead"})
# Tell something of an array that does not depend on its elements.
ARRAY_MEASURES = frozenset({"array_length", "array_lower", "array_ndims", "array_upper", "cardinality"})
# Run SQL that stands in a string: the string is looked at, for it may hold a value beside a protected name.
SQL_RUNNERS = frozenset(
    {
        "connectby",
        "crosstab",
        "crosstab2",
        "crosstab3",
        "crosstab4",
        "crosstabn",
        "cursor_to_xml",
        "dblink",
        "dblink_exec",
        "dblink_open",
        "dblink_send_query",
        "query_to_xml",
        "query_to_xml_and_xmlschema",
        "query_to_xmlschema",
        "ts_stat",
        "ts_rewrite",
        "xpath_table",
    }
)


def function_call(context: Context, scope: Scope, node: Node, infer: Infer) -> Value:
    """The value of a call, its window and its aggregate clauses included."""
    names = [part.sval for part in node.funcname]
    name = names[-1] if len(names) == 1 or names[0] == "pg_catalog" else ".".join(names)
    call = Call(context, node)
    if call.concerns:
        context.called(names[-1])
        clauses(context, scope, node, infer)
        call.arguments(scope, infer)
        return call.value()
    arguments = [infer(context, scope, arg) for arg in node.args or ()]
    clauses(context, scope, node, infer)
    if node.agg_distinct:
        for argument in arguments:
            group(context, argument, f"{name}(DISTINCT)")
    if name == "count":
        return PLAIN
    if name == "set_config":
        _set_config(context, node)
    if names[-1] in SQL_RUNNERS:
        _look_inside(context, node)
    if names[0] != "pg_catalog":
        context.called(names[-1])
    if not any(argument.protected or argument.opens for argument in arguments):
        return PLAIN
    if name == "unnest" and len(arguments) == 1:
        return unnest(arguments[0])
    return _call(context, name, arguments)


def _call(context: Context, name: str, arguments: list[Value]) -> Value:
    if name in CARRIERS:
        return _carried(context, name, arguments)
    if (value := json_call(context, name, arguments)) is not None:
        return value
    if name == "array_agg" and not arguments[0].array and (arguments[0].json or arguments[0].row):
        return replace(arguments[0], array=True)
    if name == "array_agg" and (field := arguments[0].field) and not (arguments[0].array or field.type.array):
        return replace(without_limits(arguments[0]), array=True)
    if name in ARRAY_MEASURES and arguments[0].array:
        return PLAIN
    for argument in arguments:
        require_plain(argument, f"the function {name}()")
    return PLAIN


def _carried(context: Context, name: str, arguments: list[Value]) -> Value:
    first = arguments[0]
    if first.field is None:
        for argument in arguments:
            require_plain(argument, f"the function {name}()")
        return PLAIN
    if name in ("lag", "lead"):
        if len(arguments) > 2:
            first = unify([first, arguments[2]], context.roles, f"the default of {name}()")
        arguments = arguments[:2]
    for argument in arguments[1:]:
        require_plain(argument, f"use as an offset in {name}()")
    return without_limits(first)


def unnest(value: Value) -> Value:
    """The elements of an array."""
    if value.array and value.row is None:
        return replace(without_limits(value), array=False)
    require_plain(value, "the function unnest()")
    return Value(opens=tuple(replace(item, levels=item.levels + 1) for item in value.opens))


def clauses(context: Context, scope: Scope, node: Node, infer: Infer) -> None:
    """ORDER BY, FILTER and OVER of a call."""
    for item in node.agg_order or ():
        require_plain(infer(context, scope, item.node), "ORDER BY in an aggregate")
    if node.agg_filter is not None:
        test = infer(context, scope, node.agg_filter)
        require_condition(context, node.agg_filter, test, "use as a condition in FILTER")
    if node.over is not None:
        window(context, scope, node.over, infer)


def window(context: Context, scope: Scope, node: Node, infer: Infer) -> None:
    """A window: PARTITION BY groups, ORDER BY orders."""
    for item in node.partitionClause or ():
        group(context, infer(context, scope, item), "PARTITION BY")
    for item in node.orderClause or ():
        require_plain(infer(context, scope, item.node), "ORDER BY in a window")
    for bound in (node.startOffset, node.endOffset):
        require_plain(infer(context, scope, bound), "use as a window's bound")


def group(context: Context, value: Value, construct: str) -> None:
    """Values are told from each other by equality."""
    require_deterministic(value, construct)
    for part in [part for _, part in value.row] if value.row is not None else [value]:
        context.roles.use(part, Use.COMPARED, construct)


def _constant_text(context: Context, node: Node) -> str | None:
    """The text of a string literal; the plan then depends on it."""
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.String):
        context.pinned.add(context.parsed.constant_at(node))
        return str(node.val.sval)
    return None


def _set_config(context: Context, node: Node) -> None:
    """set_config(name, value, is_local) is SET in the clothes of a function.

    What it does is known only where it is all that the statement does; elsewhere it may run, or not.
    """
    arguments: tuple[Node, ...] = node.args or ()
    name = _constant_text(context, arguments[0]) if arguments else None
    if name is not None and name.lower() != "search_path":
        context.effects.append(SettingChange())
        return
    value = _constant_text(context, arguments[1]) if len(arguments) == 3 else None
    local = arguments[2].val.boolval if len(arguments) == 3 and _is_boolean(arguments[2]) else None
    if name is None or value is None or local is None or context.bare_call is not node:
        context.effects += [SettingChange(), SetSearchPath(None, local=False, known=False)]
    else:
        context.effects.append(SetSearchPath(parse_search_path(value), local=local))


def _is_boolean(node: Node) -> bool:
    return isinstance(node, ast.A_Const) and isinstance(node.val, ast.Boolean)


def _look_inside(context: Context, node: Node) -> None:
    """A call that runs SQL from a string: the string has to be a literal that names nothing protected."""
    arguments: tuple[Node, ...] = node.args or ()
    if node.funcname[-1].sval == "ts_rewrite":  # of its forms the one with two arguments runs SQL, the second
        arguments = arguments[1:] if len(arguments) == 2 else ()
    for argument in arguments:
        inner = argument.arg if isinstance(argument, (ast.TypeCast, ast.NamedArgExpr)) else argument
        text = _constant_text(context, inner)
        if text is not None and may_change_search_path(text):
            context.lose_search_path()
        if (text is None and not isinstance(inner, ast.A_Const)) or context.mentions(text or ""):
            refuse_statement(
                f"{node.funcname[-1].sval}() runs SQL that may name a protected table",
                "Send that SQL as a statement of its own, so that pgveil can analyse it.",
            )
