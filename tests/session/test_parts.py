"""A session of everything, whole or cut into any parts: the same bytes come out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.session.session import Session, SessionContext
from proxy.sql.planner import Planner
from tests.session.playbook import (
    BIND_COMPLETE,
    COPY_DONE,
    KEYS,
    PARSE_COMPLETE,
    SUSPENDED,
    SYNC,
    TERMINATE,
    Playbook,
    bind,
    complete,
    copy_data,
    copy_in,
    copy_out,
    describe,
    described,
    error,
    execute,
    packed,
    parse,
    query,
    ready,
    row,
    status,
    stored,
)
from tests.sql.world import world

SELECT = "SELECT id, email FROM users WHERE email = $1"


def scenario() -> list[tuple[str, bytes]]:
    """A session of everything: (who sends, what)."""
    sealed = stored("users.email", "kanarie")
    both = packed(row("1", sealed), row("2", None))
    return [
        ("server", packed(status("client_encoding", "UTF8"), ready())),
        ("client", packed(query("SELECT * FROM plain"))),
        ("server", packed(described("plain.name"), row("x" * 500), row(None), complete(), ready())),
        ("client", packed(query("SELECT id, email FROM users WHERE email IN ('kanarie', 'kanarie 2')"))),
        ("server", packed(described("users.id", "users.email"), both, complete(), ready())),
        (
            "client",
            packed(parse(SELECT, "s"), describe("s"), bind("kanarie", name="s"), execute(rows=1), SYNC),
        ),
        ("server", packed(PARSE_COMPLETE, packed_parameters(25), described("users.id", "users.email"))),
        ("server", packed(BIND_COMPLETE, both, SUSPENDED, ready())),
        (
            "client",
            packed(query("SELECT email FROM users ORDER BY email"), parse("SELECT lower(email) FROM users")),
        ),
        ("client", packed(bind(), execute(), SYNC, query("BEGIN"))),
        ("server", packed(error("42601", "syntax error"), ready(), error("42601", "syntax error"), ready())),
        ("server", packed(complete("BEGIN"), ready("T"))),
        *plain_exchanges(),
        ("client", packed(query("COPY users (email, note) FROM STDIN"))),
        ("server", packed(copy_in(2))),
        ("client", packed(copy_data("kanarie\tclear\nkana"), copy_data("rie 2\t\\N\n"), COPY_DONE)),
        ("server", packed(complete("COPY 2"), ready("T"))),
        ("client", packed(query("COPY users (email) TO STDOUT"))),
        (
            "server",
            packed(copy_out(1), copy_data(sealed + b"\n\\N\n"), COPY_DONE, complete("COPY 2"), ready("T")),
        ),
        ("client", packed(query("COPY plain FROM STDIN"))),
        ("server", packed(copy_in(2))),
        ("client", packed(copy_data("1\t" + "x" * 300 + "\n"), COPY_DONE, query("COMMIT"), TERMINATE)),
        ("server", packed(complete("COPY 1"), ready("T"), complete("COMMIT"), ready())),
    ]


def plain_exchanges() -> list[tuple[str, bytes]]:
    """What drivers send for nothing protected, which goes the short way where it comes whole."""
    text, answer = "SELECT * FROM plain WHERE name = $1", described("plain.name")
    portal = (describe(portal=True), execute(), SYNC)
    rows = (row("x"), row("y" * 300), complete(), ready("T"))
    return [
        ("client", packed(parse(text), bind("1"), *portal)),
        ("server", packed(PARSE_COMPLETE, BIND_COMPLETE, answer, *rows)),
        ("client", packed(parse(text, "p"), bind("1", name="p"), *portal, query("SELECT name FROM plain"))),
        ("server", packed(PARSE_COMPLETE, BIND_COMPLETE, answer, *rows, answer, *rows)),
        ("client", packed(bind("1", name="p"), execute(), SYNC, bind("2", name="p"), execute(), SYNC)),
        ("server", packed(BIND_COMPLETE, *rows, BIND_COMPLETE, error(), ready("E"))),
        ("client", packed(query("ROLLBACK"), query("BEGIN"))),
        ("server", packed(complete("ROLLBACK"), ready(), complete("BEGIN"), ready("T"))),
    ]


def packed_parameters(*types: int) -> bytes:
    from proxy.wire.backend import ParameterDescription

    return ParameterDescription(types).pack()


def played(steps: list[tuple[str, list[bytes]]]) -> tuple[bytes, bytes]:
    """What reaches server and client when the steps come in these parts."""
    planner = Planner(world())
    session = Session(SessionContext(lambda: planner, lambda: KEYS, "app"))
    for side, parts in steps:
        for part in parts:
            if side == "client":
                session.frontend_received(part)
            else:
                session.backend_received(part)
        assert session.request is None
    assert session.idle
    assert not session.closing
    return b"".join(session.to_backend), b"".join(session.to_frontend)


WHOLE = played([(side, [data]) for side, data in scenario()])


def same(one: bytes, other: bytes, *, to_server: bool) -> bool:
    """Randomized ciphertext differs: compare what the messages mean. COPY data may be cut elsewhere."""
    from tests.session.playbook import lines

    def joined(data: bytes) -> list[str]:
        found: list[str] = []
        for line in lines(data, to_server=to_server):
            if line.startswith("CopyData") and found and found[-1].startswith("CopyData"):
                found[-1] += " / " + line.removeprefix("CopyData ")
            else:
                found.append(line)
        return found

    return joined(one) == joined(other)


def test_one_byte_at_a_time_gives_the_same() -> None:
    parts = played([(side, [data[i : i + 1] for i in range(len(data))]) for side, data in scenario()])
    assert same(parts[0], WHOLE[0], to_server=True)
    assert same(parts[1], WHOLE[1], to_server=False)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=30))
def test_any_parts_give_the_same(sizes: list[int]) -> None:
    steps = []
    turn = 0
    for side, data in scenario():
        parts, at = [], 0
        while at < len(data):
            size = sizes[turn % len(sizes)]
            parts.append(data[at : at + size])
            at, turn = at + size, turn + 1
        steps.append((side, parts))
    parts_of_both = played(steps)
    assert same(parts_of_both[0], WHOLE[0], to_server=True)
    assert same(parts_of_both[1], WHOLE[1], to_server=False)


@pytest.mark.parametrize("extra", [b"Q", b"Q\0\0\0", packed(query("SELECT 1"))[:-1]])
def test_data_after_a_message_is_kept(extra: bytes) -> None:
    play = Playbook()
    assert play.client(query("UPDATE users SET email = 'kanarie'"), extra) == [
        "Query UPDATE users SET email = [kanarie]"
    ]
    play.server(complete(), ready())
    rest = packed(query("SELECT 1")).removeprefix(extra)
    assert play.client(rest) == ["Query SELECT 1"]
