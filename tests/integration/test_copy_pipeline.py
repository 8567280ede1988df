"""COPY in pipelines of bare frames: what is behind one COPY belongs to the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxy.wire.frames import COPY_DONE, frame
from proxy.wire.frontend import CopyData, Query
from tests.integration.raw import SYNC_FRAME, Raw, bind, execute, letters, parse, rows, sqlstates
from tests.proxy_process import Veil

TEXT = "COPY users (ssn, note) FROM STDIN"
QUERY = Query(TEXT.encode()).pack()
STATEMENT = parse(TEXT) + bind() + execute()
DONE = frame(COPY_DONE)


def _row(value: str) -> bytes:
    return CopyData(value.encode() + b"\tnote\n").pack()


@pytest.fixture
def raw(proxy: Veil) -> Iterator[Raw]:
    with Raw(proxy.host, proxy.port, proxy.database.name) as raw:
        yield raw


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "in bytes"])
def test_two_in_one_write(raw: Raw, bytewise: bool) -> None:
    """The second one's rows come before the server has said that the first one is done."""
    one, two = (copy + _row("kanarie") + DONE for copy in (QUERY, STATEMENT))
    raw.send(one, one, two, two, SYNC_FRAME, one_at_a_time=bytewise)
    assert letters(raw.until_ready(3)) == "GCZGCZ12GC12GCZ"
    assert rows(raw.query("SELECT ssn FROM users")) == [[b"kanarie"]] * 4


def test_behind_one_that_is_refused(raw: Raw) -> None:
    """What is left of the first is dropped, and what belongs to the second is not."""
    wrong = CopyData(b"kanarie\n").pack()
    raw.send(QUERY, wrong, _row("kanarie-1"), DONE, QUERY, _row("kanarie-2"), DONE)
    answer = raw.until_ready(2)
    assert (letters(answer), sqlstates(answer)) == ("GEZGCZ", ["22P04"])
    assert rows(raw.query("SELECT ssn FROM users")) == [[b"kanarie-2"]]


def test_behind_one_that_the_server_refuses(raw: Raw) -> None:
    text = b"COPY users (id, ssn) FROM STDIN"
    wrong = Query(text).pack() + CopyData(b"no number\tkanarie\n").pack() + DONE
    raw.send(wrong, QUERY, _row("kanarie-2"), DONE)
    answer = raw.until_ready(2)
    assert (letters(answer), sqlstates(answer)) == ("GEZGCZ", ["22P02"])
    assert rows(raw.query("SELECT ssn FROM users")) == [[b"kanarie-2"]]


def test_behind_a_copy_to(raw: Raw) -> None:
    """While rows go out, rows that come in are of what is behind."""
    raw.query("INSERT INTO users (ssn) SELECT NULL FROM generate_series(1, 20000)")
    raw.send(Query(b"COPY users TO STDOUT").pack(), QUERY, _row("kanarie"), DONE)
    answer = raw.until_ready(2)
    assert letters(answer) == "H" + "d" * 20000 + "cCZGCZ"
    assert rows(raw.query("SELECT ssn FROM users WHERE note = 'note'")) == [[b"kanarie"]]
