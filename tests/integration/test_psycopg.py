"""psycopg 3, as an application uses it: text and binary, pipelines, cursors, COPY, transactions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from ipaddress import IPv4Interface
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Json, Jsonb

from tests.integration.schema import KINDS
from tests.proxy_process import CANARY_NUMBER, Veil

Connection = psycopg.Connection[Any]

VALUES: dict[str, Any] = {
    "a_text": "kanarie ' \\ é 鳥",
    "a_varchar": "kanarie varchar",
    "a_char": "kanarie     ",  # char(12), padded
    "a_bytea": b"kanarie\x00\xff",
    "a_bool": True,
    "an_int2": -17,
    "an_int4": CANARY_NUMBER,
    "an_int8": CANARY_NUMBER * 1_000_003,
    "a_float4": 1.5,
    "a_float8": -1733173317.25,
    "a_numeric": Decimal("1733173317.000000000000000000012"),
    "a_price": Decimal("-12.50"),
    "a_date": dt.date(1973, 3, 31),
    "a_time": dt.time(17, 33, 17, 331),
    "a_timestamp": dt.datetime(1973, 3, 31, 17, 33, 17, 5),
    "a_timestamptz": dt.datetime(1973, 3, 31, 17, 33, tzinfo=dt.UTC),
    "an_interval": dt.timedelta(days=17, seconds=33, microseconds=17),
    "a_uuid": UUID("6b616e61-7269-6500-0000-000000000001"),
    "a_json": {"kanarie": [1, None, "x"]},
    "a_jsonb": {"kanarie": {"b": 1.5, "a": True}},
    "an_inet": IPv4Interface("10.17.33.17/24"),
    "some_texts": ["kanarie", 'a "b"', "", None, "NULL"],
    "some_ints": [CANARY_NUMBER, -1, None],
    "some_dates": [dt.date(1973, 3, 31)],
}
INSERT = "INSERT INTO users (email, ssn, age) VALUES (%s, %s, %s) RETURNING id"


@pytest.fixture
def connection(proxy: Veil) -> Iterator[Connection]:
    with proxy.connect() as connection:
        yield connection


def _parameters() -> dict[str, Any]:
    wrap = {"a_json": Json, "a_jsonb": Jsonb}
    return {name: wrap.get(name, lambda value: value)(value) for name, value in VALUES.items()}


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("placeholder", ["%s", "%t", "%b"])
def test_every_type_both_ways(connection: Connection, binary: bool, placeholder: str) -> None:
    """Lesson 22: parameters whose type the driver declares, in text and binary, of every type."""
    names = sql.SQL(", ").join(map(sql.Identifier, KINDS))
    holes = sql.SQL(", ").join([sql.SQL(placeholder)] * len(KINDS))
    cursor = connection.cursor(row_factory=dict_row, binary=binary)
    insert = sql.SQL("INSERT INTO kinds ({}) VALUES ({}) RETURNING {}").format(names, holes, names)
    returned = cursor.execute(insert, [_parameters()[name] for name in KINDS]).fetchone()
    assert returned == VALUES
    assert cursor.execute(sql.SQL("SELECT {} FROM kinds").format(names)).fetchone() == VALUES


@pytest.mark.parametrize("name", [n for n, (_, _, kind) in KINDS.items() if kind == "lookup"])
def test_rows_are_found_by_every_deterministic_type(connection: Connection, name: str) -> None:
    """Text and binary spellings of one value are the same ciphertext (section 4, canonical values)."""
    column = sql.Identifier(name)
    connection.execute(sql.SQL("INSERT INTO kinds ({}) VALUES (%t)").format(column), [VALUES[name]])
    for placeholder in ("%s", "%t", "%b"):
        query = sql.SQL(f"SELECT {{}} FROM kinds WHERE {{}} = {placeholder}").format(column, column)
        wanted = "kanarie" if name == "a_char" else VALUES[name]  # text does not equal a padded char
        assert connection.execute(query, [wanted]).fetchall() == [(VALUES[name],)]


def test_description_shows_logical_types(connection: Connection) -> None:
    """Lesson 22: type, length and modifier are those of the logical type."""
    cursor = connection.execute("SELECT age, born, balance, nick, doc, photo FROM users")
    assert cursor.description is not None
    shown = [(c.type_code, c.internal_size, c.precision, c.scale, c.display_size) for c in cursor.description]
    assert shown == [
        (23, 4, None, None, None),
        (1082, 4, None, None, None),
        (1700, None, 12, 2, None),
        (1043, None, None, None, 20),
        (3802, None, None, None, None),
        (17, None, None, None, None),
    ]


def test_prepared_statements(connection: Connection) -> None:
    """Lesson 18: a statement prepared once serves every execution, across transactions and DISCARD."""
    for i in range(3):
        connection.execute(INSERT, [f"kanarie-{i}", "kanarie", i], prepare=True)
    for i in range(3):
        with connection.transaction():
            found = connection.execute(
                "SELECT ssn, age FROM users WHERE email = %s", [f"kanarie-{i}"], prepare=True
            )
            assert found.fetchall() == [("kanarie", i)]


def test_discard_all_forgets_prepared_statements(proxy: Veil) -> None:
    """Lesson 8: after DEALLOCATE ALL a name is free, and may mean something else."""
    with proxy.connect(prepare_threshold=None) as connection:
        connection.execute("PREPARE p AS SELECT email FROM users WHERE email = $1")
        assert connection.execute("EXECUTE p ('kanarie-1')").fetchall() == []
        connection.execute("DEALLOCATE ALL")
        with pytest.raises(psycopg.errors.InvalidSqlStatementName):
            connection.execute("EXECUTE p ('plain')")
        connection.execute("PREPARE p AS SELECT name FROM plain WHERE name = $1")
        assert connection.execute("EXECUTE p ('plain')").fetchall() == []
        connection.execute("DISCARD ALL")
        connection.execute("PREPARE p AS SELECT id FROM users WHERE nick = $1")
        assert connection.execute("EXECUTE p ('kanarie')").fetchall() == []


def test_executemany(connection: Connection) -> None:
    """Lesson 19: many Parse/Bind before one Sync."""
    rows = [(f"kanarie-{i}", None if i % 3 else "kanarie ssn", i) for i in range(200)]
    with connection.cursor() as cursor:
        cursor.executemany(INSERT, rows, returning=True)
        ids = [cursor.fetchone()[0] for _ in cursor.results()]  # type: ignore[index]
    assert len(set(ids)) == 200
    found = connection.execute("SELECT email, ssn, age FROM users ORDER BY id").fetchall()
    assert found == rows


def test_pipeline(connection: Connection) -> None:
    """Lessons 19 and 20: replies, errors and refusals come in the order of the statements."""
    with connection.pipeline() as pipeline:
        first = connection.execute(INSERT, ["kanarie-1", "kanarie", 1])
        second = connection.execute("SELECT email FROM users WHERE email = %s", ["kanarie-1"])
        pipeline.sync()
        assert first.fetchone() is not None
        assert second.fetchall() == [("kanarie-1",)]
        connection.execute("SELECT max(email) FROM users")
        with pytest.raises(psycopg.errors.FeatureNotSupported):  # noqa: PT012  at whichever it arrives
            connection.execute(INSERT, ["kanarie-2", "kanarie", 2])
            pipeline.sync()
        with suppress(psycopg.errors.PipelineAborted):  # where it arrived before the Sync was sent
            pipeline.sync()
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (1,)


def test_an_error_in_a_pipeline_takes_its_work_back(proxy: Veil) -> None:
    """Lesson 20: what a refusal interrupts is rolled back as after an error of the server's own."""
    with proxy.connect() as connection:

        def work() -> None:
            with connection.pipeline():
                connection.execute(INSERT, ["kanarie-1", "kanarie", 1])
                connection.execute("SELECT id FROM users WHERE ssn = %s", ["kanarie"])

        with pytest.raises(psycopg.errors.FeatureNotSupported):
            work()
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_transactions_and_savepoints(connection: Connection) -> None:
    """Lesson 21: an error or refusal inside a transaction leaves client and server agreed."""
    status = psycopg.pq.TransactionStatus

    def work() -> None:
        with connection.transaction():
            connection.execute(INSERT, ["kanarie-2", "kanarie", 1])
            connection.execute("SELECT id FROM users ORDER BY email")

    with connection.transaction():
        connection.execute(INSERT, ["kanarie-1", "kanarie", 1])
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            work()
        with pytest.raises(psycopg.errors.DivisionByZero), connection.transaction():
            connection.execute("SELECT 1/0")
        assert connection.info.transaction_status == status.INTRANS
    assert connection.info.transaction_status == status.IDLE
    assert connection.execute("SELECT email FROM users").fetchall() == [("kanarie-1",)]
    connection.execute("BEGIN")
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        connection.execute("SELECT upper(ssn) FROM users")
    assert connection.info.transaction_status == status.INERROR
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        connection.execute("SELECT email FROM users")
    connection.execute("ROLLBACK")
    assert connection.info.transaction_status == status.IDLE


