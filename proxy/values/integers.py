"""int2, int4, int8: canonical bytes are eight, big-endian, two's complement, whatever the width.

Source: PostgreSQL 16's numutils.c: decimal, 0x, 0o and 0b, with an underscore between digits.
"""

from __future__ import annotations

import re
import struct

from proxy.values.codec import Codec, bad_binary, bad_syntax, out_of_range
from proxy.values.settings import Settings
from proxy.values.spaces import strip

_CANONICAL = struct.Struct(">q")
_WIRE = {2: struct.Struct(">h"), 4: struct.Struct(">i"), 8: _CANONICAL}
_NAMES = {2: "smallint", 4: "integer", 8: "bigint"}
_PREFIXED = re.compile(rb"([+-]?)0(?:([xX])(?:_?[0-9a-fA-F])+|([oO])(?:_?[0-7])+|[bB](?:_?[01])+)")
_DECIMAL = re.compile(rb"([+-]?)(\d++(?:_\d++)*+)")


class IntegerCodec(Codec):
    """An integer of `width` bytes."""

    def __init__(self, width: int) -> None:
        self.name = _NAMES[width]
        self.binary_is_canonical = width == 8
        self._wire = _WIRE[width]
        self._limit = 1 << (8 * width - 1)

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        try:
            number = int(raw)
        except ValueError:
            number = None
        return self.from_number(_parse(raw, self.name) if number is None else number)

    def from_binary(self, raw: bytes, settings: Settings) -> bytes:
        try:
            return _CANONICAL.pack(self._wire.unpack(raw)[0])
        except struct.error:
            raise bad_binary() from None

    def to_text(self, canonical: bytes, settings: Settings) -> bytes:
        return b"%d" % to_number(canonical)

    def to_binary(self, canonical: bytes, settings: Settings) -> bytes:
        try:
            return self._wire.pack(*_CANONICAL.unpack(canonical))
        except struct.error:  # written while the column's type was a wider one
            raise out_of_range(self.name) from None

    def from_number(self, number: int) -> bytes:
        """Canonical bytes of a Python integer; raises 22003 where the type cannot hold it."""
        if -self._limit <= number < self._limit:
            return _CANONICAL.pack(number)
        raise out_of_range(self.name)


def pack(number: int) -> bytes:
    """Canonical bytes of a Python integer of at most eight bytes."""
    return _CANONICAL.pack(number)


def to_number(canonical: bytes) -> int:
    """The Python integer of canonical bytes."""
    return int.from_bytes(canonical, "big", signed=True)


def _parse(raw: bytes, type_name: str) -> int:
    """What Python's int() does not read: other bases, and more digits than it allows."""
    text = strip(raw)
    if match := _PREFIXED.fullmatch(text):
        base = 16 if match[2] else 8 if match[3] else 2
        return int(text.replace(b"_", b""), base)
    if match := _DECIMAL.fullmatch(text):
        digits = match[2].replace(b"_", b"").lstrip(b"0") or b"0"
        if len(digits) > 19:
            raise out_of_range(type_name)
        return -int(digits) if match[1] == b"-" else int(digits)
    raise bad_syntax(type_name)
