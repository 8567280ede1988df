"""Texts that make tables and use them, sent as one simple query: the answer is that of PostgreSQL.

Every text goes through pgveil and to a plain database beside it; nothing of the values may be stored in
clear, or logged, and both databases hold the same afterwards.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.wire.backend import RowDescription
from proxy.wire.frames import COPY_DONE, TERMINATE, frame
from proxy.wire.frontend import CopyData, CopyFail, Query
from tests.integration.raw import SYNC_FRAME, Message, Raw, statement
from tests.postgres import Database, Postgres
from tests.proxy_process import Veil, Veils

POLICY = """
version: 1
classes:
  lookup: {mode: deterministic}
  secret: {mode: randomized}
tables:
  people:
    email: {class: lookup, key: mail}
    ssn: secret
    age: {class: lookup, type: int4}
  letters:
    sender: {class: lookup, key: mail}
"""
RESET = """
DROP TABLE IF EXISTS people, letters, notes, others CASCADE; DROP VIEW IF EXISTS contacts;
DROP FUNCTION IF EXISTS make(text); DROP TYPE IF EXISTS mood CASCADE; DROP SCHEMA IF EXISTS more CASCADE;
"""
PEOPLE = "CREATE TABLE people (id int, email text, ssn text, age int)"
MADE = f"{PEOPLE}; INSERT INTO people VALUES (1, 'kanarie')"


@dataclass
class Twins:
    """A session through pgveil, and one on a plain database."""

    veil: Veil
    plain: Database
    sessions: tuple[Raw, Raw]

    def both(self, *messages: bytes, count: int = 1) -> tuple[list[str], list[str]]:
        """The answers of both to the same bytes."""
        for raw in self.sessions:
            raw.send(*messages)
        veiled, plain = ([shown(m) for m in raw.until_ready(count)] for raw in self.sessions)
        return [line for line in veiled if line], [line for line in plain if line]

    def same(self, *messages: bytes, count: int = 1) -> list[str]:
        """The answer, which is that of the plain database."""
        veiled, plain = self.both(*messages, count=count)
        assert veiled == plain
        return veiled

    def text(self, text: str) -> list[str]:
        return self.same(Query(text.encode()).pack())


def shown(message: Message) -> str:
    """A message as a line; notices, but nothing else of what may come at any time."""
    kind, body = message
    if kind in "EN":
        fields = {part[:1]: part[1:].decode() for part in body.split(b"\0") if part}
        at = f" at {fields[b'P']}" if b"P" in fields else ""
        return f"{kind} {fields[b'C']}: {fields[b'M']}{at}"
    if kind == "T":
        columns = RowDescription.parse(body).fields
        return f"T {[(column.name, column.type_oid, column.typmod, column.format) for column in columns]}"
    return "" if kind in "SA" else f"{kind} {body!r}"


@pytest.fixture(scope="module")
def proxies(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Veil, Database]]:
    with postgres.database() as database, postgres.database() as plain:
        yield Veils(tmp_path_factory.mktemp("script"))(database, POLICY), plain


@pytest.fixture
def twins(proxies: tuple[Veil, Database]) -> Iterator[Twins]:
    veil, plain = proxies
    veiled = Raw(veil.host, veil.port, veil.database.name)
    direct = Raw(plain.postgres.host, plain.postgres.port, plain.name)
    with veiled, direct:
        yield Twins(veil, plain, (veiled, direct))
    veil.assert_no_leak()
    for database in (veil.database, plain):
        database.execute(RESET)


# What an application, a migration tool or psql -c sends as one text.
TEXTS = {
    "a table and its rows": f"{MADE}; SELECT * FROM people",
    "a column": f"{PEOPLE}; ALTER TABLE people DROP COLUMN id; INSERT INTO people VALUES ('kanarie', 'y', 3);"
    " SELECT email FROM people WHERE age = 3",
    "an error": f"{PEOPLE}; INSERT INTO people VALUES (1, 'kanarie', 'x', 17); SELECT 1/0; SELECT 2",
    "an error with its place": f"{PEOPLE};\n/* é; */ SELECT email,\n nothing FROM people; SELECT 2",
    "an error behind a value": f"{PEOPLE}; UPDATE people SET email = 'kanarie' WHERE nothing = 1",
    "a block": f"BEGIN; {MADE}; COMMIT; SELECT email FROM people",
    "a block that is open": f"BEGIN; {MADE}",
    "a block that fails": f"BEGIN; {MADE}; SELECT 1/0; COMMIT",
    "a block that begins late": f"{MADE}; BEGIN;"
    " INSERT INTO people VALUES (2, 'kanarie'); ROLLBACK; SELECT 1",
    "a block that cannot begin": f"{MADE}; BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1",
    "a commit of nothing": f"{MADE}; COMMIT; SELECT 1/0",
    "a rollback of nothing": f"{MADE}; ROLLBACK; SELECT 1",
    "a commit and chain": f"{MADE}; COMMIT AND CHAIN; SELECT 1",
    "a block and chain": f"BEGIN; {PEOPLE}; COMMIT AND CHAIN; INSERT INTO people VALUES (1, 'kanarie')",
    "a savepoint outside a block": f"{MADE}; SAVEPOINT s; SELECT 1",
    "savepoints": f"BEGIN; SAVEPOINT s; {MADE}; ROLLBACK TO s;"
    f" {PEOPLE}; INSERT INTO people (email) VALUES ('kanarie') RETURNING email; COMMIT",
    "vacuum": f"{MADE}; VACUUM people",
    "vacuum behind a commit": f"BEGIN; {MADE}; COMMIT; VACUUM people",
    "a database": f"{MADE}; CREATE DATABASE never",
    "a procedure's commit": f"{MADE}; DO $$ BEGIN COMMIT; END $$",
    "settings": f"{PEOPLE}; SET LOCAL datestyle = 'German'; INSERT INTO people VALUES (1, 'kanarie');"
    " SELECT email, date '2020-02-03' FROM people; SHOW transaction_isolation",
    "a lock and a cursor": f"{MADE}; LOCK TABLE people;"
    " DECLARE c CURSOR FOR SELECT email FROM people; FETCH c; CLOSE c",
    "a prepared statement": f"{PEOPLE}; PREPARE p (text) AS INSERT INTO people (email) VALUES ($1);"
    " EXECUTE p ('kanarie'); DEALLOCATE p; SELECT email FROM people",
    "notices": f"DROP TABLE IF EXISTS people; {PEOPLE}; CREATE TABLE IF NOT EXISTS people (id int);"
    " INSERT INTO people VALUES (1, 'kanarie')",
    "a constraint at the end": f"{PEOPLE}; ALTER TABLE people ADD UNIQUE (email)"
    " DEFERRABLE INITIALLY DEFERRED; INSERT INTO people (email) VALUES ('kanarie'), ('kanarie')",
    "a view": f"{PEOPLE}; CREATE VIEW contacts AS SELECT email AS mail FROM people;"
    " INSERT INTO contacts VALUES ('kanarie'); SELECT mail FROM contacts",
    "a function": "CREATE FUNCTION make(name text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN"
    " EXECUTE format('CREATE TABLE %I (id int, email text)', name); END $$;"
    " SELECT make('people'); INSERT INTO people (email) VALUES ('kanarie'); SELECT email FROM people",
    "another encoding": f"{MADE}; SET client_encoding = 'LATIN1';"
    " INSERT INTO people (email) VALUES ('kanarie é');"
    " SELECT email, 'é' FROM people; RESET client_encoding; SELECT email, 'é' FROM people",
    "another path": f"{MADE}; CREATE SCHEMA IF NOT EXISTS elsewhere; SET LOCAL search_path = elsewhere;"
    " CREATE TABLE people (email text); INSERT INTO people VALUES ('in clear'); TABLE people;"
    " DROP SCHEMA elsewhere CASCADE; SET LOCAL search_path = public; SELECT email FROM people",
    "two tables": f"{PEOPLE}; CREATE TABLE letters (sender text); CREATE UNIQUE INDEX i ON people (email);"
    " ALTER TABLE letters ADD FOREIGN KEY (sender) REFERENCES people (email);"
    " INSERT INTO people (email) VALUES ('kanarie'); INSERT INTO letters VALUES ('kanarie');"
    " SELECT email FROM people JOIN letters ON sender = email",
    "nothing at its end": f"; ; {PEOPLE};; INSERT INTO people VALUES (1, 'kanarie') ; -- that is all\n;",
    "a table that is dropped": f"{MADE}; DROP TABLE people;"
    " CREATE TABLE people (email text); INSERT INTO people VALUES ('kanarie'); TABLE people",
    "a failed block before it": f"ROLLBACK; BEGIN; {MADE}",
}
AFTERWARDS = ("ROLLBACK", "SELECT relname FROM pg_class WHERE relname IN ('people', 'letters') ORDER BY 1")


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_the_same_as_postgresql(twins: Twins, text: str) -> None:
    twins.text(text)
    made = [twins.text(query) for query in AFTERWARDS][-1]
    if any("people" in line for line in made):
        twins.text("SELECT email FROM people")


@pytest.mark.parametrize(
    "text",
    [
        "ALTER TABLE people ADD COLUMN size int; TABLE people",
        "ALTER TABLE people ADD COLUMN size int; ALTER TABLE people DROP COLUMN id; SELECT * FROM people",
        "ALTER TABLE people ADD COLUMN ssn text; ALTER TABLE people ALTER COLUMN ssn SET DEFAULT 'kanarie';"
        " INSERT INTO people (id) VALUES (2); TABLE people",
        "ALTER TABLE people ADD COLUMN ssn text; INSERT INTO children (ssn) VALUES ('kanarie'); TABLE people",
        "ALTER TABLE others ADD COLUMN size int; SELECT * FROM people JOIN others USING (id)",
        "ALTER TABLE others ADD COLUMN size int; ALTER TABLE others ADD UNIQUE (size); TABLE others",
    ],
)
def test_columns_that_the_same_text_gives_a_table(twins: Twins, text: str) -> None:
    """A star has them, as have the table's children."""
    twins.text(
        "CREATE TABLE people (id int, email text); CREATE TABLE children () INHERITS (people);"
        "CREATE TABLE others (id int)"
    )
    twins.text("INSERT INTO people VALUES (1, 'kanarie'); INSERT INTO others VALUES (1)")
    twins.text(text)


