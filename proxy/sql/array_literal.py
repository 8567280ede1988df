"""ARRAY[...] of literals as one value: what a field of an array type takes, as drivers spell a list.

To a field of another type each element is a value of its own (expressions.py), so that this is only tried
where the constructor meets a field of an array type. Its elements become one array literal, '{"a",NULL}'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from proxy.sql.context import Context, logical_type
from proxy.sql.literal import literal_value
from proxy.sql.parse import Node, Parsed, Token, ast
from proxy.sql.plan import Slot
from proxy.sql.value import Open

NUMBER = "number"  # the kind of elements whose type depends on how large they are


def array_of_literals(context: Context, node: Node) -> Open | None:
    """The constructor as one open value; None unless all that it holds are literals of one kind."""
    kinds = {_kind(item) for item in node.elements or () if not _is_null(item)}
    if len(kinds) > 1 or None in kinds:
        return None
    offsets = tuple(_offset(context.parsed, item) for item in node.elements or ())
    return Open(node.location, elements=offsets, kind=next(iter(kinds), "") or "")


def _is_null(node: Node) -> bool:
    return isinstance(node, ast.A_Const) and bool(node.isnull)


def _kind(node: Node) -> str | None:
    """The type of an element by its cast or spelling, "" for a string; None for what is no literal."""
    if isinstance(node, ast.TypeCast):
        cast = logical_type(node.typeName)
        known = cast is not None and not cast.array and cast.modifier < 0
        plain = isinstance(node.arg, ast.A_Const) and (_is_null(node.arg) or _kind(node.arg) == "")
        return cast.name if cast is not None and known and plain else None
    if not isinstance(node, ast.A_Const) or isinstance(node.val, ast.BitString):
        return None
    if isinstance(node.val, ast.Boolean):
        return "bool"
    return NUMBER if isinstance(node.val, ast.Integer | ast.Float) else ""


def _offset(parsed: Parsed, node: Node) -> int:
    return parsed.constant_at(node.arg if isinstance(node, ast.TypeCast) else node)


def array_slot(slot: Slot, open_value: Open, elements: Sequence[Slot], width: int) -> Slot:
    """The slot of a constructor that takes `width` characters besides its literals."""
    # under a cast of the whole, strings are read as its elements; else they are text
    kind = open_value.kind or ("" if open_value.casts else "text")
    return replace(slot, elements=tuple(elements), kind=kind, lead=width)


def array_token(slot: Slot, literals: Sequence[bytes]) -> bytes:
    """The constructor's literals as one literal of SQL."""
    assert slot.elements is not None
    text = ",".join(_element(element, literals) for element in slot.elements)
    quoted = text.replace("'", "''")
    return f"'{{{quoted}}}'".encode()


def _element(slot: Slot, literals: Sequence[bytes]) -> str:
    if slot.fixed is not None:
        return slot.fixed
    token = literals[slot.ordinal].decode()
    text = literal_value(token)
    if token[0].isdigit() or token[0] == ".":
        return f"-{text}" if slot.negative else text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def closing_bracket(tokens: Sequence[Token], index: int) -> Token:
    """The token that ends the constructor whose ARRAY is the token `index`."""
    depth = 0
    for token in tokens[index + 1 :]:
        depth += (token.text == "[") - (token.text == "]")
        if depth == 0:
            return token
    raise AssertionError
