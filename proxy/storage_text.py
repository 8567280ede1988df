"""The forms in which the server keeps and sends ciphertext: bytea's hex and escape, arrays of text or bytea.

PostgreSQL documentation, 8.4 and 8.15.2; the binary form of arrays is `array_send` in arrayfuncs.c.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from struct import Struct, error

from crypto.envelope import MARKER

_ESCAPED = re.compile(rb"\\(\\|[0-7]{3})")
_ITEM = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^,{}"]+)', re.DOTALL)
_QUOTED = re.compile(rb"\\(.)", re.DOTALL)
_HEADER = Struct("!iiI")  # dimensions, whether there are NULLs, type of the elements
_DIMENSION = Struct("!ii")
_LENGTH = Struct("!i")


def bytea_bytes(text: bytes) -> bytes:
    """The bytes of a bytea in text format, hex or escape. Raises ValueError."""
    if text[:2] == b"\\x":
        return bytes.fromhex(text[2:].decode("ascii"))
    return _ESCAPED.sub(lambda m: b"\\" if m[1] == b"\\" else bytes((int(m[1], 8),)), text)


def json_string(raw: bytes) -> bytes:
    """The string that a JSON text is; the text itself for any other JSON, which is no envelope then."""
    if raw[:1] == b'"' and raw.startswith(MARKER, 1) and raw[-1:] == b'"':
        return raw[1:-1]
    try:
        value = json.loads(raw)
    except ValueError:
        return raw
    return value.encode() if isinstance(value, str) and value.startswith(MARKER.decode()) else raw


def array_items(text: bytes) -> list[bytes | None]:
    """The elements of a one-dimensional array in text format. Raises ValueError for more dimensions."""
    start = text.find(b"{")
    if start < 0 or not text.endswith(b"}"):
        raise ValueError("not an array")
    body = text[start + 1 : -1]
    if body[:1] == b"{":
        raise ValueError("more than one dimension")
    items: list[bytes | None] = []
    for quoted, bare in _ITEM.findall(body) if body else ():
        if bare:
            items.append(None if bare.upper() == b"NULL" else bare)
        else:
            items.append(_QUOTED.sub(rb"\1", quoted))
    return items


def array_text(items: Sequence[bytes | None]) -> bytes:
    """An array in text format; every element that is not NULL stands in quotes."""
    return b"{" + b",".join(b"NULL" if item is None else _quote(item) for item in items) + b"}"


def _quote(item: bytes) -> bytes:
    return b'"' + item.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def binary_items(data: bytes) -> list[bytes | None]:
    """The elements of a one-dimensional array in binary format. Raises ValueError."""
    try:
        dimensions, _, _ = _HEADER.unpack_from(data)
        if dimensions == 0:
            return []
        if dimensions != 1:
            raise ValueError("more than one dimension")
        count, _ = _DIMENSION.unpack_from(data, _HEADER.size)
        at = _HEADER.size + _DIMENSION.size
        items: list[bytes | None] = []
        for _ in range(count):
            (length,) = _LENGTH.unpack_from(data, at)
            at += 4
            items.append(None if length < 0 else data[at : at + length])
            at += max(length, 0)
        if at > len(data):
            raise ValueError("a truncated array")
    except error:
        raise ValueError("a truncated array") from None
    return items


def binary_array(items: Sequence[bytes | None], element_oid: int) -> bytes:
    """A one-dimensional array in binary format, with lower bound 1."""
    if not items:
        return _HEADER.pack(0, 0, element_oid)
    parts = [_HEADER.pack(1, int(None in items), element_oid), _DIMENSION.pack(len(items), 1)]
    parts += [_LENGTH.pack(-1) if item is None else _LENGTH.pack(len(item)) + item for item in items]
    return b"".join(parts)
