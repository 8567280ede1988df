"""Frames that no client should send: the session ends, and what stood before them has gone out."""

from __future__ import annotations

import struct

import pytest

from proxy.wire.frames import BIND, CLOSE, DESCRIBE, EXECUTE, PARSE, QUERY, frame
from tests.session.playbook import (
    PARSE_COMPLETE,
    SYNC,
    Playbook,
    parse,
    query,
    ready,
)

UPDATE = "UPDATE users SET email = $1"

MALFORMED = {
    "unknown type": frame(ord("z"), b""),
    "length below four": b"Q\0\0\0\3",
    "negative length": b"Q\xff\xff\xff\xff",
    "sync too long": frame(ord("S"), b"x" * 10_000),
    "flush with a body": frame(ord("H"), b"\0"),
    "parse without end": frame(PARSE, b"s"),
    "parse without text": frame(PARSE, b"s\0"),
    "bind without names": frame(BIND, b""),
    "bind without statement": frame(BIND, b"p\0"),
    "describe of nothing": frame(DESCRIBE, b""),
    "describe of an unknown kind": frame(DESCRIBE, b"X\0"),
    "describe without end": frame(DESCRIBE, b"Sname"),
    "execute without end": frame(EXECUTE, b"p"),
    "close without end": frame(CLOSE, b"S"),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_frame_ends_the_session(data: bytes) -> None:
    play = Playbook()
    assert play.client(data) == []
    (line,) = play.to_client()
    assert line.startswith("FATAL 08P01: invalid")
    assert play.session.closing


@pytest.mark.parametrize("body", [b"SELECT 1", b"SELECT 1\0\0", b""])
def test_a_malformed_query_ends_the_session(body: bytes) -> None:
    play = Playbook()
    assert play.client(frame(QUERY, body)) == []
    assert play.to_client()[0].startswith("FATAL 08P01")


def test_what_came_before_a_malformed_frame_is_sent() -> None:
    play = Playbook()
    assert play.client(query("SELECT 1"), MALFORMED["unknown type"]) == ["Query SELECT 1"]
    assert play.session.closing


BINDS = {
    "no counts": b"\0s\0",
    "fewer parameters than counted": b"\0s\0\0\0\0\1",
    "a parameter past the end": b"\0s\0\0\0\0\1\0\0\0\2x",
    "no result formats": b"\0s\0\0\0\0\1\0\0\0\1x",
    "a length below -1": b"\0s\0\0\0\0\1\xff\xff\xff\xfe\0\0",
    "a parameter that is too long": b"\0s\0\0\0\0\1\0\0\0\xffx\0\0",
    "bytes left over": b"\0s\0\0\0\0\1\0\0\0\1x\0\0!",
}


@pytest.mark.parametrize("body", BINDS.values(), ids=BINDS)
def test_a_malformed_bind_of_protected_parameters_ends_the_session(body: bytes) -> None:
    play = Playbook()
    play.client(parse(UPDATE, "s"), SYNC)
    play.server(PARSE_COMPLETE, ready())
    assert play.client(frame(BIND, body)) == []
    assert play.to_client()[0].startswith("FATAL 08P01")


def test_a_message_may_be_as_long_as_the_limit() -> None:
    play = Playbook(max_message_size=1000)
    fits = "SELECT '" + "x" * (1000 - 4 - 1 - 9) + "'"
    assert play.client(query(fits)) == [f"Query {fits}"]
    play.client(query(fits + " "))
    assert play.to_client()[0].startswith("FATAL 08P01")


def test_the_length_is_judged_before_the_body_comes() -> None:
    play = Playbook(max_message_size=1000)
    play.session.frontend_received(b"Q" + struct.pack("!i", 1001))
    assert play.session.closing
