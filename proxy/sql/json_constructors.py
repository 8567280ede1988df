"""SQL/JSON constructors: PostgreSQL documentation, 9.16.1. FORMAT JSON would have the server read a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from proxy.sql.context import Context, logical_type
from proxy.sql.documents import ARRAY, OBJECT
from proxy.sql.functions import clauses
from proxy.sql.json_functions import shown
from proxy.sql.parse import Node, ast
from proxy.sql.scope import Scope
from proxy.sql.value import HINTS, Value, in_order, refuse, require_plain

Infer = Callable[[Context, Scope, Node], Value]


def _json_object(context: Context, scope: Scope, node: Node, infer: Infer) -> Value:
    """JSON_OBJECT(key: value, ... [RETURNING type])."""
    for item in node.exprs or ():
        require_plain(infer(context, scope, item.key), "use as a key in JSON_OBJECT()")
    values = [_json_value(context, scope, item.value, infer) for item in node.exprs or ()]
    return _constructed(context, values, "JSON_OBJECT", node.output, OBJECT)


def _json_array(context: Context, scope: Scope, node: Node, infer: Infer) -> Value:
    """JSON_ARRAY(value, ... [RETURNING type])."""
    values = [_json_value(context, scope, item, infer) for item in node.exprs or ()]
    return _constructed(context, values, "JSON_ARRAY", node.output, ARRAY)


def _json_array_query(context: Context, scope: Scope, node: Node, infer: Infer) -> Value:
    """JSON_ARRAY(query [RETURNING type])."""
    item = context.query(context, Scope(parent=scope), node.query)
    if node.format is not None and node.format.format_type.name == "JS_FORMAT_JSON":
        for _, value in item.columns:
            require_plain(value, "FORMAT JSON", "Leave FORMAT JSON out.")
    values = [value for _, value in item.columns[:1]]
    return _constructed(context, values, "json_agg", node.output, ARRAY)


def _json_array_aggregate(context: Context, scope: Scope, node: Node, infer: Infer) -> Value:
    """JSON_ARRAYAGG(value [ORDER BY ...] [RETURNING type])."""
    clauses(context, scope, node.constructor, infer)
    value = _json_value(context, scope, node.arg, infer)
    return _constructed(context, [value], "json_agg", node.constructor.output, ARRAY)


def _json_object_aggregate(context: Context, scope: Scope, node: Node, infer: Infer) -> Value:
    """JSON_OBJECTAGG(key: value [RETURNING type])."""
    clauses(context, scope, node.constructor, infer)
    require_plain(infer(context, scope, node.arg.key), "use as a key in JSON_OBJECTAGG()")
    value = _json_value(context, scope, node.arg.value, infer)
    return _constructed(context, [value], "JSON_OBJECTAGG", node.constructor.output, OBJECT)


def _json_scalar(context: Context, scope: Scope, node: Node, infer: Infer) -> Value:
    """JSON_SCALAR(value), which is to_json() of it."""
    value = infer(context, scope, node.expr)
    nested = value.json is not None or value.row is not None or value.array
    for field in in_order(value.fields):
        if nested or field.type.array or field.type.name in ("json", "jsonb"):
            refuse(field, "JSON_SCALAR() of what is no scalar", HINTS["function"])
    return _constructed(context, [value], "JSON_SCALAR", node.output, "")


def _json_value(context: Context, scope: Scope, node: Node, infer: Infer) -> Value:
    value = infer(context, scope, node.raw_expr)
    if node.format is not None and node.format.format_type.name == "JS_FORMAT_JSON":
        require_plain(value, "FORMAT JSON", "Leave FORMAT JSON out.")
    return value


def _constructed(context: Context, values: Sequence[Value], name: str, output: Node, top: str) -> Value:
    """What a constructor makes, of the type that RETURNING names."""
    kind = "json"
    holders = in_order(field for value in values for field in value.fields)
    if output is not None and holders:
        returned = logical_type(output.typeName)
        named = returned is not None and not returned.array and returned.modifier < 0
        if returned is None or not named or returned.name not in ("json", "jsonb", "text", "varchar"):
            refuse(holders[0], f"RETURNING of another type in {name}()", "Return json, jsonb or text.")
        kind = "text" if returned.name in ("text", "varchar") else returned.name
    return shown(context, values, name, kind, top if kind != "text" else "")


CONSTRUCTORS: dict[type, Callable[[Context, Scope, Node, Infer], Value]] = {
    ast.JsonArrayAgg: _json_array_aggregate,
    ast.JsonArrayConstructor: _json_array,
    ast.JsonArrayQueryConstructor: _json_array_query,
    ast.JsonObjectAgg: _json_object_aggregate,
    ast.JsonObjectConstructor: _json_object,
    ast.JsonScalarExpr: _json_scalar,
}
