"""Simple queries and function calls: what is sent for them, and what is refused."""

from __future__ import annotations

import struct

import pytest

from proxy.wire.frames import FUNCTION_CALL, QUERY, frame
from tests.session.playbook import (
    Playbook,
    complete,
    described,
    error,
    packed,
    query,
    ready,
    row,
    status,
    stored,
)

UPDATE = "UPDATE users SET email = $1"


def test_prepare_and_execute_in_sql() -> None:
    play = Playbook()
    play.run(query("PREPARE p AS SELECT id, email FROM users WHERE email = $1"))
    assert play.client(query("EXECUTE p('kanarie')")) == ["Query EXECUTE p([kanarie])"]
    shown = play.server(
        described("users.id", "users.email"), row("1", stored("users.email", "kanarie")), complete(), ready()
    )
    assert shown[1] == "DataRow 1, kanarie"


def test_a_text_in_the_clients_encoding() -> None:
    play = Playbook()
    play.server(status("client_encoding", "LATIN1"))
    play.session.frontend_received(
        packed(frame(QUERY, b"UPDATE users SET email = 'kanari\xe9', note = '\xe9'\0"))
    )
    sent = b"".join(play.session.to_backend)
    play.session.to_backend.clear()
    assert b"note = '\xe9'" in sent
    assert b"kanari" not in sent


def test_a_text_that_is_not_in_the_clients_encoding() -> None:
    play = Playbook()
    assert play.client(frame(QUERY, b"SELECT '\xff'\0")) == ["Query SELECT '\\xff'"]
    play.server(error("22021", "invalid byte sequence"), ready())
    assert play.client(frame(QUERY, b"UPDATE users SET email = '\xff'\0")) == ["Query refused by pgveil"]
    assert play.server(error("42601", "syntax error"), ready())[0].startswith("ERROR 22021")


def test_backslashes_while_standard_conforming_strings_is_off() -> None:
    r"""'\' is then no whole string, so that the text means something else than it seems to."""
    play = Playbook()
    play.server(status("standard_conforming_strings", "off"))
    assert play.client(query(r"SELECT '\' FROM plain -- ' ")) == [r"Query SELECT '\' FROM plain -- ' "]
    play.server(complete(), ready())
    assert play.client(query(r"UPDATE users SET email = '\''")) == ["Query refused by pgveil"]


def test_function_calls_pass() -> None:
    play = Playbook()
    assert play.client(frame(FUNCTION_CALL, struct.pack("!Ihhh", 1, 0, 0, 0))) == ["FunctionCall"]
    play.server(frame(ord("V"), struct.pack("!i", -1)), ready())
    assert play.session.idle


@pytest.mark.parametrize(("oid", "known"), [(952, True), (2078, False), (16384, False)])
def test_a_function_that_is_called_by_its_oid_may_change_the_search_path(oid: int, known: bool) -> None:
    play = Playbook()
    called = play.client(frame(FUNCTION_CALL, struct.pack("!Ihhh", oid, 0, 0, 0)), query("SELECT 1"))
    assert called == (["FunctionCall", "Query SELECT 1"] if known else ["FunctionCall", "Flush"])
    play.server(frame(ord("V"), struct.pack("!i", -1)), ready())
    assert (play.session._state.search_path.value is not None) is known
