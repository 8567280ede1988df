"""What the server answers: what the application is told, and what ends a statement or the session."""

from __future__ import annotations

import pytest

from proxy.wire.backend import ParameterDescription
from proxy.wire.frames import frame
from tests.session.playbook import (
    BIND_COMPLETE,
    CLOSE_COMPLETE,
    COPY_DONE,
    NO_DATA,
    PARSE_COMPLETE,
    SYNC,
    Message,
    Playbook,
    close,
    complete,
    copy_data,
    copy_in,
    copy_out,
    describe,
    described,
    error,
    packed,
    parse,
    query,
    ready,
    row,
    stored,
)

SSN = "SELECT id, ssn FROM users"


def ssn(value: str = "kanarie") -> bytes:
    return stored("users.ssn", value)


# --- descriptions ----------------------------------------------------------------------------------------


def test_a_described_statement_shows_the_applications_types() -> None:
    play = Playbook()
    play.client(
        parse("SELECT age, note FROM users WHERE born IS NOT NULL AND email = $1 AND id = $2", "s"),
        describe("s"),
    )
    assert play.server(
        PARSE_COMPLETE, ParameterDescription((25, 20)), described("users.age", "users.note")
    ) == [
        "ParseComplete",
        "ParameterDescription 25, 20",
        "RowDescription age 23, note 25",
    ]


def test_a_parameter_that_is_sent_twice_is_described_once() -> None:
    play = Playbook()
    play.client(parse("UPDATE users SET email = $1, age = $2, nick = $1", "s"), describe("s"))
    assert play.server(PARSE_COMPLETE, ParameterDescription((25, 17, 25)), NO_DATA) == [
        "ParseComplete",
        "ParameterDescription 25, 23",
        "NoData",
    ]


def test_declared_types_are_described_as_declared() -> None:
    play = Playbook()
    play.client(parse("UPDATE users SET age = $1, email = $2", "s", (20,)), describe("s"))
    assert play.server(PARSE_COMPLETE, ParameterDescription((17, 25)))[1] == "ParameterDescription 20, 25"


def test_a_description_of_nothing_protected_goes_as_it_came() -> None:
    play = Playbook()
    message = packed(described("plain.name", "x:23"))
    for _ in range(2):  # the second time it is known
        play.client(query("SELECT name, 1 AS x FROM plain"))
        play.session.backend_received(message)
        assert play.session.to_frontend == [message]
        play.to_client()
        play.server(complete(), ready())


CONTRADICTIONS: dict[str, tuple[str, list[Message]]] = {
    "protected where nothing was planned": ("SELECT name FROM plain", [described("users.ssn")]),
    "clear where something was planned": ("SELECT ssn FROM users", [described("plain.name")]),
    "another field": ("SELECT ssn FROM users", [described("users.email")]),
    "another width": (SSN, [described("users.id", "users.ssn", "users.note")]),
    "a row of another width": (SSN, [row("1", "x", "y")]),
}


@pytest.mark.parametrize(("sql", "answer"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_contradiction_ends_the_session(sql: str, answer: list[Message]) -> None:
    """The catalogue has changed underneath: nothing that comes can be trusted to be what it seems."""
    play = Playbook()
    play.client(query(sql))
    assert play.server(*answer) == ["FATAL XX000: the result is not what was planned for the statement"]
    assert play.session.closing


# --- replies that cannot be ------------------------------------------------------------------------------

IMPOSSIBLE = {
    "a row description unasked": described("plain.name"),
    "parse complete for a query": PARSE_COMPLETE,
    "bind complete for a query": BIND_COMPLETE,
    "close complete for a query": CLOSE_COMPLETE,
    "no data for a query": NO_DATA,
    "a negative length": b"T\xff\xff\xff\xff",
    "a length below four": b"D\0\0\0\3",
}


@pytest.mark.parametrize("message", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_reply_that_cannot_be_ends_the_session(message: Message) -> None:
    play = Playbook()
    if message is not IMPOSSIBLE["a row description unasked"]:
        play.client(query("SELECT ssn FROM users"))
    assert play.server(message) == ["FATAL 08P01: the server's replies cannot be followed"]
    assert play.session.closing


def test_a_malformed_description_ends_the_session() -> None:
    play = Playbook()
    play.client(query("SELECT ssn FROM users"))
    assert play.server(frame(ord("T"), b"\0\1x"))[0].startswith("FATAL 08P01")


def test_a_malformed_row_ends_the_session() -> None:
    play = Playbook()
    play.client(query("SELECT ssn FROM users"))
    assert play.server(described("users.ssn"), frame(ord("D"), b"\0\1\0\0\0\x10abc"))[-1].startswith("FATAL")


def test_a_refused_statement_that_the_server_takes_ends_the_session() -> None:
    play = Playbook()
    play.client(parse("SELECT lower(email) FROM users"), SYNC)
    assert play.server(PARSE_COMPLETE)[-1].startswith("FATAL 08P01")


# --- COPY -----------------------------------------------------------------------------------------------


def test_two_copies_in_one_text() -> None:
    play = Playbook()
    play.client(query("COPY users (email) FROM STDIN; COPY users (ssn) TO STDOUT; COPY plain FROM STDIN"))
    play.server(copy_in(1))
    assert play.client(copy_data("kanarie\n"), COPY_DONE) == ["CopyData [kanarie]", "CopyDone"]
    shown = play.server(
        complete("COPY 1"), copy_out(1), copy_data(ssn() + b"\n"), COPY_DONE, complete("COPY 1"), copy_in(2)
    )
    assert shown[2] == "CopyData kanarie"
    assert play.client(copy_data("1\tclear\n"), COPY_DONE) == ["CopyData 1, clear", "CopyDone"]
    assert play.server(complete("COPY 1"), ready())[-1] == "ReadyForQuery I"
    assert play.session.idle


# --- closing ---------------------------------------------------------------------------------------------


def test_close_is_answered_in_its_place() -> None:
    play = Playbook()
    play.client(parse(SSN, "s"), close("s"), close("p", portal=True), describe("s"), SYNC)
    shown = play.server(
        PARSE_COMPLETE, CLOSE_COMPLETE, CLOSE_COMPLETE, error("26000", "does not exist"), ready()
    )
    assert shown[-2:] == ["ERROR 26000: does not exist", "ReadyForQuery I"]