def test_server_side_cursors(connection: Connection) -> None:
    """Lesson 23: DECLARE and FETCH, scrolling, binary."""
    with connection.cursor() as cursor:
        cursor.executemany(INSERT, [(f"kanarie-{i}", f"kanarie ssn {i}", i) for i in range(50)])
    for binary in (False, True):
        with connection.transaction(), connection.cursor("named", binary=binary, scrollable=True) as cursor:
            cursor.itersize = 7
            cursor.execute("SELECT email, age FROM users WHERE email <> %s ORDER BY id", ["kanarie-0"])
            assert [row[1] for row in cursor] == list(range(1, 50))
            cursor.scroll(-50)
            assert cursor.fetchone() == ("kanarie-1", 1)
            assert cursor.fetchmany(2) == [("kanarie-2", 2), ("kanarie-3", 3)]


COLUMNS = "email, ssn, age, born, balance, doc, photo, nick, note"
TYPES = ["text", "text", "int4", "date", "numeric", "jsonb", "bytea", "varchar", "text"]
ROW = ("kanarie-1", "kanarie", CANARY_NUMBER, dt.date(1973, 3, 31), Decimal("1.50"))
REST = (Jsonb({"kanarie": 1}), b"kanarie", "kanarie", "n")


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_copy_in_and_out(connection: Connection, binary: bool) -> None:
    """Lessons 3 and 23: COPY both ways, in text and binary, in pieces of any size."""
    form = "(FORMAT binary)" if binary else ""
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY users ({COLUMNS}) FROM STDIN {form}") as copy:
            copy.set_types(TYPES)
            copy.write_row((*ROW, *REST))
            copy.write_row((None,) * 9)
        with cursor.copy(f"COPY (SELECT {COLUMNS} FROM users ORDER BY id) TO STDOUT {form}") as copy:
            copy.set_types(TYPES)
            rows = list(copy.rows())
    assert rows == [(*ROW, {"kanarie": 1}, *REST[1:]), (None,) * 9]
    assert connection.execute("SELECT email, ssn, age, born, balance FROM users").fetchone() == ROW


