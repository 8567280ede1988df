"""COPY of what is more than a plain table, of encodings and huge values; and COPY that comes to no end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.postgres import Database, Postgres
from tests.proxy_process import Veil, Veils

TABLES = """
CREATE TABLE events (id int GENERATED ALWAYS AS IDENTITY, size int,
  twice int GENERATED ALWAYS AS (size * 2) STORED,
  email text, born {date}, note text DEFAULT 'none') PARTITION BY RANGE (size);
CREATE TABLE events_low PARTITION OF events FOR VALUES FROM (0) TO (10);
CREATE TABLE events_high (note text, born {date}, email text, size int,
  twice int GENERATED ALWAYS AS (size * 2) STORED, id int NOT NULL);
ALTER TABLE events_high ALTER note SET DEFAULT 'none';
ALTER TABLE events ATTACH PARTITION events_high FOR VALUES FROM (10) TO (100);
CREATE VIEW mails AS SELECT size, email, note FROM events;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO events (size, email, note) VALUES (NEW.size, NEW.email, NEW.note); RETURN NEW; END';
CREATE TABLE files (id int PRIMARY KEY, body text);
"""
TRIGGER = "CREATE TRIGGER keep INSTEAD OF INSERT ON mails FOR EACH ROW EXECUTE FUNCTION keep()"
POLICY = """
version: 1
classes:
  lookup: {sensitivity: high, mode: deterministic}
  secret: {sensitivity: high, mode: randomized}
tables:
  events: {email: lookup, born: {class: secret, type: date}}
  files: {body: secret}
"""
SHOWN = "SELECT size, twice, email, born, note FROM events ORDER BY size, note"


class Both:
    """A connection through pgveil, and one to a twin without encryption."""

    def __init__(self, veil: Veil, twin: Database) -> None:
        self.veil = veil
        self.connections = (veil.connect(), twin.connect())

    def copy_in(self, sql: str, data: bytes) -> list[str]:
        """The tags, or the SQLSTATEs and contexts."""
        found = []
        for connection in self.connections:
            try:
                with connection.cursor() as cursor:
                    with cursor.copy(sql) as copy:
                        copy.write(data)
                    found.append(cursor.statusmessage or "")
            except psycopg.Error as error:
                found.append(f"{error.sqlstate} {(error.diag.context or '').split(':')[0]}")
        return found

    def copy_out(self, sql: str) -> list[bytes]:
        found = []
        for connection in self.connections:
            with connection.cursor().copy(sql) as copy:
                found.append(b"".join(sorted(bytes(piece) for piece in copy)))
        return found

    def run(self, sql: str) -> None:
        for connection in self.connections:
            connection.execute(sql)

    def same(self, sql: str = SHOWN) -> list[tuple[Any, ...]]:
        """The rows that both have."""
        veiled, plain = (connection.execute(sql).fetchall() for connection in self.connections)
        assert veiled == plain
        return veiled

    def close(self) -> None:
        for connection in self.connections:
            connection.close()


@pytest.fixture(scope="module")
def started(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Veil, Database]]:
    with postgres.database() as database, postgres.database() as twin:
        database.execute(TABLES.format(date="bytea") + TRIGGER)
        twin.execute(TABLES.format(date="date") + TRIGGER)
        yield Veils(tmp_path_factory.mktemp("tables"))(database, POLICY), twin


@pytest.fixture
def both(started: tuple[Veil, Database]) -> Iterator[Both]:
    both = Both(*started)
    both.run("TRUNCATE events, files RESTART IDENTITY")
    yield both
    both.close()
    both.veil.assert_no_leak()


ROWS = b"1\tkanarie-1\t1973-03-31\tone\n12\tkanarie-2\t\\N\t\\N\n5\t\\N\t1973-03-31\tfive\n"


def test_a_partitioned_table(both: Both) -> None:
    """Identity, generated and default columns are the server's; rows find their partition."""
    assert both.copy_in("COPY events (size, email, born, note) FROM STDIN", ROWS) == ["COPY 3"] * 2
    assert both.copy_in("COPY events (size, email) FROM STDIN", b"7\tkanarie-7\n") == ["COPY 1"] * 2
    assert [row[2] for row in both.same()] == ["kanarie-1", None, "kanarie-7", "kanarie-2"]
    veiled, plain = both.copy_out("COPY (SELECT * FROM events) TO STDOUT (FORMAT csv)")
    assert veiled == plain
    outside = both.copy_in("COPY events (size, email) FROM STDIN", b"1\tkanarie\n700\tkanarie-700\n")
    assert outside[0] == outside[1] == "23514 COPY events, line 2"


