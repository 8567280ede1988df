"""One-dimensional arrays: canonical bytes are, for each element, its length and its canonical bytes.

Lengths are four bytes, big-endian, -1 for NULL; an empty array is empty. Arrays of several dimensions, and
those whose subscripts do not start at 1, are refused. Sources: PostgreSQL documentation 8.15; arrayfuncs.c.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence

from proxy.errors import InvalidValue
from proxy.values.codec import Codec, bad_binary
from proxy.values.encodings import encode
from proxy.values.settings import UTF8, Settings
from proxy.values.strings import utf8

_LENGTH = struct.Struct(">i")
_HEADER = struct.Struct(">iiI")  # dimensions, whether there are NULLs, OID of the elements' type
_DIMENSION = struct.Struct(">ii")  # number of elements, first subscript
_QUOTED = rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_BARE = rb'((?:[^"\\{},\s]|\\.)++(?:\s++(?:[^"\\{},\s]|\\.)++)*+)'  # white space inside, not at its ends
_ELEMENT = re.compile(rb"\s*+(?:%s|%s)\s*+([,}])" % (_QUOTED, _BARE), re.DOTALL)
_EMPTY = re.compile(rb"\s*+\{\s*+\}\s*+")
_NEEDS_QUOTES = re.compile(rb'[{}",\\\s]')
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_TO_ESCAPE = re.compile(rb'["\\]')

Elements = Sequence[bytes | None]


class ArrayCodec(Codec):
    """An array of `element`, whose type has the OID `element_oid`."""

    def __init__(self, element: Codec, element_oid: int) -> None:
        self.element = element
        self._oid = element_oid

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        inner = settings.in_utf8()
        read = self.element.from_text
        values = split_text(utf8(raw, settings))
        return pack([None if value is None else read(value, inner) for value in values])

    def from_binary(self, raw: bytes, settings: Settings) -> bytes:
        oid, values = split_binary(raw)
        if oid != self._oid:
            raise InvalidValue("binary data has another array element type than expected", sqlstate="42804")
        read = self.element.from_binary
        return pack([None if value is None else read(value, settings) for value in values])

    def to_text(self, canonical: bytes, settings: Settings) -> bytes:
        inner = settings.in_utf8()
        spell = self.element.to_text
        text = join_text([None if value is None else spell(value, inner) for value in unpack(canonical)])
        return text if settings.encoding == UTF8 else encode(text.decode(), settings.encoding)

    def to_binary(self, canonical: bytes, settings: Settings) -> bytes:
        spell = self.element.to_binary
        values = [None if value is None else spell(value, settings) for value in unpack(canonical)]
        return join_binary(values, self._oid)


def pack(elements: Elements) -> bytes:
    """Canonical bytes of elements that are canonical themselves, None for NULL."""
    return b"".join([_NULL if value is None else _LENGTH.pack(len(value)) + value for value in elements])


def unpack(canonical: bytes) -> list[bytes | None]:
    """The elements of canonical bytes."""
    return list(_read_elements(canonical, 0))


def split_text(raw: bytes) -> list[bytes | None]:
    """The elements of an array in text format, in UTF-8: their own texts, None for NULL. Raises 22P02."""
    if _EMPTY.fullmatch(raw):
        return []
    start = raw.find(b"{") + 1
    if not start or raw[: start - 1].strip():
        raise _not_plain() if raw.lstrip()[:1] == b"[" else _malformed()
    elements: list[bytes | None] = []
    end = b","
    while end == b",":
        match = _ELEMENT.match(raw, start)
        if match is None:
            raise _not_plain() if raw[start:].lstrip()[:1] == b"{" else _malformed()
        elements.append(_element(match[1], match[2]))
        start, end = match.end(), match[3]
    if raw[start:].strip(b" \t\n\v\f\r"):
        raise _malformed()
    return elements


def _element(quoted: bytes | None, bare: bytes) -> bytes | None:
    if quoted is None and bare.upper() == b"NULL":
        return None
    return _ESCAPED.sub(rb"\1", bare if quoted is None else quoted)


def join_text(elements: Elements) -> bytes:
    """An array in text format, as array_out prints it."""
    return b"{" + b",".join([_quoted(value) for value in elements]) + b"}"


def _quoted(value: bytes | None) -> bytes:
    if value is None:
        return b"NULL"
    if not value or value.upper() == b"NULL" or _NEEDS_QUOTES.search(value):
        return b'"' + _TO_ESCAPE.sub(rb"\\\g<0>", value) + b'"'
    return value


def split_binary(raw: bytes) -> tuple[int, list[bytes | None]]:
    """The elements of an array in binary format, and their type's OID. Raises 22P03 or 0A000."""
    try:
        dimensions, has_nulls, oid = _HEADER.unpack_from(raw)
        if has_nulls not in (0, 1):
            raise bad_binary()
        if dimensions == 0 and len(raw) == _HEADER.size:
            return oid, []
        count, first = _DIMENSION.unpack_from(raw, _HEADER.size)
    except struct.error:
        raise bad_binary() from None
    if dimensions != 1 or first != 1:
        raise _not_plain()
    elements = list(_read_elements(raw, _HEADER.size + _DIMENSION.size))
    if len(elements) != count:
        raise bad_binary()
    return oid, elements


def join_binary(elements: Elements, element_oid: int) -> bytes:
    """An array in binary format, as array_send sends it."""
    if not elements:
        return _HEADER.pack(0, 0, element_oid)
    head = _HEADER.pack(1, int(None in elements), element_oid) + _DIMENSION.pack(len(elements), 1)
    return head + pack(elements)


def _read_elements(data: bytes, start: int) -> Iterator[bytes | None]:
    while start < len(data):
        try:
            (length,) = _LENGTH.unpack_from(data, start)
        except struct.error:
            raise bad_binary() from None
        start += 4
        if length == -1:
            yield None
            continue
        if length < 0 or start + length > len(data):
            raise bad_binary()
        yield data[start : start + length]
        start += length


_NULL = _LENGTH.pack(-1)


def _malformed() -> InvalidValue:
    return InvalidValue("malformed array literal", sqlstate="22P02")


def _not_plain() -> InvalidValue:
    return InvalidValue(
        "only one-dimensional arrays whose subscripts start at 1 can be encrypted",
        sqlstate="0A000",
        hint="Store the elements in one dimension, or the value as jsonb.",
    )