# What comes between may move a table's columns, or make another one of them protected, without naming it.
MOVES = {
    "a type": (
        "CREATE TYPE mood AS ENUM ('happy'); CREATE TABLE people (m mood, email text)",
        "DROP TYPE mood CASCADE; INSERT INTO people VALUES ('kanarie'); TABLE people",
    ),
    "a schema": (
        "CREATE SCHEMA more; CREATE DOMAIN more.mood AS text; CREATE TABLE people (m more.mood, email text)",
        "DROP SCHEMA more CASCADE; INSERT INTO people VALUES ('kanarie'); TABLE people",
    ),
    "a function": (
        "CREATE FUNCTION make(n text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT n';"
        "CREATE TABLE people (id text, made text GENERATED ALWAYS AS (make(id)) STORED, email text)",
        "DROP FUNCTION make CASCADE; INSERT INTO people VALUES (1, 'kanarie'); TABLE people",
    ),
    "a table's row type": (
        "CREATE TABLE notes (id int); CREATE TABLE people (note notes, email text)",
        "DROP TABLE notes CASCADE; INSERT INTO people VALUES ('kanarie'); TABLE people",
    ),
    "an attribute": (
        "CREATE TYPE mood AS (id text, email text); CREATE TABLE people OF mood",
        "ALTER TYPE mood DROP ATTRIBUTE id CASCADE; INSERT INTO people VALUES ('kanarie'); TABLE people",
    ),
    "an attribute's name": (
        "CREATE TYPE mood AS (id int, mail text); CREATE TABLE people OF mood",
        "ALTER TYPE mood RENAME ATTRIBUTE mail TO email CASCADE; INSERT INTO people VALUES (1, 'kanarie')",
    ),
    "a column's name": (
        "CREATE TABLE people (id int, mail text); CREATE TABLE others () INHERITS (people)",
        "ALTER TABLE people RENAME COLUMN mail TO email; INSERT INTO others VALUES (1, 'kanarie')",
    ),
    "a column's name below a view": (
        "CREATE TABLE people (id int, mail text); CREATE VIEW contacts AS SELECT id, mail FROM people",
        "ALTER TABLE people RENAME COLUMN mail TO email; INSERT INTO contacts VALUES (1, 'kanarie')",
    ),
    "a table's name below a view": (
        "CREATE TABLE others (id int, email text); CREATE VIEW contacts AS SELECT id, email FROM others",
        "ALTER TABLE others RENAME TO people; INSERT INTO contacts VALUES (1, 'kanarie')",
    ),
}


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("made", MOVES)
def test_columns_that_move_with_something_else(twins: Twins, made: str, together: bool) -> None:
    before, text = MOVES[made]
    twins.text(before)
    for part in [text] if together else text.split("; "):
        twins.text(part)
    twins.text("DROP TYPE IF EXISTS mood CASCADE")


