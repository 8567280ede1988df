"""Functions and operators that make JSON, or tell something of it that needs no plaintext."""

from __future__ import annotations

from collections.abc import Sequence

from policy.types import LogicalType
from proxy.sql.context import Context, logical_type
from proxy.sql.documents import ARRAY, OBJECT, built, empty, merged, without_element, without_nulls
from proxy.sql.parse import Node, ast
from proxy.sql.value import PLAIN, Value, require_plain

# What is made: an object, an array, or what the argument is.
_BUILDERS = {
    "array_to_json": ARRAY,
    "json_agg": ARRAY,
    "json_agg_strict": ARRAY,
    "json_build_array": ARRAY,
    "json_build_object": OBJECT,
    "json_object_agg": OBJECT,
    "json_object_agg_strict": OBJECT,
    "json_object_agg_unique": OBJECT,
    "json_object_agg_unique_strict": OBJECT,
    "row_to_json": OBJECT,
    "to_json": "",
}
BUILDERS = _BUILDERS | {
    name.replace("json", "jsonb"): top
    for name, top in _BUILDERS.items()
    if name not in ("array_to_json", "row_to_json")
}
_AGGREGATES = ("json_agg", "json_agg_strict")  # give arrays a line of their own
_WITHOUT_NULLS = ("json_strip_nulls", "jsonb_strip_nulls")
_MEASURES = ("json_array_length", "json_typeof", "jsonb_array_length", "jsonb_typeof")


def json_call(context: Context, name: str, arguments: Sequence[Value]) -> Value | None:
    """The value of a call of one of these functions; None for any other function."""
    if name in BUILDERS:
        return _built(context, name, arguments)
    if name in _WITHOUT_NULLS and arguments[0].json is not None:
        for argument in arguments[1:]:
            require_plain(argument, f"an option of {name}()")
        return without_nulls(arguments[0], name)
    if name in _MEASURES and (document := arguments[0].json) is not None and document.top:
        return PLAIN
    return None


def _built(context: Context, name: str, arguments: Sequence[Value]) -> Value:
    keys = arguments[:1] if "object_agg" in name else arguments[::2] if "object" in name else ()
    for key in keys:
        require_plain(key, f"use as a key in {name}()")
    kind = "jsonb" if "jsonb" in name else "json"
    return shown(context, arguments, name, kind, BUILDERS[name] or _top(arguments[0]))


def shown(context: Context, values: Sequence[Value], name: str, kind: str, top: str) -> Value:
    """The document that a function makes of values, which are given back in it."""
    parts = [context.roles.show(value, f"{name}()") for value in values]
    value = built(parts, kind, top, indented=name in _AGGREGATES)
    return value if value.protected else PLAIN


def _top(value: Value) -> str:
    """What to_json() makes of a value."""
    if value.array:
        return ARRAY
    if value.row is not None:
        return OBJECT
    return value.json.top if value.json is not None else ""


# --- alternatives and operators --------------------------------------------------------------------------


def beside_documents(context: Context, nodes: Sequence[Node], values: Sequence[Value]) -> list[Value]:
    """Alternatives of which one is a document: literals that are an empty one may stand in clear."""
    if not any(value.json for value in values):
        return list(values)
    found = []
    for node, value in zip(nodes, values, strict=True):
        text = _string(context, node.arg if isinstance(node, ast.TypeCast) else node)
        found.append((empty(text) if text is not None and value.opens else None) or value)
    return found


def _string(context: Context, node: Node) -> str | None:
    """The text of a string literal; the plan then depends on it."""
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.String):
        context.pinned.add(context.parsed.constant_at(node))
        return str(node.val.sval)
    return None


def json_operation(node: Node, operator: str, left: Value, right: Value) -> Value | None:
    """What an operator makes of documents, where that does not depend on ciphertexts; else None."""
    document = left.json
    if operator == "||":
        plain = [side for side, value in ((node.lexpr, left), (node.rexpr, right)) if not value.protected]
        return merged(left, right) if all(_is_jsonb(side) for side in plain) else None
    if document is None or left.array or right.protected:
        return None
    if operator == "-" and document.kind == "jsonb" and document.top == OBJECT:
        return left  # keys are plain
    position = isinstance(node.rexpr, ast.A_Const) and isinstance(node.rexpr.val, ast.Integer)
    if operator == "->" and document.kind != "text" and document.top == ARRAY and position:
        return without_element(left)
    return None


def _is_jsonb(node: Node) -> bool:
    """Whether an expression is certainly jsonb beside jsonb: with text, || would make text."""
    if isinstance(node, ast.A_Const):
        return isinstance(node.val, ast.String)
    if isinstance(node, ast.TypeCast):
        return logical_type(node.typeName) == LogicalType("jsonb")
    if isinstance(node, ast.FuncCall):
        return node.funcname[-1].sval in BUILDERS and "jsonb" in node.funcname[-1].sval
    return False
