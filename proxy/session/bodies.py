"""Parts of the client's messages, read in place. Each raises ProtocolViolation for a malformed one."""

from __future__ import annotations

import struct
from typing import Protocol, Self, TypeVar

from proxy.errors import ProtocolViolation
from proxy.wire.errors import ProtocolError
from proxy.wire.frames import HEADER
from proxy.wire.frontend import result_formats

STATEMENT, PORTAL = ord("S"), ord("P")
STRUCT_ERRORS = (ProtocolError, struct.error)


def string(data: bytes, start: int, end: int) -> bytes:
    """The string that begins at `start`. Raises ProtocolViolation where it does not end."""
    stop = data.find(0, start, end)
    if stop < 0:
        raise ProtocolViolation("invalid message format")
    return data[start:stop]


def text_of(data: bytes, start: int, end: int) -> bytes:
    """The string that a message's body is. Raises ProtocolViolation where it is not just that."""
    if data.find(0, start, end) != end - 1:
        raise ProtocolViolation("invalid message format")
    return data[start : end - 1]


def named(data: bytes, at: int, end: int) -> tuple[int, bytes]:
    """What Describe or Close is about: the kind's byte, and the name. Raises ProtocolViolation."""
    if end - at < HEADER + 2 or data[at + HEADER] not in (STATEMENT, PORTAL):
        raise ProtocolViolation("invalid message format")
    return data[at + HEADER], text_of(data, at + HEADER + 1, end)


def formats_of(data: bytes, at: int, end: int) -> tuple[int, ...]:
    """What Bind asks for, past the values, which nobody looks at. Raises ProtocolViolation."""
    try:
        return result_formats(data, at, end)
    except STRUCT_ERRORS:
        raise ProtocolViolation("invalid message format") from None


class _Message(Protocol):
    """What has a body that can be parsed."""

    @classmethod
    def parse(cls, body: bytes) -> Self: ...


_Kind = TypeVar("_Kind", bound=_Message)


def read(kind: type[_Kind], data: bytes, at: int, end: int) -> _Kind:
    """Parse a message. Raises ProtocolViolation."""
    try:
        return kind.parse(data[at + HEADER : end])
    except STRUCT_ERRORS:
        raise ProtocolViolation("invalid message format") from None
