"""Portals of the protocol and cursors of SQL have one space of names, and savepoints bring them back."""

from __future__ import annotations

import pytest

from proxy.wire.frontend import Close, Query
from tests.integration.pair import Pair
from tests.integration.raw import (
    SYNC_FRAME,
    Message,
    Raw,
    bind,
    describe,
    execute,
    letters,
    parse,
    rows,
    sqlstates,
)

PROTECTED = "SELECT email FROM users ORDER BY id"
PLAIN = "SELECT note FROM users ORDER BY id"


def _query(sql: str) -> bytes:
    return Query(sql.encode()).pack()


def _bound(sql: str) -> bytes:
    return parse(sql) + bind(portal="p")


def _closed() -> bytes:
    return Close(b"P", b"p").pack()


_BEGIN, _SAVEPOINT, _BACK = (_query(sql) for sql in ("BEGIN", "SAVEPOINT s", "ROLLBACK TO s"))
_FAILING = parse("SELECT 1/0") + bind() + execute()
_FETCH = _query("FETCH 1 FROM p")
_DECLARE = _query(f"DECLARE p CURSOR FOR {PROTECTED}")
_DECLARE_PLAIN = _query(f"DECLARE p CURSOR FOR {PLAIN}")
_SHOW = describe(b"P", "p") + execute("p", 1) + SYNC_FRAME

# What is sent, each piece once the one before is answered, with the number of its ReadyForQuery.
SAME = {
    "a name taken, plain": [
        (_BEGIN + _bound(PROTECTED) + SYNC_FRAME + _SAVEPOINT, 3),
        (_bound(PLAIN) + SYNC_FRAME + _BACK + _SHOW, 3),
    ],
    "a name taken, protected": [
        (_BEGIN + _bound(PLAIN) + SYNC_FRAME + _SAVEPOINT, 3),
        (_bound(PROTECTED) + SYNC_FRAME + _BACK + _SHOW, 3),
    ],
    "a name taken by a cursor": [
        (_BEGIN + _DECLARE + _SAVEPOINT, 3),
        (_bound(PLAIN) + SYNC_FRAME + _BACK + _SHOW + _FETCH, 4),
    ],
    "a Close that is skipped": [
        (_BEGIN + _bound(PROTECTED) + SYNC_FRAME + _SAVEPOINT, 3),
        (_FAILING + _closed() + SYNC_FRAME + _BACK + _SHOW, 3),
    ],
    "a Close of a cursor that is skipped": [
        (_BEGIN + _DECLARE + _SAVEPOINT, 3),
        (_FAILING + _closed() + SYNC_FRAME + _BACK + _SHOW + _FETCH, 4),
    ],
    "a Bind that is skipped": [
        (_BEGIN + _bound(PROTECTED) + SYNC_FRAME + _SAVEPOINT, 3),
        (_FAILING + _closed() + _bound(PLAIN) + SYNC_FRAME + _BACK + _SHOW, 3),
    ],
    "CLOSE, then DECLARE": [
        (_BEGIN + _bound(PLAIN) + SYNC_FRAME + _query("CLOSE p") + _DECLARE, 4),
        (_SHOW + _FETCH, 2),
    ],
    "CLOSE ALL, then DECLARE": [
        (_BEGIN + _bound(PLAIN) + SYNC_FRAME + _query("CLOSE ALL") + _DECLARE, 4),
        (_SHOW + _FETCH, 2),
    ],
    "Close of a cursor, then Bind": [
        (_BEGIN + _DECLARE, 2),
        (_closed() + _bound(PLAIN) + _SHOW + _FETCH, 2),
    ],
    "FETCH from a portal": [(_BEGIN + _bound(PROTECTED) + SYNC_FRAME, 2), (_FETCH + _SHOW, 2)],
    "a portal of a transaction that is over, in one go": [
        (
            _BEGIN
            + _bound(PLAIN)
            + SYNC_FRAME
            + _query("COMMIT")
            + _BEGIN
            + _DECLARE
            + execute("p", 1)
            + SYNC_FRAME,
            6,
        )
    ],
}


def _play(raw: Raw, pieces: list[tuple[bytes, int]]) -> list[Message]:
    messages = []
    for data, count in pieces:
        raw.send(data)
        messages += raw.until_ready(count)
    return messages


@pytest.mark.parametrize("case", SAME)
def test_the_answers_are_those_of_the_server(pair: Pair, case: str) -> None:
    """A portal is known by what the server has under its name now."""
    answers = []
    for at in (pair.veil, pair.plain.postgres):
        name = (pair.veil.database if at is pair.veil else pair.plain).name
        with Raw(at.host, at.port, name) as raw:
            answers.append(_play(raw, SAME[case]))
    veiled, plain = answers
    assert (letters(veiled), rows(veiled)) == (letters(plain), rows(plain))
    assert sqlstates(veiled) == sqlstates(plain)
    assert rows(veiled)


@pytest.mark.parametrize(
    ("first", "again", "text"),
    [
        (_BEGIN + _DECLARE_PLAIN, _query("ROLLBACK") + _BEGIN + _DECLARE, "FETCH 1 FROM p"),
        (
            _query(f"PREPARE p AS {PLAIN}") + _BEGIN,
            _query("DEALLOCATE p") + _query(f"PREPARE p AS {PROTECTED}") + _BEGIN,
            "EXECUTE p",
        ),
    ],
    ids=["fetch", "execute"],
)
def test_a_prepared_statement_that_names_another_cursor_by_now(
    pair: Pair, first: bytes, again: bytes, text: str
) -> None:
    """It is prepared anew, as after any change of what it means: its rows are not those that were planned."""
    run = bind(name="f") + execute() + SYNC_FRAME
    with Raw(pair.veil.host, pair.veil.port, pair.veil.database.name) as raw:
        answer = _play(raw, [(first, 2), (parse(text, "f") + run, 1), (run, 1), (again, 3), (run, 1)])
        assert rows(answer)[0] == [b"a"]
        assert sqlstates(answer) == ["0A000"]
        _play(raw, [(_query("ROLLBACK") + again, 4)])
        raw.send(Close(b"S", b"f").pack() + parse(text, "f") + run)
        assert rows(raw.until_ready())[0] == [b"kanarie-1"]
