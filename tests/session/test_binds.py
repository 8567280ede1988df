"""Bind messages of protected parameters: what the server gets in their place, and what is refused."""

from __future__ import annotations

import pytest

from proxy.wire.frontend import Bind
from tests.session.playbook import (
    PARSE_COMPLETE,
    SYNC,
    Message,
    Playbook,
    bind,
    complete,
    error,
    parse,
    query,
    ready,
)

INSERT = "INSERT INTO users (id, email, ssn) VALUES ($1, $2, $3)"
SPLIT = "UPDATE users SET email = $1, ssn = $1"


def prepared(sql: str) -> Playbook:
    play = Playbook()
    play.client(parse(sql, "s"), SYNC)
    play.server(PARSE_COMPLETE, ready())
    return play


def binary(*params: bytes | None, formats: tuple[int, ...]) -> Message:
    return Bind(b"", b"s", formats, params, (1,))


def test_protected_values_are_sealed_and_all_else_stays() -> None:
    play = prepared(INSERT)
    assert play.client(bind("1", "kanarie", "kanarie 2", name="s", portal="p")) == [
        "Bind p = s(1, [kanarie], [kanarie 2])"
    ]
    assert play.client(bind("1", None, "", name="s")) == ["Bind s(1, NULL, [])"]
    play.client(binary(b"\0\0\0\1", b"kanarie", b"kanarie", formats=(1, 0, 1)))
    assert play.client(binary(b"\0\0\0\1", b"kanarie", None, formats=(1,)))[0].endswith("[kanarie], NULL)")


def test_a_parameter_that_two_fields_need_is_sent_twice() -> None:
    assert prepared(SPLIT).client(bind("kanarie", name="s")) == ["Bind s([kanarie], [kanarie])"]
    assert prepared(SPLIT).client(bind(None, name="s")) == ["Bind s(NULL, NULL)"]


@pytest.mark.parametrize("sql", [INSERT, SPLIT])
def test_a_wrong_number_of_values(sql: str) -> None:
    play = prepared(sql)
    assert play.client(bind("kanarie", "kanarie", name="s"), SYNC) == [
        "Parse pgveil: refused by pgveil",
        "Sync",
    ]
    answer = play.server(error("42601", "syntax error"), ready())
    assert answer[0].startswith("ERROR 08P01: bind message supplies 2 parameters")


def test_a_failed_transaction_does_not_hide_a_wrong_number() -> None:
    """The server counts before it looks at the transaction."""
    play = prepared(INSERT)
    play.client(query("BEGIN"), query("SELECT 1/0"))
    play.server(complete("BEGIN"), ready("T"), error("22012"), ready("E"))
    for sent, expected in ((bind("a", name="s"), "08P01"), (bind("1", "a", "b", name="none"), "26000")):
        play.client(sent, SYNC)
        assert play.server(error("25P02"), ready("E"))[0].startswith(f"ERROR {expected}")


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        ((0, 0), "ERROR 08P01: bind message has 2 parameter formats but 3 parameters"),
        ((0, 7, 0), "ERROR 22023: unsupported format code: 7"),
    ],
)
def test_formats_that_cannot_be(formats: tuple[int, ...], expected: str) -> None:
    play = prepared(INSERT)
    play.client(binary(b"1", b"kanarie", b"kanarie", formats=formats), SYNC)
    assert play.server(error("42601", "syntax error"), ready())[0] == expected