def _copy(connection: Connection, column: str, data: bytes, *, give_up: bool = False) -> None:
    with connection.cursor().copy(f"COPY users ({column}) FROM STDIN") as copy:
        copy.write(data)
        if give_up:
            raise ZeroDivisionError


def test_copy_that_fails(connection: Connection) -> None:
    """A COPY that the client gives up, and one whose data is wrong, leave the session usable."""
    with pytest.raises(ZeroDivisionError):
        _copy(connection, "email", b"kanarie-1\n", give_up=True)
    with pytest.raises(psycopg.errors.BadCopyFileFormat):
        _copy(connection, "email", b"kanarie\tkanarie\n")
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        _copy(connection, "age", b"kanarie\n")
    assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_client_cursors_share_plans(proxy: Veil) -> None:
    """Lesson 18: statements that differ in literals only; each has its own values."""
    with proxy.connect(cursor_factory=psycopg.ClientCursor) as connection:
        for i in range(20):
            connection.execute(INSERT, [f"kanarie'{i}", f"kanarie \\ {i}" if i % 2 else None, -i])
        for i in range(20):
            found = connection.execute("SELECT ssn, age FROM users WHERE email = %s", [f"kanarie'{i}"])
            assert found.fetchall() == [(f"kanarie \\ {i}" if i % 2 else None, -i)]


def test_notifications_and_notices(connection: Connection) -> None:
    """Asynchronous messages arrive between the results of protected statements."""
    heard: list[str] = []
    connection.add_notice_handler(lambda notice: heard.append(str(notice.message_primary)))
    connection.execute("LISTEN channel")
    connection.execute(INSERT, ["kanarie-1", "kanarie", 1])
    connection.execute("DO $$ BEGIN RAISE NOTICE 'hello'; PERFORM pg_notify('channel', 'payload'); END $$")
    assert connection.execute("SELECT email FROM users").fetchall() == [("kanarie-1",)]
    assert heard == ["hello"]
    assert [n.payload for n in connection.notifies(timeout=5, stop_after=1)] == ["payload"]


def test_encodings(proxy: Veil) -> None:
    """Canonical values do not depend on the client's encoding."""
    with proxy.connect() as connection, proxy.connect(client_encoding="latin1") as other:
        connection.execute(INSERT, ["kanarie é", "kanarie ü", 1])
        assert other.execute("SELECT ssn FROM users WHERE email = %s", ["kanarie é"]).fetchall() == [
            ("kanarie ü",)
        ]
        assert other.execute("SELECT ssn FROM users WHERE email = 'kanarie é'").fetchall() == [("kanarie ü",)]


