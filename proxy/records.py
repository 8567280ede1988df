"""Composite values, and arrays of them, as PostgreSQL sends them: taken apart, changed, put together again.

Source: PostgreSQL documentation, 8.16.2 and 8.16.6; the binary form is `record_send` in rowtypes.c.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import Struct, error

from proxy.storage_text import array_items, array_text

_INT = Struct("!i")
_ATTRIBUTE = Struct("!Ii")  # type, length
_ARRAY_HEADER = Struct("!iiI")
_DIMENSION = Struct("!ii")
Change = Callable[
    [bytes, int], bytes
]  # a value, and its type's oid (0: not known) -> what is to stand for it


def change_record(raw: bytes, changes: Mapping[int, Change], *, binary: bool) -> bytes:
    """A composite value with some attributes changed, NULLs left as they are. Raises ValueError."""
    return _change_binary(raw, changes) if binary else _change_text(raw, changes)


def change_array(raw: bytes, changes: Mapping[int, Change], *, binary: bool) -> bytes:
    """The same in each element of a one-dimensional array. Raises ValueError."""
    if not binary:
        items = [item if item is None else _change_text(item, changes) for item in array_items(raw)]
        return array_text(items)
    try:
        return _change_binary_array(raw, changes)
    except error:
        raise ValueError("a truncated array") from None


def _change_binary_array(raw: bytes, changes: Mapping[int, Change]) -> bytes:
    dimensions, _, _ = _ARRAY_HEADER.unpack_from(raw)
    if dimensions == 0:
        return raw
    if dimensions != 1:
        raise ValueError("more than one dimension")
    count, _ = _DIMENSION.unpack_from(raw, _ARRAY_HEADER.size)
    at = _ARRAY_HEADER.size + _DIMENSION.size
    parts = [raw[:at]]
    for _ in range(count):
        (length,) = _INT.unpack_from(raw, at)
        at += _INT.size
        if length < 0:
            parts.append(_INT.pack(-1))
            continue
        changed = _change_binary(raw[at : at + length], changes)
        parts += [_INT.pack(len(changed)), changed]
        at += length
    return b"".join(parts)


def _change_binary(raw: bytes, changes: Mapping[int, Change]) -> bytes:
    try:
        (count,) = _INT.unpack_from(raw)
        at = _INT.size
        parts = [raw[:at]]
        for i in range(count):
            oid, length = _ATTRIBUTE.unpack_from(raw, at)
            at += _ATTRIBUTE.size
            value = raw[at : at + max(length, 0)]
            at += max(length, 0)
            if length >= 0 and i in changes:
                value = changes[i](value, oid)
                length = len(value)
            parts += [_ATTRIBUTE.pack(oid, length), value]
        return b"".join(parts)
    except error:
        raise ValueError("a truncated record") from None


def _change_text(raw: bytes, changes: Mapping[int, Change]) -> bytes:
    items = record_items(raw)
    return record_text(
        [changes[i](item, 0) if item is not None and i in changes else item for i, item in enumerate(items)]
    )


def record_items(text: bytes) -> list[bytes | None]:
    """The attributes of a composite value in text format. Raises ValueError."""
    text = text.strip(b" \t\n\r\v\f")
    if text[:1] != b"(" or text[-1:] != b")":
        raise ValueError("not a record")
    items: list[bytes | None] = []
    item, written, quoted, at, end = bytearray(), False, False, 1, len(text) - 1
    while at < end:
        byte = text[at : at + 1]
        if byte == b"\\":
            item += text[at + 1 : at + 2]
            at += 1
        elif byte == b'"' and quoted and text[at + 1 : at + 2] == b'"':
            item += b'"'
            at += 1
        elif byte == b'"':
            quoted, written = not quoted, True
        elif byte == b"," and not quoted:
            items.append(bytes(item) if item or written else None)
            item, written = bytearray(), False
        else:
            item += byte
        at += 1
    if quoted or at > end:
        raise ValueError("not a record")
    items.append(bytes(item) if item or written else None)
    return items


def record_text(items: list[bytes | None]) -> bytes:
    """A composite value in text format; every attribute that is not NULL stands in quotes."""
    return b"(" + b",".join(b"" if item is None else _quoted(item) for item in items) + b")"


def _quoted(item: bytes) -> bytes:
    return b'"' + item.replace(b"\\", b"\\\\").replace(b'"', b'""') + b'"'