def test_columns_of_tables_that_are_there(twins: Twins) -> None:
    twins.text("CREATE TABLE people (id int, email text); CREATE VIEW contacts AS SELECT email FROM people")
    twins.text(
        "ALTER TABLE people ADD COLUMN ssn text; UPDATE people SET ssn = 'kanarie'; SELECT ssn FROM people"
    )
    twins.text(
        "ALTER TABLE people ADD COLUMN age int DEFAULT 1733173317; INSERT INTO people VALUES (1, 'kanarie')"
    )
    twins.text(
        "ALTER TABLE people DROP COLUMN id; INSERT INTO people VALUES ('kanarie', 'kanarie'); TABLE people"
    )
    twins.text(
        "CREATE OR REPLACE VIEW contacts AS SELECT email, age FROM people; TABLE contacts; DROP VIEW contacts"
    )


# --- what else is sent with it ----------------------------------------------------------------------------

COPIES = f"{PEOPLE}; COPY people (id, email) FROM STDIN; COPY people (email) FROM STDIN; TABLE people"
ROWS = CopyData(b"1\tkanarie\n2\tkanarie two\n").pack()
MORE_ROWS = CopyData(b"kanarie thr").pack() + CopyData(b"ee\n").pack()


def until(raw: Raw, kind: str) -> None:
    """Read up to a message of a type."""
    while True:
        message = raw.message()
        assert message is not None
        if message[0] == kind:
            return


