"""What an application cannot tell from a session without pgveil.

A conversation that touches no protected column goes to the server directly and through pgveil, and the
answers have to be the same messages. The conversations, and the spellings of values, are distilled from what
drivers and their test suites do (asyncpg, node-postgres, pgjdbc, pgx, psycopg2, tokio-postgres).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import psycopg
import pytest

from proxy.wire import frames
from proxy.wire.frames import frame
from proxy.wire.frontend import Bind, Close, CopyData, CopyFail, Query
from tests.integration.raw import (
    SYNC_FRAME,
    Message,
    Raw,
    bind,
    describe,
    execute,
    parse,
    rows,
    sqlstates,
    statement,
)
from tests.postgres import Database
from tests.proxy_process import Veil, Veils

FLUSH = frame(frames.FLUSH)
COPY_DONE = frame(frames.COPY_DONE)
INSERT = "INSERT INTO plain (name, value) VALUES ($1, $2) RETURNING id"

# Of an error, where in the server's source it was raised: pgveil does not make that up for its own.
_SOURCE = re.compile(rb"(?<=\0)[FLR][^\0]*\0")
_NOTIFICATION = "A"


def q(sql: str) -> bytes:
    return Query(sql.encode()).pack()


def copy(*rows: bytes) -> bytes:
    return b"".join(CopyData(row).pack() for row in rows)


def close(kind: bytes, name: str = "") -> bytes:
    return Close(kind, name.encode()).pack()


def binary(*params: bytes | None, name: str = "", portal: str = "") -> bytes:
    """Bind with parameters and results in binary."""
    return Bind(portal.encode(), name.encode(), (1,), params, (1,)).pack()


# Name -> what is sent at once, and how many ReadyForQuery that earns.
CONVERSATIONS: dict[str, tuple[Sequence[bytes], int]] = {
    # --- COPY: drivers need not wait for CopyInResponse ---
    "data behind COPY": ([q("COPY plain (name) FROM STDIN"), copy(b"a\n", b"b\n"), COPY_DONE], 1),
    "data behind an extended COPY": (
        [statement("COPY plain (name) FROM STDIN"), SYNC_FRAME, copy(b"a\n"), COPY_DONE, SYNC_FRAME],
        1,
    ),
    "COPY twice": ([q("COPY plain (name) FROM STDIN"), copy(b"a\n"), COPY_DONE] * 2, 2),
    "COPY of bad rows": ([q("COPY plain (value) FROM STDIN"), copy(b"1\nx\n", b"3\n"), COPY_DONE], 1),
    "COPY to a missing table": ([q("COPY nowhere FROM STDIN"), copy(b"1\n"), COPY_DONE, q("SELECT 1")], 2),
    "COPY that the client ends": (
        [q("COPY plain (name) FROM STDIN"), copy(b"a\n"), CopyFail(b"mine").pack(), q("SELECT 1")],
        2,
    ),
    "data with no COPY": ([copy(b"a\n"), COPY_DONE, q("SELECT 1")], 1),
    "COPY between statements": (
        [q("SELECT 1; COPY plain (name) FROM STDIN; SELECT count(*) FROM plain"), copy(b"a\n"), COPY_DONE],
        1,
    ),
    "COPY out": (
        [
            q("INSERT INTO plain (name, value, at) VALUES ('a', 1, NULL), (E'\\t\\\\', NULL, NULL)"),
            q("COPY plain TO STDOUT"),
            q("COPY plain (name, value) TO STDOUT WITH (FORMAT csv, HEADER)"),
            q("COPY (SELECT name FROM plain ORDER BY id) TO STDOUT WITH (FORMAT binary)"),
        ],
        4,
    ),
    # --- pipelines ---
    "a batch": ([*(statement(INSERT, f"n{i}", str(i)) for i in range(50)), SYNC_FRAME], 1),
    "a batch that fails": (
        [
            statement(INSERT, "a", "1"),
            statement(INSERT, "b", "x"),
            statement(INSERT, "c", "3"),
            SYNC_FRAME,
            q("SELECT count(*) FROM plain"),
        ],
        2,
    ),
    "a batch that fails within a transaction": (
        [q("BEGIN"), statement("SELECT 1/0"), SYNC_FRAME, statement("SELECT 1"), SYNC_FRAME, q("COMMIT")],
        4,
    ),
    "queries of both protocols": (
        [
            parse("SELECT 1", "s"),
            describe(b"S", "s"),
            FLUSH,
            q("SELECT 2"),
            bind(name="s"),
            execute(),
            SYNC_FRAME,
        ],
        2,
    ),
    "binary values": (
        [
            parse("SELECT $1::int4 + 1, $2::text, NULL::date", types=(23, 25)),
            binary((41).to_bytes(4, "big"), "é".encode()),
            describe(b"P"),
            execute(),
            SYNC_FRAME,
        ],
        1,
    ),
    # --- names ---
    "named statements": (
        [
            parse("SELECT $1::int", "s"),
            parse("SELECT 2", "s"),
            SYNC_FRAME,
            bind("7", name="s") + execute() + close(b"S", "s") + bind("8", name="s") + execute() + SYNC_FRAME,
            close(b"S", "never there") + close(b"P", "nor this") + SYNC_FRAME,
        ],
        3,
    ),
    "statements of SQL": (
        [
            q("PREPARE p (int) AS SELECT $1 + 1; EXECUTE p (1)"),
            bind("2", name="p") + describe(b"P") + execute() + SYNC_FRAME,
            q("DEALLOCATE p"),
            q("EXECUTE p (3)"),
            bind("2", name="p") + SYNC_FRAME,
        ],
        5,
    ),
    "all statements forgotten": (
        [parse("SELECT 1", "s") + SYNC_FRAME, q("DISCARD ALL"), bind(name="s") + execute() + SYNC_FRAME],
        3,
    ),
    "names that do not exist": (
        [
            execute("nothing") + SYNC_FRAME,
            describe(b"P", "nothing") + SYNC_FRAME,
            describe(b"S", "nothing") + SYNC_FRAME,
            bind(name="nothing") + SYNC_FRAME,
        ],
        4,
    ),
    # --- portals and cursors ---
    "portals by turns": (
        [
            q("BEGIN"),
            parse("SELECT i FROM generate_series(1, 5) i", "s"),
            bind(name="s", portal="one") + bind(name="s", portal="two") + describe(b"P", "one"),
            execute("one", 2) + execute("two", 3) + execute("one", 2) + execute("two", 3) + execute("one", 2),
            SYNC_FRAME,
            q("COMMIT"),
            execute("one") + SYNC_FRAME,
        ],
        4,
    ),
    "cursors of SQL": (
        [
            q("BEGIN; DECLARE c SCROLL CURSOR FOR SELECT i FROM generate_series(1, 9) i; FETCH 2 FROM c"),
            describe(b"P", "c") + execute("c", 3) + SYNC_FRAME,
            q("FETCH ABSOLUTE 9 FROM c; MOVE BACKWARD ALL FROM c; FETCH c; CLOSE c; FETCH c"),
            q("ROLLBACK"),
        ],
        4,
    ),
    # --- transactions and settings ---
    "transactions": (
        [
            q("BEGIN; INSERT INTO plain (name) VALUES ('a'); SAVEPOINT s; SELECT 1/0"),
            q("SELECT 1"),
            q("ROLLBACK TO s; SELECT count(*) FROM plain; COMMIT AND CHAIN"),
            q("ROLLBACK"),
        ],
        4,
    ),
    "two phases": (
        [
            q("BEGIN; INSERT INTO plain (name) VALUES ('a')"),
            q("PREPARE TRANSACTION 'x'"),
            q("ROLLBACK PREPARED 'x'"),
            q("ROLLBACK PREPARED 'x'"),
        ],
        4,
    ),
    "settings": (
        [
            q("SET DateStyle = 'German'; SET TimeZone = 'Asia/Tokyo'; SELECT '2020-02-01'::date"),
            q("SET client_encoding = 'LATIN1'"),
            q("SELECT chr(233)"),
            q("BEGIN; SET LOCAL application_name = 'mine'; ROLLBACK; RESET ALL"),
        ],
        4,
    ),
    # --- whatever else a server says ---
    "several statements": (
        [q("SELECT 1; SELECT 'a' AS b WHERE false; SELECT 1/0; SELECT 2"), q(";"), q("")],
        3,
    ),
    "empty statements": ([statement(""), SYNC_FRAME, statement("-- nothing"), SYNC_FRAME], 2),
    "errors": (
        [
            q("SELEKT 1"),
            q("SELECT nothing FROM plain"),
            q("SELECT * FROM nowhere"),
            q("INSERT INTO plain (id) VALUES (1), (1)"),
            statement(INSERT, "a") + SYNC_FRAME,
            statement("SELECT $1::int", "x") + SYNC_FRAME,
        ],
        6,
    ),
    "notices": (
        [q("DO $$BEGIN RAISE WARNING 'w %', 1 USING HINT = 'h'; END$$; DROP TABLE IF EXISTS nowhere")],
        1,
    ),
    "notifications": ([q("LISTEN x; NOTIFY x, 'payload'"), q("UNLISTEN *")], 2),
    "large values": ([statement("SELECT $1::text || repeat('b', 300000)", "a" * 300_000), SYNC_FRAME], 1),
    "many rows": ([statement("SELECT i, i * 2 FROM generate_series(1, 5000) i"), SYNC_FRAME], 1),
    "temporary tables": (
        [
            q("CREATE TEMP TABLE t (a int)"),
            q("INSERT INTO t VALUES (1); SELECT a + 0 FROM t; DROP TABLE t; TABLE t"),
        ],
        2,
    ),
}


def _answers(host: str, port: int, veil: Veil, sent: Sequence[bytes], ready: int) -> list[Message]:
    veil.database.execute("TRUNCATE plain RESTART IDENTITY")
    with Raw(host, port, veil.database.name) as raw:
        raw.send(*sent)
        return [_masked(message) for message in raw.until_ready(ready)]


def _masked(message: Message) -> Message:
    """Without what may differ: who sent a notification, where in the server's source an error was raised."""
    kind, body = message
    if kind == _NOTIFICATION:
        return kind, body[4:]
    if kind == "E":
        return kind, _SOURCE.sub(b"", body)
    return message


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_same_messages(proxy: Veil, name: str) -> None:
    """The client sees what it would see without pgveil: every message, every field, in this order."""
    sent, ready = CONVERSATIONS[name]
    server = proxy.database.postgres
    direct = _answers(server.host, server.port, proxy, sent, ready)
    assert _answers(proxy.host, proxy.port, proxy, sent, ready) == direct