def test_all_columns_that_may_be_written(both: Both) -> None:
    assert both.copy_in("COPY events FROM STDIN", b"9\t1\tkanarie\t1973-03-31\tnote\n") == ["COPY 1"] * 2
    assert both.same("SELECT id, size, twice, email FROM events") == [(9, 1, 2, "kanarie")]
    generated = both.copy_in("COPY events (twice, email) FROM STDIN", b"9\tkanarie\n")
    assert generated[0] == generated[1]
    assert generated[0].startswith("42P10")


def test_a_partition_by_its_own_name(both: Both) -> None:
    """With its id, which the server makes itself there from PostgreSQL 17 on only."""
    done = both.copy_in("COPY events_low (id, size, email) FROM STDIN", b"1\t1\tkanarie-1\n")
    assert done == ["COPY 1"] * 2
    assert both.same() == [(1, 2, "kanarie-1", None, "none")]


def test_a_condition_and_defaults(both: Both) -> None:
    sql = "COPY events (size, email, note) FROM STDIN (FORMAT csv{}) WHERE size < 10"
    assert both.copy_in(sql.format(""), b"1,kanarie-1,a\n12,kanarie-2,b\n") == ["COPY 1"] * 2
    if both.connections[0].info.server_version >= 160_000:
        assert both.copy_in(sql.format(", DEFAULT 'D'"), b"2,kanarie-3,D\n") == ["COPY 1"] * 2
    both.same()


def test_a_view(both: Both) -> None:
    """COPY FROM feeds the trigger of a view, which sees ciphertext; COPY TO wants a query."""
    assert both.copy_in("COPY mails (size, email, note) FROM STDIN", b"1\tkanarie-1\ta\n") == ["COPY 1"] * 2
    assert both.same() == [(1, 2, "kanarie-1", None, "a")]
    veiled, plain = both.copy_out("COPY (SELECT email, size FROM mails WHERE email = 'kanarie-1') TO STDOUT")
    assert veiled == plain == b"kanarie-1\t1\n"
    for connection in both.connections:
        with pytest.raises(psycopg.errors.WrongObjectType), connection.cursor().copy("COPY mails TO STDOUT"):
            pass


def test_statements_that_return(both: Both) -> None:
    for verb, expected in (
        ("INSERT INTO events (size, email) VALUES (1, 'kanarie-1') RETURNING email, size", b"kanarie-1\t1\n"),
        ("UPDATE events SET email = 'kanarie-2' WHERE email = 'kanarie-1' RETURNING email", b"kanarie-2\n"),
        ("DELETE FROM events WHERE email = 'kanarie-2' RETURNING email, born", b"kanarie-2\t\\N\n"),
    ):
        assert both.copy_out(f"COPY ({verb}) TO STDOUT") == [expected] * 2


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1252", "EUC_CN", "UTF8"])
@pytest.mark.parametrize("form", ["text", "csv"])
def test_encodings(both: Both, encoding: str, form: str) -> None:
    """Of the COPY, or of the client."""
    codec = {"LATIN1": "latin-1", "WIN1252": "cp1252", "EUC_CN": "gb2312", "UTF8": "utf-8"}[encoding]
    value = "kanarie \u4e2d\u6587" if encoding in ("EUC_CN", "UTF8") else "kanarie \u00e9\u00fc"
    separator = "," if form == "csv" else "\t"
    line = f"1{separator}{value}\n".encode(codec)
    how = f"(FORMAT {form}, ENCODING '{encoding}')"
    assert both.copy_in(f"COPY events (size, email) FROM STDIN {how}", line) == ["COPY 1"] * 2
    assert [row[2] for row in both.same()] == [value]
    assert both.copy_out(f"COPY (SELECT size, email FROM events) TO STDOUT {how}") == [line] * 2
    both.run(f"SET client_encoding = '{encoding}'")
    assert both.copy_in(f"COPY events (size, email) FROM STDIN (FORMAT {form})", line) == ["COPY 1"] * 2
    assert both.copy_out(f"COPY (SELECT size, email FROM events) TO STDOUT (FORMAT {form})") == [line * 2] * 2