def test_rows_of_copy(twins: Twins) -> None:
    for raw in twins.sessions:
        raw.send(Query(COPIES.encode()).pack())
        for rows in (ROWS, MORE_ROWS):
            until(raw, "G")
            raw.send(rows, frame(COPY_DONE))
    veiled, plain = ([shown(m) for m in raw.until_ready()] for raw in twins.sessions)
    assert veiled == plain
    assert len([line for line in veiled if line.startswith("D")]) == 3


def test_rows_that_are_sent_with_the_text(twins: Twins) -> None:
    answer = twins.same(Query(COPIES.encode()).pack(), ROWS, frame(COPY_DONE), MORE_ROWS, frame(COPY_DONE))
    assert len([line for line in answer if line.startswith("D")]) == 3


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("ADD COLUMN ssn text; COPY people (ssn) FROM STDIN", "kanarie"),
        ("ADD COLUMN ssn text; COPY people (id, ssn, email) FROM STDIN", "1\tkanarie\tkanarie"),
        ("ADD COLUMN ssn text; COPY people FROM STDIN", "1\tkanarie\tkanarie"),
        ("ADD COLUMN size int; COPY people (size, email) FROM STDIN", "7\tkanarie"),
        ("DROP COLUMN id, ADD COLUMN ssn text; COPY people FROM STDIN", "kanarie\tkanarie"),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_rows_for_a_column_of_the_same_text(twins: Twins, together: bool, text: str, rows: str) -> None:
    """Each value is for the column at its place, and a new column may be one that the policy names."""
    twins.text("CREATE TABLE people (id int, email text)")
    data = CopyData(f"{rows}\n".encode()).pack() + frame(COPY_DONE)
    for raw in twins.sessions:
        raw.send(Query(f"ALTER TABLE people {text}; SELECT email FROM people".encode()).pack())
        if not together:
            until(raw, "G")
        raw.send(data)
    veiled, plain = ([shown(m) for m in raw.until_ready()] for raw in twins.sessions)
    assert veiled == plain
    twins.text("TABLE people")


@pytest.mark.parametrize(
    "behind", [CopyFail(b"enough").pack(), CopyData(b"no number\tx\n").pack() + frame(COPY_DONE)]
)
def test_a_copy_that_fails(twins: Twins, behind: bytes) -> None:
    answer = twins.same(Query(COPIES.encode()).pack(), behind)
    assert answer[-1] == "Z b'I'"
    twins.text(AFTERWARDS[-1])


def test_what_is_pipelined_behind_it(twins: Twins) -> None:
    twins.same(
        Query(f"{MADE}; SELECT 1/0".encode()).pack(),
        Query(b"BEGIN").pack(),
        Query(f"{MADE}; SAVEPOINT s; SELECT 1/0".encode()).pack(),
        statement("SELECT 1"),
        SYNC_FRAME,
        Query(b"ROLLBACK TO s; SELECT email FROM people; COMMIT").pack(),
        count=5,
    )