def test_settings_of_the_session(proxy: Veil) -> None:
    """Dates are written as the session's settings say, as the server would."""
    with proxy.connect(cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(
            "INSERT INTO kinds (a_date, a_timestamptz, an_interval, a_bytea)"
            " VALUES ('1973-03-31', '1973-03-31 12:00+00', '1 day 2 hours', 'kanarie')"
        )
        connection.execute(
            "SET datestyle = 'German'; SET timezone = 'Asia/Tokyo'; SET intervalstyle = 'iso_8601'"
        )
        query = "SELECT a_date, a_timestamptz, an_interval FROM kinds WHERE a_date = '31.03.1973'"
        result = connection.pgconn.exec_(query.encode())
        assert [result.get_value(0, i) for i in range(3)] == [
            b"31.03.1973",
            b"31.03.1973 21:00:00 JST",
            b"P1DT2H",
        ]


def test_stored_values_cannot_be_moved(proxy: Veil) -> None:
    """Lessons 37 and 38: a ciphertext opens in its own field only, and plaintext is no ciphertext."""
    with proxy.connect() as connection:
        connection.execute(INSERT, ["kanarie-1", "kanarie", 1])
        connection.execute("INSERT INTO plain (name) VALUES ('x')")
        proxy.database.execute(
            "UPDATE users SET nick = email; UPDATE plain SET name = (SELECT email FROM users)"
        )
        with pytest.raises(psycopg.errors.DataCorrupted) as caught:
            connection.execute("SELECT nick FROM users")
        assert "kanarie" not in str(caught.value)
        (shown,) = connection.execute("SELECT name FROM plain").fetchall()[0]
        assert shown.startswith("pgv1:")
        proxy.database.execute("UPDATE users SET nick = 'was never encrypted'")
        with pytest.raises(psycopg.errors.DataCorrupted):
            connection.execute("SELECT nick FROM users")
        assert connection.execute("SELECT email FROM users").fetchall() == [("kanarie-1",)]


def test_errors_hold_no_values(connection: Connection) -> None:
    """Lesson 10: neither the server's errors nor pgveil's repeat a value."""
    connection.execute(INSERT, ["kanarie-1", "kanarie", 1])
    with pytest.raises(psycopg.errors.UniqueViolation) as unique:
        connection.execute(INSERT, ["kanarie-1", "kanarie", 1])
    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as invalid:
        connection.execute("INSERT INTO users (age) VALUES ('kanarie')")
    with pytest.raises(psycopg.errors.FeatureNotSupported) as refused:
        connection.execute("SELECT id FROM users WHERE email LIKE 'kanarie%'")
    for caught in (unique, invalid, refused):
        diagnostics = caught.value.diag
        text = f"{diagnostics.message_primary} {diagnostics.message_detail} {diagnostics.message_hint}"
        assert "kanarie" not in text
    assert "public.users.email" in str(refused.value)


def test_emptiness_and_length_of_numbers_are_hidden(proxy: Veil) -> None:
    """Lessons 7 and 15: '' is encrypted, too; -0.0 and 0.0 are one value; char(n) keeps its padding."""
    with proxy.connect() as connection:
        connection.execute("INSERT INTO kinds (a_text, a_float8, a_char) VALUES ('', '-0.0', 'kanarie')")
        found = (
            "SELECT a_text, a_char FROM kinds WHERE a_text = '' AND a_float8 = '0' AND a_char = 'kanarie '"
        )
        assert connection.execute(found).fetchall() == [("", "kanarie     ")]
        (stored,) = proxy.database.execute("SELECT a_text FROM kinds")[0]
        assert stored.startswith("pgv1:")


def test_json_is_parsed_by_the_driver(connection: Connection) -> None:
    """JSON aggregates hold decrypted values."""
    connection.execute(INSERT, ["kanarie-1", 'kanarie "x"', 1])
    connection.execute("UPDATE users SET doc = %s", [Jsonb({"kanarie": 1})])
    (row,) = connection.execute("SELECT row_to_json(u) FROM users u").fetchone()  # type: ignore[misc]
    shown = [row[name] for name in ("email", "ssn", "age", "doc")]
    assert shown == ["kanarie-1", 'kanarie "x"', 1, {"kanarie": 1}]


def test_a_long_list(connection: Connection) -> None:
    """Lesson 26: ten thousand values in one list, of literals and of an array."""
    connection.execute(INSERT, ["kanarie-1", "kanarie", 9999])
    numbers = list(range(10_000))
    listed = f"SELECT email FROM users WHERE age IN ({', '.join(map(str, numbers))})"
    assert connection.execute(listed).fetchall() == [("kanarie-1",)]
    found = connection.execute("SELECT email FROM users WHERE age = ANY(%s)", [numbers])
    assert found.fetchall() == [("kanarie-1",)]
