"""Frames: what is common to all messages of either direction. PostgreSQL documentation, 54.2 and 54.7.

A frame is a type byte, an int32 length that counts itself and the body but not the type byte, and
the body. The hot loops of the session find boundaries in a received chunk without copying:

    while end - at >= HEADER:
        following = at + 1 + LENGTH.unpack_from(buffer, at + 1)[0]
        if following > end: break               # the rest of the frame has yet to come
        if buffer[at] in touched: ...           # the body is buffer[at + HEADER : following]
        at = following

with a check of the length against the limit of the type where the peer is not trusted;
`boundaries` is that loop as an iterator, for where speed does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct

from proxy.wire.errors import ProtocolError

HEADER = 5  # bytes of type and length
LENGTH = Struct("!i")  # at offset 1 of a frame
TYPE_AND_LENGTH = Struct("!Bi")

# Type bytes. Frontend to backend:
BIND = 0x42  # B
CLOSE = 0x43  # C
DESCRIBE = 0x44  # D
EXECUTE = 0x45  # E
FUNCTION_CALL = 0x46  # F
FLUSH = 0x48  # H
PARSE = 0x50  # P
QUERY = 0x51  # Q
SYNC = 0x53  # S
TERMINATE = 0x58  # X
COPY_FAIL = 0x66  # f
PASSWORD = 0x70  # p: PasswordMessage, SASLInitialResponse, SASLResponse and GSSResponse

# Both ways:
COPY_DONE = 0x63  # c
COPY_DATA = 0x64  # d

# Backend to frontend:
PARSE_COMPLETE = 0x31  # 1
BIND_COMPLETE = 0x32  # 2
CLOSE_COMPLETE = 0x33  # 3
NOTIFICATION_RESPONSE = 0x41  # A
COMMAND_COMPLETE = 0x43  # C
DATA_ROW = 0x44  # D
ERROR_RESPONSE = 0x45  # E
COPY_IN_RESPONSE = 0x47  # G
COPY_OUT_RESPONSE = 0x48  # H
EMPTY_QUERY_RESPONSE = 0x49  # I
BACKEND_KEY_DATA = 0x4B  # K
NOTICE_RESPONSE = 0x4E  # N
AUTHENTICATION = 0x52  # R
PARAMETER_STATUS = 0x53  # S
ROW_DESCRIPTION = 0x54  # T
FUNCTION_CALL_RESPONSE = 0x56  # V
COPY_BOTH_RESPONSE = 0x57  # W
READY_FOR_QUERY = 0x5A  # Z
NO_DATA = 0x6E  # n
PORTAL_SUSPENDED = 0x73  # s
PARAMETER_DESCRIPTION = 0x74  # t
NEGOTIATE_PROTOCOL_VERSION = 0x76  # v

# The greatest length that each type may have, as the length field counts it.
SMALL = 10_000  # PQ_SMALL_MESSAGE_LIMIT
LARGE = 0x3FFF_FFFE  # PQ_LARGE_MESSAGE_LIMIT
AUTHENTICATION_LIMIT = 65_535 + 4  # PG_MAX_AUTH_TOKEN_LENGTH, which leaves the length itself out

FRONTEND_LIMITS: Mapping[int, int] = {
    BIND: LARGE,
    CLOSE: SMALL,
    DESCRIBE: SMALL,
    EXECUTE: SMALL,
    FUNCTION_CALL: LARGE,
    FLUSH: SMALL,
    PARSE: LARGE,
    QUERY: LARGE,
    SYNC: SMALL,
    TERMINATE: SMALL,
    COPY_FAIL: SMALL,
    PASSWORD: AUTHENTICATION_LIMIT,
    COPY_DONE: SMALL,
    COPY_DATA: LARGE,
}
"""Frontend types and what PostgreSQL's `SocketBackend` accepts of them; others are unknown to it."""

BACKEND_LIMITS: Mapping[int, int] = dict.fromkeys(
    (
        PARSE_COMPLETE,
        BIND_COMPLETE,
        CLOSE_COMPLETE,
        NOTIFICATION_RESPONSE,
        COMMAND_COMPLETE,
        DATA_ROW,
        ERROR_RESPONSE,
        COPY_IN_RESPONSE,
        COPY_OUT_RESPONSE,
        EMPTY_QUERY_RESPONSE,
        BACKEND_KEY_DATA,
        NOTICE_RESPONSE,
        AUTHENTICATION,
        PARAMETER_STATUS,
        ROW_DESCRIPTION,
        FUNCTION_CALL_RESPONSE,
        COPY_BOTH_RESPONSE,
        READY_FOR_QUERY,
        NO_DATA,
        PORTAL_SUSPENDED,
        PARAMETER_DESCRIPTION,
        NEGOTIATE_PROTOCOL_VERSION,
        COPY_DONE,
        COPY_DATA,
    ),
    LARGE + 5,  # a StringInfo of MaxAllocSize - 1 bytes, and the length itself
)
"""Backend types. The server is bound by its own buffers only, so none of them is small."""


def frame(kind: int, body: bytes = b"") -> bytes:
    """A whole frame of type byte `kind`."""
    return TYPE_AND_LENGTH.pack(kind, len(body) + 4) + body


def boundaries(
    buffer: bytes | bytearray | memoryview,
    limits: Mapping[int, int],
    start: int = 0,
    end: int | None = None,
) -> Iterator[tuple[int, int, int]]:
    """Yield (type, start, end) of each whole frame in buffer[start:end]; end is where the next one starts.

    Stops at the first frame that is not there whole. Raises ProtocolError for a type that is not in
    `limits`, or a length that its type cannot have, as soon as five bytes of that frame are there.
    """
    at = start
    stop = len(buffer) if end is None else end
    while stop - at >= HEADER:
        following = at + frame_size(buffer, at, limits)
        if following > stop:
            return
        yield buffer[at], at, following
        at = following


def frame_size(buffer: bytes | bytearray | memoryview, at: int, limits: Mapping[int, int]) -> int:
    """Bytes of the frame that starts at `at`, with its header. Raises ProtocolError as `boundaries` does.

    The caller has made sure that the five bytes of the header are there.
    """
    kind, length = TYPE_AND_LENGTH.unpack_from(buffer, at)
    limit = limits.get(kind)
    if limit is None:
        raise ProtocolError(f"invalid message type {kind}")
    if not 4 <= length <= limit:
        raise ProtocolError(f"invalid length {length} of a message of type {kind}")
    return 1 + int(length)