def test_one_byte_at_a_time(twins: Twins) -> None:
    text = Query(f"{MADE}; SELECT email FROM people".encode()).pack() + Query(b"TABLE people").pack()
    for raw in twins.sessions:
        raw.send(text, one_at_a_time=True)
    veiled, plain = ([shown(m) for m in raw.until_ready(2)] for raw in twins.sessions)
    assert veiled == plain


def test_a_client_that_leaves_at_once(twins: Twins) -> None:
    """It reads no answer, but has said all that it had to say: the server does it to the end."""
    for raw in twins.sessions:
        raw.send(Query(f"{MADE}; {MADE.replace(PEOPLE, 'SELECT 1')}".encode()).pack(), frame(TERMINATE))
        raw.socket.shutdown(socket.SHUT_WR)
        raw.until_closed()
    for database in (twins.veil.database, twins.plain):
        assert database.execute("SELECT count(*) FROM people") == [(2,)]


def test_a_refused_statement_undoes_those_before_it(twins: Twins) -> None:
    veiled, _ = twins.both(Query(f"{MADE}; SELECT max(email) FROM people".encode()).pack())
    assert [line[:8] for line in veiled][-2:] == ["E 0A000:", "Z b'I'"]
    assert twins.veil.database.execute("SELECT FROM pg_class WHERE relname = 'people'") == []


# --- drivers ---------------------------------------------------------------------------------------------


async def test_asyncpg(twins: Twins) -> None:
    connection = await asyncpg.connect(twins.veil.dsn())
    try:
        await connection.execute(f"{MADE}; UPDATE people SET email = 'kanarie two'")
        assert await connection.fetchval("SELECT email FROM people") == "kanarie two"
        async with connection.transaction():
            await connection.execute(
                "CREATE TABLE letters (sender text); INSERT INTO letters VALUES ('kanarie')"
            )
        assert await connection.fetchval("SELECT sender FROM letters") == "kanarie"
    finally:
        await connection.close()


def test_psql(twins: Twins) -> None:
    words = [
        str(twins.plain.postgres.psql),
        twins.veil.dsn(),
        "-qXAt",
        "-c",
        f"{MADE}; SELECT email FROM people",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    assert (done.stdout, done.stderr) == ("kanarie\n", "")


# --- any text of such statements --------------------------------------------------------------------------

STATEMENTS = (
    PEOPLE,
    "DROP TABLE IF EXISTS people",
    "ALTER TABLE people DROP COLUMN id",
    "ALTER TABLE people RENAME COLUMN id TO number",
    "ALTER TABLE people ADD COLUMN IF NOT EXISTS size int DEFAULT 1",
    "ALTER TABLE people DROP COLUMN ssn",
    "ALTER TABLE people ADD COLUMN ssn text",
    "ALTER TABLE people ALTER COLUMN ssn SET DEFAULT 'kanarie default'",
    "CREATE TABLE IF NOT EXISTS children () INHERITS (people);"
    " INSERT INTO children (email, ssn) VALUES ('kanarie', 'kanarie ssn') RETURNING *",
    "TABLE people",
    "INSERT INTO people VALUES (1, 'kanarie', 'kanarie ssn', 1733173317)",
    "INSERT INTO people (email) VALUES ('kanarie') RETURNING email",
    "UPDATE people SET email = 'kanarie two' WHERE email = 'kanarie'",
    "SELECT email, age FROM people",
    "CREATE UNIQUE INDEX ON people (email)",
    *("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "ROLLBACK TO s", "RELEASE s", "COMMIT AND CHAIN"),
    *("SELECT 1/0", "SET LOCAL work_mem = '5MB'", "SHOW work_mem", "VACUUM"),
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=9).map("; ".join), max_size=3))
def test_any_texts(twins: Twins, texts: list[str]) -> None:
    """What pgveil itself says does not exist has no place in the text."""
    try:
        for text in [*texts, "ROLLBACK"]:
            veiled, plain = twins.both(Query(text.encode()).pack())
            assert without_places(veiled) == without_places(plain), text
        assert twins.text(AFTERWARDS[-1])
    finally:
        for raw in twins.sessions:
            raw.query("ROLLBACK; DROP TABLE IF EXISTS people CASCADE; RESET work_mem")


def without_places(lines: list[str]) -> list[str]:
    return [_without_place(line) for line in lines]


def _without_place(line: str) -> str:
    if line.startswith("E 22P02"):  # pgveil does not repeat a value
        return line.partition(': "')[0]
    return line.rpartition(" at ")[0] if line.startswith("E 42") and " at " in line else line
