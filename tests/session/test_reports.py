"""Errors and notices of the server: positions are those in the client's statement, ciphertext is hidden."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.envelope import MARKER
from proxy.session.reports import PLACEHOLDER, original_position, report
from proxy.sql.plan import Widths
from proxy.wire.backend import ErrorResponse, NoticeResponse
from proxy.wire.frames import HEADER
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


# --- ciphertext ------------------------------------------------------------------------------------------

EMAIL = stored("users.email", "kanarie").decode()
AGE = stored("users.age", "36").decode()
ESCAPED = "".join(f"\\{byte:03o}" if not 32 <= byte < 127 else chr(byte) for byte in bytes.fromhex(AGE[2:]))
HIDDEN = {
    f"Key (email)=({EMAIL}) already exists.": "Key (email)=(<protected>) already exists.",
    f"Key (id, age)=(1, {AGE}) already exists.": "Key (id, age)=(1, <protected>) already exists.",
    f"Key (age)=({ESCAPED}) already exists.": "Key (age)=(<protected>) already exists.",
    f"Failing row contains (1, {EMAIL[:64]}..., {AGE[:64]}..., null, é).": (
        "Failing row contains (1, <protected>, <protected>, null, é)."
    ),
    f'(1,"\\{AGE}",{EMAIL})': '(1,"<protected>",<protected>)',
    f'{{"email": "{EMAIL}", "n": 1}}': '{"email": "<protected>", "n": 1}',
    f"UPDATE users SET age = E'\\{AGE}' WHERE email = '{EMAIL}'": (
        "UPDATE users SET age = E'<protected>' WHERE email = '<protected>'"
    ),
}
AS_THEY_ARE = (
    "values begin with pgv1: here",
    "pgv1:other",
    "Key (name)=(pgv2:AQabcdef) already exists.",
    "\\xff5056",
    "ff505601 without a backslash",
)


@pytest.mark.parametrize("text", [*HIDDEN, *AS_THEY_ARE])
@pytest.mark.parametrize("code", "MDHWq")
def test_ciphertext_is_hidden_and_nothing_else(code: str, text: str) -> None:
    """Drivers and applications find `Key (column)=(value)` where they look for it."""
    play = Playbook()
    play.client(query("SELECT 1"))
    for kind in (NoticeResponse, ErrorResponse):
        fields = {"S": b"ERROR", "C": b"23505", code: text.encode(), "n": b"users_email_key", "t": b"users"}
        play.session.backend_received(kind(fields).pack())
        (sent,) = play.session.to_frontend
        play.session.to_frontend.clear()
        expected = {**fields, code: HIDDEN.get(text, text).encode()}
        assert kind.parse(sent[HEADER:]).fields == expected


def test_it_is_hidden_outside_a_statement_too() -> None:
    play = Playbook()
    for message in (
        NoticeResponse.of("WARNING", "01000", EMAIL),
        ErrorResponse.of("FATAL", "57P01", "terminating", detail=EMAIL),
    ):
        play.session.backend_received(message.pack())
    assert EMAIL.encode() not in b"".join(play.session.to_frontend)


def test_the_place_in_an_internal_query_is_still_its_place() -> None:
    text = f"SELECT 'é{EMAIL}', nosuch"
    fields = {"q": text.encode("latin-1"), "p": str(text.index("nosuch") + 1).encode()}
    data = ErrorResponse(fields).pack()
    shown = report(data, 0, len(data), None, "latin-1")
    assert shown is not None
    found = ErrorResponse.parse(shown[HEADER:]).fields
    query_shown = found["q"].decode("latin-1")
    assert query_shown == "SELECT 'é<protected>', nosuch"
    assert found["p"] == str(query_shown.index("nosuch") + 1).encode()


def test_a_position_and_ciphertext_in_one_error() -> None:
    play = Playbook()
    play.client(query(TYPED))
    message = ErrorResponse.of("ERROR", "22P02", EMAIL, position=TYPED_SENT.index("nosuch") + 1)
    (line, _) = play.server(message, ready())
    assert line == f"ERROR 22P02: <protected> at {TYPED.index('nosuch') + 1}"


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0")), st.sampled_from([EMAIL, AGE]))
def test_whatever_stands_around_it(text: str, value: str) -> None:
    data = ErrorResponse({"D": f"{text} ({value}) {text}".encode()}).pack()
    shown = report(data, 0, len(data), None, "utf-8")
    assert shown == ErrorResponse({"D": f"{text} ({PLACEHOLDER.decode()}) {text}".encode()}).pack()
    assert MARKER not in shown or MARKER in text.encode()


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
