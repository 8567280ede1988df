"""The parameters of a Bind message, frontend to backend, sealed in place: what bulk inserts consist of.

PostgreSQL documentation, 54.7 (Bind): behind the two names an int16 count of format codes and as many
int16; an int16 count of values, for each an int32 length (-1: NULL) and that many bytes; then the format
codes of the results, in the same form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from proxy.wire.errors import ProtocolError
from proxy.wire.frames import BIND, HEADER, LENGTH, TYPE_AND_LENGTH
from proxy.wire.frontend import formats_at
from proxy.wire.reader import UINT16

Sealer = Callable[[bytes], bytes]


def raw_formats(data: bytes, at: int) -> bytes:
    """The format codes at `at` with their count, as they came. Raises struct.error."""
    return data[at : at + 2 + 2 * UINT16.unpack_from(data, at)[0]]


def rewrite_parameters(
    data: bytes, start: int, at: int, end: int, sealers: Sequence[Sealer | None]
) -> tuple[bytes, tuple[int, ...]]:
    """The Bind message data[start:end], its values sealed, and its result formats.

    `at` is where its values begin, with their count; there has to be one for each of `sealers`. NULL stays
    NULL. Raises ProtocolError and struct.error for a malformed message, and what a sealer raises.
    """
    unpack = LENGTH.unpack_from
    pieces = [b""]  # the header, whose length is known last
    copied = start + HEADER
    at += 2
    for seal in sealers:
        (size,) = unpack(data, at)
        at += 4
        if size < 0:
            if size < -1:
                raise ProtocolError("invalid length of a parameter")
            continue
        value_end = at + size
        if value_end > end:
            raise ProtocolError("a parameter is longer than its message")
        if seal is not None:
            value = seal(data[at:value_end])
            pieces += (data[copied : at - 4], LENGTH.pack(len(value)), value)
            copied = value_end
        at = value_end
    formats, at = formats_at(data, at)
    if at != end:
        raise ProtocolError("invalid message format")
    pieces.append(data[copied:end])
    pieces[0] = TYPE_AND_LENGTH.pack(BIND, 4 + sum(map(len, pieces)))
    return b"".join(pieces), formats