# Column of `kinds`, its type, and a value as a driver spells it in text.
SPELLINGS = [
    ("a_bool", "bool", "TRUE"),  # pgjdbc
    ("a_bool", "bool", "1"),
    ("an_int4", "int4", " 7"),
    ("a_float8", "float8", "2.5E9"),
    ("a_float8", "float8", "-Infinity"),
    ("a_numeric", "numeric", "1E+3"),
    ("a_date", "date", "1999-08-07 10:11:12.345678+02"),  # a timestamp of pgjdbc, or of node-postgres
    ("a_date", "date", "0006-03-31 BC"),
    ("a_time", "time", "10:11:12+02"),
    ("a_timestamp", "timestamp", "1999-08-07T10:11:12.345+00:00"),
    ("a_timestamptz", "timestamptz", "1999-08-07T10:11:12.345Z"),
    ("a_timestamptz", "timestamptz", "1999-08-07 10:11:12.345678 +02:00:00"),  # pgjdbc
    ("an_interval", "interval", "0 years 1 mons 2 days 3 hours 4 mins 5.6 secs"),  # pgjdbc
    ("an_interval", "interval", "P1MT-3.5S"),
    ("a_uuid", "uuid", "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}"),
    ("a_bytea", "bytea", "\\000\\\\k"),  # the escape format
    ("some_texts", "text[]", '{"a","b \\"c\\"",NULL,"NULL"}'),
    ("some_ints", "int4[]", '{"1","2",NULL}'),
    ("a_date", "date", "1999-08-07 +02"),  # a java.sql.Date
    ("a_timestamp", "timestamp", "1999-08-07 +02"),
    ("a_timestamptz", "timestamptz", "1999-08-07 +02"),
]