def test_encodings_that_pgveil_cannot_be_sure_of(both: Both) -> None:
    for encoding in ("SJIS", "EUC_JP"):
        how = f"COPY events (email) FROM STDIN (ENCODING '{encoding}')"
        assert both.copy_in(how, b"kanarie\n")[0] == "0A000 "


def test_freeze(both: Both) -> None:
    """Rows frozen at once, in the transaction that has truncated the table."""
    for connection in both.connections:
        with connection.transaction():
            connection.execute("TRUNCATE files")
            with connection.cursor().copy("COPY files FROM STDIN (FREEZE)") as copy:
                copy.write_row((1, "kanarie"))
    assert both.same("SELECT * FROM files") == [(1, "kanarie")]


@pytest.mark.parametrize("extended", [False, True])
def test_a_copy_that_fails_fails_its_transaction(both: Both, extended: bool) -> None:
    connection = both.connections[0]
    connection.autocommit = False
    connection.execute("INSERT INTO files VALUES (1, 'kanarie-1')")
    query = "COPY events (email, born, size) FROM STDIN"
    data = b"kanarie-1\t1973-03-31\t1\nkanarie-2\tnever\t2\nkanarie-3\t\\N\t3\n"
    copy = extended_copy if extended else simple_copy
    with pytest.raises(psycopg.errors.InvalidDatetimeFormat) as caught:
        copy(connection, query, data)
    assert caught.value.diag.context == "COPY events, line 2, column born"
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        connection.execute("SELECT email FROM events")
    connection.rollback()
    assert connection.execute("SELECT (SELECT count(*) FROM files), count(email) FROM events").fetchone() == (
        0,
        0,
    )


def simple_copy(connection: psycopg.Connection[Any], query: str, data: bytes) -> None:
    with connection.cursor().copy(query) as copy:
        copy.write(data)


def extended_copy(connection: psycopg.Connection[Any], query: str, data: bytes) -> None:
    """As libpq does it; raises the error."""
    connection.pgconn.send_query_params(query.encode(), [])
    result = connection.pgconn.get_result()
    assert result is not None
    assert result.status == psycopg.pq.ExecStatus.COPY_IN
    connection.pgconn.put_copy_data(data)
    connection.pgconn.put_copy_end()
    result = connection.pgconn.get_result()
    assert result is not None
    while connection.pgconn.get_result() is not None:
        pass
    if result.status == psycopg.pq.ExecStatus.FATAL_ERROR:
        raise psycopg.errors.error_from_result(result)


def test_a_copy_that_is_canceled(both: Both) -> None:
    connection = both.connections[0]
    with pytest.raises(psycopg.errors.QueryCanceled, match="canceling statement"):
        canceled_copy(connection)
    assert connection.execute("SELECT count(*) FROM files").fetchone() == (0,)


def canceled_copy(connection: psycopg.Connection[Any]) -> None:
    with connection.cursor().copy("COPY files FROM STDIN") as copy:
        copy.write_row((1, "kanarie"))
        connection.cancel_safe()
        for number in range(2, 100_000):
            copy.write_row((number, "kanarie"))


def test_a_client_that_goes_away(both: Both) -> None:
    """Nothing of its COPY stays, and its session in the server ends."""
    lost = both.veil.connect(application_name="lost")
    lost.pgconn.send_query(b"COPY files FROM STDIN")
    assert lost.pgconn.get_result() is not None
    lost.pgconn.put_copy_data(b"1\tkanarie\n2\tkana")
    lost.pgconn.flush()
    lost.close()
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lost'"
    connection = both.connections[0]
    for _ in range(200):
        if connection.execute(sessions).fetchone() == (0,):
            break
        time.sleep(0.05)
    assert connection.execute(f"SELECT ({sessions}), count(*) FROM files").fetchone() == (0, 0)


def test_a_huge_value(both: Both) -> None:
    """32 MiB in one field, in pieces, with more rows behind it; it comes back as it was."""
    size = 32 << 20
    with both.connections[0].cursor().copy("COPY files FROM STDIN") as copy:
        copy.write(b"1\tkanarie ")
        for _ in range(32):
            copy.write(b"x" * (size // 32))
        copy.write(b"\n2\tkanarie\n")
    connection = both.connections[0]
    with connection.cursor().copy("COPY (SELECT body FROM files WHERE id = 1) TO STDOUT") as copy:
        taken = b"".join(bytes(piece) for piece in copy)
    assert len(taken) == size + len(b"kanarie \n")
    assert connection.execute("SELECT body FROM files WHERE id = 2").fetchone() == ("kanarie",)
