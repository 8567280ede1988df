"""The unnamed portal outlives a Bind that fails before it is replaced, if a savepoint is behind that."""

from __future__ import annotations

import pytest

from proxy.wire.frontend import Query
from tests.integration.raw import SYNC_FRAME, Raw, bind, execute, parse, rows, sqlstates
from tests.proxy_process import Veil

PROTECTED = "SELECT email FROM users ORDER BY id"
PLAIN = "SELECT name FROM plain ORDER BY id"


def _command(sql: str) -> bytes:
    """A command that leaves the unnamed portal alone, as a simple query would not."""
    return parse(sql, "command") + bind(name="command", portal="command") + execute("command") + SYNC_FRAME


@pytest.mark.parametrize(("first", "second"), [(PROTECTED, PLAIN), (PLAIN, PROTECTED)])
def test_what_a_failed_bind_did_not_replace(proxy: Veil, first: str, second: str) -> None:
    proxy.database.execute("INSERT INTO plain (name) VALUES ('clear')")
    with Raw(proxy.host, proxy.port, proxy.database.name) as raw:
        raw.query("INSERT INTO users (email) VALUES ('kanarie')")
        raw.query("BEGIN")
        raw.send(parse(first, "first") + parse(second, "second") + bind(name="first") + SYNC_FRAME)
        raw.send(_command("SAVEPOINT s"), bind("one too many", name="second") + SYNC_FRAME)
        assert sqlstates(raw.until_ready(3)) == ["08P01"]
        raw.send(parse("ROLLBACK TO s", "back") + bind(name="back", portal="back") + execute("back"))
        raw.send(execute(), SYNC_FRAME)
        answer = raw.until_ready()
    expected = b"kanarie" if first == PROTECTED else b"clear"
    assert rows(answer) == [[expected]] or sqlstates(answer) == ["34000"]


def test_a_simple_query_ends_the_unnamed_portal(proxy: Veil) -> None:
    with Raw(proxy.host, proxy.port, proxy.database.name) as raw:
        raw.query("INSERT INTO users (email) VALUES ('kanarie')")
        raw.query("BEGIN")
        raw.send(parse(PROTECTED) + bind() + SYNC_FRAME)
        raw.until_ready()
        raw.send(Query(PLAIN.encode()).pack(), execute(), SYNC_FRAME)
        assert sqlstates(raw.until_ready(2)) == ["34000"]
