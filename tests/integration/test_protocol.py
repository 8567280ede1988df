"""Sessions in bare frames: order, names, portals, errors in the middle, and what no client should send."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.session.frontend import OUTSTANDING
from proxy.wire.backend import ParameterDescription, RowDescription
from proxy.wire.frames import COPY_DATA, COPY_DONE, FLUSH, FRONTEND_LIMITS, FUNCTION_CALL, TERMINATE, frame
from proxy.wire.frontend import Close, CopyData, CopyFail, FunctionCall, Query
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
    statement,
    status,
)
from tests.proxy_process import Veil

INSERT = "INSERT INTO users (email, ssn) VALUES ($1, $2)"
SELECT = "SELECT email, ssn FROM users WHERE email = $1"
REFUSED = "SELECT max(email) FROM users"


@pytest.fixture
def raw(proxy: Veil) -> Iterator[Raw]:
    with Raw(proxy.host, proxy.port, proxy.database.name) as raw:
        yield raw


def _another(proxy: Veil) -> Raw:
    return Raw(proxy.host, proxy.port, proxy.database.name)


CONVERSATION = (
    Query(b"BEGIN").pack()
    + statement(INSERT, "kanarie-1", "kanarie")
    + statement(SELECT, "kanarie-1")
    + SYNC_FRAME
    + Query(b"SELECT email, 5 FROM users WHERE email = 'kanarie-1'; SELECT ssn FROM users").pack()
    + parse("SELECT age, balance FROM users WHERE nick = $1", "named")
    + describe(b"S", "named")
    + bind(None, name="named", portal="portal")
    + execute("portal", 1)
    + Close(b"P", b"portal").pack()
    + SYNC_FRAME
    + Query(b"COPY users (email) FROM STDIN").pack()
    + CopyData(b"kanarie-2\nkana").pack()
    + CopyData(b"rie-3\n").pack()
    + frame(COPY_DONE)
    + Query(b"COPY (SELECT email FROM users ORDER BY id) TO STDOUT").pack()
    + statement(REFUSED)
    + statement(SELECT, "kanarie-1")
    + SYNC_FRAME
    + Query(b"ROLLBACK").pack()
    + Query(b"").pack()
)


def test_one_byte_at_a_time_gives_the_same_bytes(proxy: Veil) -> None:
    """What arrives in pieces is answered as what arrives whole."""
    answers = []
    for one_at_a_time in (False, True):
        with _another(proxy) as raw:
            raw.send(CONVERSATION, one_at_a_time=one_at_a_time)
            answers.append(raw.until_ready(9))
    assert answers[0] == answers[1]
    assert rows(answers[0])[:3] == [[b"kanarie-1", b"kanarie"], [b"kanarie-1", b"5"], [b"kanarie"]]
    assert sqlstates(answers[0]) == ["0A000"]
    assert [body.decode() for kind, body in answers[0] if kind == "Z"] == list("TTTTTTEII")


def test_a_thousand_statements_before_one_sync(raw: Raw) -> None:
    """Lesson 19: Parse, Bind, Execute a thousand times, then Sync."""
    raw.send(*(statement(INSERT, f"kanarie-{i}", "kanarie") for i in range(500)))
    raw.send(*(statement(SELECT, f"kanarie-{i}") for i in range(500)), SYNC_FRAME)
    answer = raw.until_ready()
    assert letters(answer) == "12nC" * 500 + "12TDC" * 500 + "Z"
    assert rows(answer) == [[f"kanarie-{i}".encode(), b"kanarie"] for i in range(500)]


def test_more_before_one_sync_than_may_be_outstanding(raw: Raw) -> None:
    """pgveil reads on when the server has answered some; it answers unasked, for its buffer is small."""
    raw.send(statement("SELECT pg_sleep(0.5)"), parse("SELECT age FROM users"))
    count = 10 * OUTSTANDING
    raw.send((bind() + execute()) * count, SYNC_FRAME)
    answers = raw.until_ready()
    assert letters(answers)[-3:] == "2CZ"
    assert letters(answers).count("2C") == count


def test_many_syncs_outstanding(raw: Raw) -> None:
    """Lesson 20: each Sync has its own ReadyForQuery, in order, with refusals between."""
    raw.send(
        *(statement(REFUSED if i % 3 == 0 else SELECT, *["x"] * (i % 3 > 0)) + SYNC_FRAME for i in range(60))
    )
    answer = raw.until_ready(60)
    assert letters(answer) == ("EZ" + "12TCZ" * 2) * 20
    assert set(sqlstates(answer)) == {"0A000"}


@pytest.mark.parametrize(
    ("middle", "sqlstate"),
    [(REFUSED, "0A000"), ("SELECT 1/0", "22012"), ("SELCT", "42601"), ("SELECT $1::int", "08P01")],
)
def test_an_error_in_the_middle_skips_to_sync(raw: Raw, middle: str, sqlstate: str) -> None:
    """Lessons 20 and 21: what is before it is rolled back, what is behind it is skipped; then all is well."""
    raw.send(statement(INSERT, "kanarie-1", None), statement(middle), statement(INSERT, "kanarie-2", None))
    raw.send(parse(SELECT, "lost"), SYNC_FRAME, statement("SELECT count(*) FROM users"), SYNC_FRAME)
    first, second = raw.until_ready(), raw.until_ready()
    assert letters(first).startswith("12nC")
    assert letters(first).endswith("EZ")
    assert sqlstates(first) == [sqlstate]
    assert (status(first), rows(second)) == ("I", [[b"0"]])
    raw.send(bind("kanarie-1", name="lost"), SYNC_FRAME)
    assert sqlstates(raw.until_ready()) == ["26000"]


def test_a_refusal_inside_a_transaction_block(raw: Raw) -> None:
    """Lesson 21: ReadyForQuery says failed, until ROLLBACK."""
    assert status(raw.query("BEGIN")) == "T"
    raw.send(statement(REFUSED), SYNC_FRAME)
    assert status(raw.until_ready()) == "E"
    assert sqlstates(raw.query("SELECT 1")) == ["25P02"]
    assert sqlstates(raw.query("SELECT email FROM users")) == ["25P02"]
    assert status(raw.query("ROLLBACK")) == "I"


def test_named_statements(raw: Raw) -> None:
    """Lessons 8 and 18: prepared, reused, closed, prepared again as something else; DEALLOCATE; DISCARD."""
    raw.send(
        parse(SELECT, "s"),
        SYNC_FRAME,
        *(bind("kanarie", name="s") + execute() + SYNC_FRAME for _ in range(3)),
    )
    assert letters(raw.until_ready(4)) == "1Z" + "2CZ" * 3
    raw.send(parse("SELECT 1", "s"), SYNC_FRAME)
    assert sqlstates(raw.until_ready()) == ["42P05"]
    raw.send(Close(b"S", b"s").pack(), parse("SELECT name FROM plain WHERE name = $1", "s"))
    raw.send(bind("plain", name="s"), describe(b"P"), execute(), SYNC_FRAME)
    assert letters(raw.until_ready()) == "312TCZ"
    raw.query("DEALLOCATE s")
    raw.send(parse(INSERT, "s"), bind("kanarie-1", None, name="s"), execute(), SYNC_FRAME)
    assert letters(raw.until_ready()) == "12CZ"
    raw.query("DISCARD ALL")
    raw.send(bind("kanarie-2", None, name="s"), SYNC_FRAME)
    assert sqlstates(raw.until_ready()) == ["26000"]
    raw.send(
        parse("SELECT id FROM users WHERE email = $1", "s"),
        bind("kanarie-1", name="s"),
        execute(),
        SYNC_FRAME,
    )
    assert rows(raw.until_ready()) == [[b"1"]]


def test_deallocate_between_pipelined_messages(raw: Raw) -> None:
    """Lesson 8: names take effect in the order of the stream."""
    raw.send(parse("SELECT 'plain'", "s"), SYNC_FRAME)
    raw.send(
        statement("DEALLOCATE ALL"), parse(SELECT, "s"), bind("kanarie-1", name="s"), execute(), SYNC_FRAME
    )
    answer = raw.until_ready(2)
    assert letters(answer) == "1Z12nC12CZ"


def test_the_unnamed_statement_across_transactions(raw: Raw) -> None:
    """Lesson 18: the unnamed statement stays what it was last parsed as."""
    raw.send(parse(INSERT), SYNC_FRAME)
    raw.until_ready()
    raw.send(statement("BEGIN"), SYNC_FRAME)
    raw.until_ready()
    raw.send(bind(), execute(), SYNC_FRAME)  # of BEGIN again, which warns
    assert letters(raw.until_ready()) == "2CZ"
    raw.send(
        parse(INSERT), bind("kanarie-1", "kanarie"), execute(), bind("kanarie-2", None), execute(), SYNC_FRAME
    )
    assert letters(raw.until_ready()) == "12C2CZ"
    raw.query("COMMIT")  # a simple query drops the unnamed statement
    raw.send(bind("kanarie-3", None), SYNC_FRAME)
    assert sqlstates(raw.until_ready()) == ["26000"]


def test_both_kinds_of_describe(raw: Raw) -> None:
    """Lesson 22: the logical types of parameters and columns; declared types are shown as declared."""
    columns = "age, born, balance, nick"
    sql = f"INSERT INTO users (email, {columns}) VALUES ($1, $2, $3, $4, $5) RETURNING {columns}"
    raw.send(parse(sql), describe(b"S"), bind(None, None, None, None, None), describe(b"P"), SYNC_FRAME)
    answer = dict(raw.until_ready())
    assert ParameterDescription.parse(answer["t"]).types == (25, 23, 1082, 1700, 1043)
    fields = RowDescription.parse(answer["T"]).fields
    shown = [(f.type_oid, f.typlen, f.typmod) for f in fields]
    assert shown == [(23, 4, -1), (1082, 4, -1), (1700, -1, (12 << 16 | 2) + 4), (1043, -1, 24)]
    raw.send(parse(sql, types=(1043, 20, 0, 0, 25)), describe(b"S"), SYNC_FRAME)
    assert ParameterDescription.parse(dict(raw.until_ready())["t"]).types == (1043, 20, 1082, 1700, 25)


def test_portals_are_suspended_and_go_on(raw: Raw) -> None:
    """Lesson 23: Execute with a row limit, two portals in turn, each with its own columns."""
    raw.send(*(statement(INSERT, f"kanarie-{i}", f"kanarie ssn {i}") for i in range(5)), SYNC_FRAME)
    raw.until_ready()
    raw.query("BEGIN")
    raw.send(parse("SELECT email FROM users ORDER BY id", "a"), bind(name="a", portal="a"))
    raw.send(parse("SELECT id, ssn FROM users ORDER BY id", "b"), bind(name="b", portal="b"))
    raw.send(execute("a", 2), execute("b", 1), frame(FLUSH))
    got = [raw.message() for _ in range(9)]
    assert letters([message for message in got if message]) == "1212DDsDs"
    raw.send(execute("a", 2), execute("b", 0), execute("a", 2), SYNC_FRAME)
    answer = raw.until_ready()
    assert letters(answer) == "DDsDDDDCDCZ"
    assert [row[-1] for row in rows(answer)] == [
        b"kanarie-2",
        b"kanarie-3",
        *(f"kanarie ssn {i}".encode() for i in range(1, 5)),
        b"kanarie-4",
    ]
    raw.query("COMMIT")
    raw.send(execute("a"), SYNC_FRAME)
    assert sqlstates(raw.until_ready()) == ["34000"]


def test_flush_brings_replies_without_sync(raw: Raw) -> None:
    """Replies are not held until Sync; a refusal comes at a Flush, too."""
    raw.send(parse(SELECT), describe(b"S"), frame(FLUSH))
    assert [raw.message()[0] for _ in range(3)] == ["1", "t", "T"]  # type: ignore[index]
    raw.send(parse(REFUSED), frame(FLUSH))
    message = raw.message()
    assert message is not None
    assert sqlstates([message]) == ["0A000"]
    raw.send(SYNC_FRAME)
    assert letters(raw.until_ready()) == "Z"


def test_empty_queries(raw: Raw) -> None:
    """An empty text has its own reply, in both protocols."""
    assert letters(raw.query("")) == "IZ"
    assert letters(raw.query("  ; ")) == "IZ"
    raw.send(statement(""), SYNC_FRAME)
    assert letters(raw.until_ready()) == "12nIZ"


def test_copy_that_the_client_gives_up(raw: Raw) -> None:
    """CopyFail, stray COPY messages, wrong data, and an error before all data has come."""
    raw.send(Query(b"COPY users (email) FROM STDIN").pack(), CopyData(b"kanarie-1\n").pack())
    raw.send(CopyFail(b"never mind").pack())
    assert sqlstates(raw.until_ready()) == ["57014"]
    raw.send(
        CopyData(b"stray").pack(), frame(COPY_DONE), CopyFail(b"stray").pack(), Query(b"SELECT 1").pack()
    )
    assert letters(raw.until_ready()) == "TDCZ"
    raw.send(Query(b"COPY users (age) FROM STDIN").pack(), CopyData(b"1\nkanarie\n").pack())
    raw.send(
        *(CopyData(b"2\n").pack() for _ in range(10)),
        frame(COPY_DONE),
        Query(b"SELECT email FROM users").pack(),
    )
    answer = raw.until_ready(2)
    assert sqlstates(answer) == ["22P02"]
    assert letters(answer) == "GEZTCZ"


@pytest.mark.parametrize("table", ["users (email)", "plain (name)"])
def test_syncs_that_come_before_copy_has_begun(raw: Raw, table: str) -> None:
    """The server reads them as part of the COPY, and does not answer them."""
    sql = f"COPY {table} FROM STDIN"
    end = CopyFail(b"never mind").pack()
    raw.send(Query(sql.encode()).pack(), SYNC_FRAME, SYNC_FRAME, end, SYNC_FRAME)
    assert letters(raw.until_ready(2)) == "GEZZ"
    raw.send(parse(sql), bind(), execute(), SYNC_FRAME, end, SYNC_FRAME, Query(b"SELECT 1").pack())
    assert letters(raw.until_ready(2)) == "12GEZTDCZ"


def test_function_calls(raw: Raw) -> None:
    """FunctionCall has one answer and its own ReadyForQuery."""
    raw.send(FunctionCall(1598).pack(), Query(b"SELECT email FROM users").pack())  # random()
    assert letters(raw.until_ready(2)) == "VZTCZ"


def test_asynchronous_messages_in_the_middle(raw: Raw, proxy: Veil) -> None:
    """Notices, notifications and parameter status touch no expected reply."""
    raw.query("LISTEN channel")
    raw.send(
        statement("SELECT pg_notify('channel', 'x')"),
        statement("SELECT set_config('datestyle', 'German', false)"),
        statement(INSERT, "kanarie-1", None),
        statement(SELECT, "kanarie-1"),
        SYNC_FRAME,
    )
    answer = raw.until_ready()
    assert letters(answer) == "12TDC12TDC12nC12TDCZ"
    assert {"A", "S"} <= {kind for kind, _ in answer}


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x00\x00\x00\x04",
        b"Q\x00\x00\x00\x03",
        b"Q\xff\xff\xff\xff",
        b"S\x7f\xff\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n",
        b"Q\x00\x00\x00\x08abcd",  # no end of the string
        b"P\x00\x00\x00\x06\x00\x00",
        parse("SELECT 1") + b"B\x00\x00\x00\x0a\x00\x00\xff\xff\xff\xff",
        b"D\x00\x00\x00\x06X\x00",
    ],
    ids=["type", "short", "negative", "huge", "http", "unterminated", "parse", "bind", "describe"],
)
def test_garbage(raw: Raw, proxy: Veil, garbage: bytes) -> None:
    """Lesson 25: a malformed message is 08P01, and harms nobody else."""
    raw.send(garbage, SYNC_FRAME)
    raw.socket.shutdown(1)
    messages = raw.until_closed()
    assert sqlstates(messages)[:1] == ["08P01"], messages
    with _another(proxy) as other:
        assert rows(other.query("SELECT 1")) == [[b"1"]]


_NAMES = st.sampled_from(["", "a", "b"])
_TEXTS = st.sampled_from(
    [INSERT, SELECT, REFUSED, "BEGIN", "COMMIT", "ROLLBACK", "SELECT 1", "SELCT", "", "DISCARD ALL"]
)
_FRAMES = st.one_of(
    st.builds(parse, _TEXTS, _NAMES),
    st.builds(
        lambda n, p, v: bind(*v, name=n, portal=p), _NAMES, _NAMES, st.sampled_from([(), ("x",), ("x", None)])
    ),
    st.builds(describe, st.sampled_from([b"S", b"P"]), _NAMES),
    st.builds(execute, _NAMES, st.sampled_from([0, 1])),
    st.builds(lambda k, n: Close(k, n.encode()).pack(), st.sampled_from([b"S", b"P"]), _NAMES),
    st.builds(lambda t: Query(t.encode()).pack(), _TEXTS),
    st.just(SYNC_FRAME),
    st.just(frame(FLUSH)),
    st.just(frame(COPY_DONE)),
    st.builds(lambda d: frame(COPY_DATA, d), st.binary(max_size=9)),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_FRAMES, max_size=25))
def test_any_order_of_messages(proxy: Veil, frames: list[bytes]) -> None:
    """Lessons 18 to 20: whatever is sent in whatever order, the replies are those of the server itself."""
    proxy.database.execute("TRUNCATE users RESTART IDENTITY")
    data = b"".join(frames) + SYNC_FRAME + Query(b"ROLLBACK").pack() + Query(b"SELECT 'the end'").pack()
    outcomes = []
    for host, port in (
        (proxy.host, proxy.port),
        (proxy.database.postgres.host, proxy.database.postgres.port),
    ):
        proxy.database.execute("TRUNCATE users RESTART IDENTITY")
        with Raw(host, port, proxy.database.name) as raw:
            raw.send(data)
            messages: list[Message] = []
            while not (messages and messages[-1] == ("D", b"\x00\x01\x00\x00\x00\x07the end")):
                message = raw.message()
                assert message is not None, f"closed after {letters(messages)}"
                messages.append(message)
        outcomes.append(messages)
    if REFUSED.encode() in data:
        return
    assert letters(outcomes[0]) == letters(outcomes[1])
    assert sqlstates(outcomes[0]) == sqlstates(outcomes[1])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(FRONTEND_LIMITS)), st.binary(max_size=40)), min_size=1, max_size=4
    )
)
def test_frames_of_anything(proxy: Veil, frames: list[tuple[int, bytes]]) -> None:
    """Lesson 25: bodies of anything end in a clean error, never in a hang or an internal error."""
    with _another(proxy) as raw:
        raw.send(*(frame(kind, body) for kind, body in frames), frame(FUNCTION_CALL), frame(TERMINATE))
        messages = raw.until_closed()
    assert "XX000" not in sqlstates(messages), messages