@pytest.mark.parametrize(("column", "kind", "value"), SPELLINGS)
def test_values_as_drivers_spell_them(proxy: Veil, column: str, kind: str, value: str) -> None:
    """A protected column takes what its type takes, and gives it back as that does."""
    server = proxy.database.postgres
    with Raw(server.host, server.port, proxy.database.name) as raw:
        raw.send(statement(f"SELECT $1::{kind}", value), SYNC_FRAME)
        expected = rows(raw.until_ready())
    with Raw(proxy.host, proxy.port, proxy.database.name) as raw:
        raw.send(statement(f"INSERT INTO kinds ({column}) VALUES ($1) RETURNING {column}", value), SYNC_FRAME)
        answer = raw.until_ready()
    assert (sqlstates(answer), rows(answer)) == ([], expected)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM coming",
        "INSERT INTO public.coming (a) VALUES ('x')",
        "SELECT token FROM there",
        "SELECT t.token FROM there t",
        "INSERT INTO there (token) VALUES ('x')",
        "UPDATE there t SET token = 'x'",
    ],
)
def test_what_does_not_exist(database18: Database, veil: Veils, sql: str) -> None:
    """The policy may name what is made later; until then the server's own error says so."""
    database18.execute("CREATE TABLE there (id int)")
    policy = "version: 1\nclasses: {c: {mode: randomized}}\ntables: {coming: {a: c}, there: {token: c}}\n"
    proxy = veil(database18, policy)
    errors = []
    for dsn in (database18.dsn, proxy.dsn()):
        with psycopg.connect(dsn) as connection, pytest.raises(psycopg.Error) as caught:
            connection.execute(sql.encode())
        errors.append((caught.value.sqlstate, caught.value.diag.message_primary))
    assert errors[0] == errors[1]


def test_a_database_can_be_dropped(proxy: Veil) -> None:
    """pgveil's own connection to a database ends when nobody uses the database any more."""
    with proxy.connect() as connection:
        connection.execute("CREATE DATABASE passing")
        with psycopg.connect(proxy.dsn().replace(proxy.database.name, "passing"), autocommit=True) as other:
            other.execute("CREATE TABLE t (a int)")
        connection.execute("DROP DATABASE passing")
