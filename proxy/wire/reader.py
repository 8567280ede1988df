"""Reading the body of a message field by field, every read checked against its end.

Field types: PostgreSQL documentation, 54.6.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct, error

from proxy.wire.errors import ProtocolError

Buffer = bytes | bytearray | memoryview

INT16 = Struct("!h")
UINT16 = Struct("!H")
INT32 = Struct("!i")
UINT32 = Struct("!I")


class Reader:
    """A cursor over the body of one message; each method raises ProtocolError where the body is too short."""

    __slots__ = ("at", "data")

    def __init__(self, body: Buffer) -> None:
        self.data = bytes(body)
        self.at = 0

    def number(self, layout: Struct) -> int:
        """One number of the given layout."""
        return int(self.numbers(layout)[0])

    def numbers(self, layout: Struct) -> tuple[int, ...]:
        """All numbers of the given layout."""
        try:
            values = layout.unpack_from(self.data, self.at)
        except error:
            raise ProtocolError("insufficient data left in message") from None
        self.at += layout.size
        return values

    def counted_int16s(self) -> tuple[int, ...]:
        """An unsigned int16 n, then n int16: a list of format codes."""
        return self.numbers(Struct(f"!{count}h")) if (count := self.number(UINT16)) else ()

    def counted_oids(self) -> tuple[int, ...]:
        """An unsigned int16 n, then n unsigned int32: a list of types."""
        return self.numbers(Struct(f"!{count}I")) if (count := self.number(UINT16)) else ()

    def counted_values(self) -> tuple[bytes | None, ...]:
        """An unsigned int16 n, then n values."""
        return tuple([self.value() for _ in range(self.number(UINT16))])

    def value(self) -> bytes | None:
        """An int32 length and that many bytes; None for the length -1, which is NULL."""
        length = self.number(INT32)
        return None if length == -1 else self.take(length)

    def take(self, length: int) -> bytes:
        """Exactly `length` bytes."""
        end = self.at + length
        if length < 0 or end > len(self.data):
            raise ProtocolError("insufficient data left in message")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def string(self) -> bytes:
        """Bytes up to a NUL, which is passed over."""
        end = self.data.find(0, self.at)
        if end < 0:
            raise ProtocolError("invalid string in message")
        taken = self.data[self.at : end]
        self.at = end + 1
        return taken

    def rest(self) -> bytes:
        """All that is left."""
        taken = self.data[self.at :]
        self.at = len(self.data)
        return taken

    def end(self) -> None:
        """Raise ProtocolError unless everything was read."""
        if self.at != len(self.data):
            raise ProtocolError("invalid message format")


def pack_string(value: bytes) -> bytes:
    """A NUL-terminated string. Raises ProtocolError where the value itself has a NUL."""
    if 0 in value:
        raise ProtocolError("a string of the protocol cannot hold a NUL")
    return value + b"\0"


def pack_value(value: bytes | None) -> bytes:
    """An int32 length and the bytes, or the length -1 for None."""
    return b"\xff\xff\xff\xff" if value is None else INT32.pack(len(value)) + value


def pack_values(values: tuple[bytes | None, ...]) -> bytes:
    """An unsigned int16 count and the values."""
    pieces = [UINT16.pack(len(values))]
    for value in values:
        if value is None:
            pieces.append(b"\xff\xff\xff\xff")
        else:
            pieces += (INT32.pack(len(value)), value)
    return b"".join(pieces)


@lru_cache(maxsize=256)
def pack_int16s(values: tuple[int, ...]) -> bytes:
    """An unsigned int16 count and the values as int16."""
    return Struct(f"!H{len(values)}h").pack(len(values), *values)


def pack_oids(values: tuple[int, ...]) -> bytes:
    """An unsigned int16 count and the values as unsigned int32."""
    return Struct(f"!H{len(values)}I").pack(len(values), *values)
