"""Errors and notices of the server: their position is counted in the statement as the client wrote it."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from proxy.session.reports import original_position
from proxy.sql.plan import Widths
from proxy.wire.backend import ErrorResponse, NoticeResponse
from tests.session.playbook import (
    BIND_COMPLETE,
    PARSE_COMPLETE,
    SYNC,
    Playbook,
    bind,
    complete,
    describe,
    error,
    execute,
    packed,
    parse,
    query,
    ready,
    stored,
)

SSN = "SELECT id, ssn FROM users"
CANNOT = 'ERROR XX001: a stored value of protected column "public.users.ssn" cannot be decrypted'


def test_positions_count_the_clients_characters() -> None:
    play = Playbook()
    text = "UPDATE users SET email = 'kanarie', nosuch = 1"
    play.client(query(text))
    play.session.resume(None)  # the column might be new: the catalogue was read again
    (sent,) = play.to_server()
    assert sent == "Query " + text.replace("'kanarie'", "[kanarie]")
    rendered = 25 + len("'" + stored("users.email", "kanarie").decode() + "', ") + 1
    (line, _) = play.server(error("42703", "no such column", position=rendered), ready())
    assert line == f"ERROR 42703: no such column at {text.index('nosuch') + 1}"


TYPED = "CREATE TABLE planned (at timestamp with time zone, other nosuch)"
TYPED_SENT = "CREATE TABLE planned (at bytea, other nosuch)"


def test_positions_behind_a_type_that_was_replaced() -> None:
    play = Playbook()
    assert play.client(query(TYPED)) == [f"Query {TYPED_SENT}"]
    (line, _) = play.server(error(position=TYPED_SENT.index("nosuch") + 1), ready())
    assert line.endswith(f" at {TYPED.index('nosuch') + 1}")
    play.client(query(TYPED))
    (line, _) = play.server(error(position=TYPED_SENT.index("bytea") + 3), ready())
    assert line.endswith(f" at {TYPED.index('timestamp') + 1}")


def test_positions_of_errors_that_come_after_parse() -> None:
    """Definitions are looked at when they are executed, prepared statements again when something changed."""
    position = error(position=TYPED_SENT.index("nosuch") + 1)
    at = f" at {TYPED.index('nosuch') + 1}"
    play = Playbook()
    play.client(parse(TYPED), bind(), execute(), SYNC)
    line = play.server(PARSE_COMPLETE, BIND_COMPLETE, position)[-1]
    assert line.endswith(at)
    play.server(ready())
    play.client(parse(TYPED, "s"), SYNC)
    play.server(PARSE_COMPLETE, ready())
    for messages in ((bind(name="s"), SYNC), (describe("s"), SYNC)):
        play.client(*messages)
        (line, _) = play.server(position, ready())
        assert line.endswith(at)


def test_positions_of_notices() -> None:
    play = Playbook()
    play.client(query(TYPED))
    notice = NoticeResponse.of("WARNING", "22P06", "odd", position=TYPED_SENT.index("nosuch") + 1)
    (line,) = play.server(notice)
    assert line.endswith(f" at {TYPED.index('nosuch') + 1}")
    play.server(complete("CREATE TABLE"), ready())
    assert play.server(notice)[0].endswith(f" at {TYPED_SENT.index('nosuch') + 1}")


def test_a_position_inside_a_value_is_its_beginning() -> None:
    play = Playbook()
    text = "UPDATE users SET email = 'kanarie'"
    play.client(query(text))
    (line, _) = play.server(error("22000", "odd", position=26), ready())
    assert line == f"ERROR 22000: odd at {text.index(chr(39)) + 1}"


def test_other_errors_go_as_they_came() -> None:
    play = Playbook()
    play.client(query("UPDATE users SET email = 'kanarie'"))
    message = ErrorResponse(
        {"S": b"ERROR", "C": b"23505", "M": b"duplicate", "n": b"users_email_key", "X": b"?"}
    )
    play.session.backend_received(packed(message, ready()))
    assert packed(message) in b"".join(play.session.to_frontend)


SAME = st.integers(0, 9).map(lambda length: ((length, length),))
REPLACED = st.tuples(st.integers(0, 9), st.integers(0, 40)).map(lambda old: ((0, old[1]), (old[0], 0)))
PARTS = st.lists(SAME | REPLACED, max_size=8).map(lambda parts: tuple(itertools.chain(*parts)))


@given(PARTS, st.integers(1, 400))
def test_a_position_is_that_of_the_same_character_or_of_what_was_replaced(
    widths: Widths, position: int
) -> None:
    places = [0]  # of the characters in the server's text: places in the client's text, from 1
    client = 1
    for origin, sent in widths:
        places += range(client, client + sent) if origin == sent else [client] * sent
        client += origin
    expected = places[position] if position < len(places) else client
    assert original_position(widths, position) == expected


@given(st.lists(st.integers(1, 9), max_size=8), st.integers(1, 90))
def test_without_edits_positions_stay(lengths: list[int], position: int) -> None:
    widths = tuple((length, length) for length in lengths)
    assert original_position(widths, position) == min(position, sum(lengths) + 1)
