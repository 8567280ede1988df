"""psycopg2: simple queries whose values the client has put into the text."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg2
import psycopg2.extensions
import psycopg2.extras
import pytest

from tests.integration.schema import KINDS
from tests.proxy_process import CANARY_NUMBER, Veil

INSERT = "INSERT INTO users (email, ssn, age) VALUES (%s, %s, %s)"


@pytest.fixture
def connection(proxy: Veil) -> Iterator[Any]:
    connection = psycopg2.connect(proxy.dsn())
    yield connection
    connection.close()


VALUES: dict[str, Any] = {
    "a_text": "kanarie ' \\ é 鳥 %",
    "a_varchar": "kanarie varchar",
    "a_char": "kanarie     ",
    "a_bytea": b"kanarie\x00\xff'\\",
    "a_bool": True,
    "an_int2": -17,
    "an_int4": CANARY_NUMBER,
    "an_int8": -CANARY_NUMBER * 1_000_003,
    "a_float4": 1.5,
    "a_float8": -1733173317.25,
    "a_numeric": Decimal("1733173317.000000000000000000012"),
    "a_price": Decimal("-12.50"),
    "a_date": dt.date(1973, 3, 31),
    "a_time": dt.time(17, 33, 17, 331),
    "a_timestamp": dt.datetime(1973, 3, 31, 17, 33, 17, 5),
    "a_timestamptz": dt.datetime(1973, 3, 31, 17, 33, tzinfo=dt.UTC),
    "an_interval": dt.timedelta(days=17, seconds=33, microseconds=17),
    "a_jsonb": {"kanarie": {"b": 1.5, "a": True}},
    "some_texts": ["kanarie", 'a "b"', "", None, "NULL", "it's"],
    "some_ints": [CANARY_NUMBER, -1],
    "some_dates": [dt.date(1973, 3, 31)],
}


@pytest.mark.parametrize("name", VALUES)
def test_every_type_both_ways(connection: Any, name: str) -> None:
    """Literals as psycopg2 writes them: E'' strings, '…'::date casts, ARRAY[…], true, -17, '…'::bytea."""
    value = VALUES[name]
    given = psycopg2.extras.Json(value) if isinstance(value, dict) else value
    with connection, connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO kinds ({name}) VALUES (%s) RETURNING {name}", [given])
        (found,) = cursor.fetchone()
        assert (bytes(found) if isinstance(found, memoryview) else found) == value
        if KINDS[name][2] == "lookup":
            wanted = value.strip() if name == "a_char" else given
            cursor.execute(f"SELECT count(*) FROM kinds WHERE {name} = %s", [wanted])
            assert cursor.fetchone() == (1,)


def test_interpolated_statements(connection: Any) -> None:
    """Lesson 18: many texts of one shape; IN with a tuple, = ANY with a list, execute_values, batches."""
    with connection, connection.cursor() as cursor:
        psycopg2.extras.execute_values(
            cursor,
            "INSERT INTO users (email, ssn, age) VALUES %s",
            [(f"kanarie-{i}", "kanarie", i) for i in range(150)],
        )
        psycopg2.extras.execute_batch(
            cursor, INSERT, [(f"kanarie b{i}", None, -i) for i in range(30)], page_size=7
        )
        cursor.execute(
            "SELECT count(*) FROM users WHERE email IN %s", [("kanarie-1", "kanarie-2", "kanarie b3")]
        )
        assert cursor.fetchone() == (3,)
        cursor.execute(
            "SELECT age FROM users WHERE email = ANY(%s) ORDER BY id", [["kanarie-9", "kanarie b9"]]
        )
        assert cursor.fetchall() == [(9,), (-9,)]
        cursor.execute("SELECT email FROM users WHERE age = ANY(%s) ORDER BY id", [[3, -3]])
        assert cursor.fetchall() == [("kanarie-3",), ("kanarie b3",)]


def test_transactions(connection: Any) -> None:
    """Lesson 21: a refusal aborts the transaction for client and server alike."""
    with connection.cursor() as cursor:
        cursor.execute(INSERT, ["kanarie-1", "kanarie", 1])
        with pytest.raises(psycopg2.errors.FeatureNotSupported):
            cursor.execute("SELECT id FROM users ORDER BY ssn")
        assert connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_INERROR
        with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
            cursor.execute("SELECT 1")
        connection.rollback()
        cursor.execute("SELECT count(*) FROM users")
        assert cursor.fetchone() == (0,)


def test_named_cursors(connection: Any) -> None:
    """Lesson 23: DECLARE and FETCH as psycopg2 writes them."""
    with connection, connection.cursor() as cursor:
        psycopg2.extras.execute_batch(cursor, INSERT, [(f"kanarie-{i}", None, i) for i in range(30)])
    with connection, connection.cursor("named") as cursor:
        cursor.itersize = 7
        cursor.execute("SELECT email, age FROM users WHERE email <> %s ORDER BY id", ["kanarie-0"])
        assert [row[1] for row in cursor] == list(range(1, 30))
    with connection, connection.cursor("held", withhold=True, scrollable=True) as cursor:
        cursor.execute("SELECT email FROM users ORDER BY id")
        cursor.scroll(3)
        assert cursor.fetchone() == ("kanarie-3",)


def test_copy(connection: Any) -> None:
    """copy_from, copy_to and copy_expert (lesson 3)."""
    with connection, connection.cursor() as cursor:
        cursor.copy_from(io.StringIO("kanarie-1\tkanarie\n\\N\t\\N\n"), "users", columns=("email", "ssn"))
        taken = io.StringIO()
        cursor.copy_to(taken, "users", columns=("email", "ssn"))
        assert taken.getvalue() == "kanarie-1\tkanarie\n\\N\t\\N\n"
        cursor.copy_expert(
            "COPY users (email) FROM STDIN CSV HEADER", io.StringIO('email\n"kanarie, ""2"""\n')
        )
        cursor.execute("SELECT count(*) FROM users WHERE email = %s", ['kanarie, "2"'])
        assert cursor.fetchone() == (1,)


def test_large_objects(connection: Any) -> None:
    """libpq's large objects use FunctionCall messages, which pass between protected statements."""
    with connection, connection.cursor() as cursor:
        cursor.execute(INSERT, ["kanarie-1", None, 1])
        large = connection.lobject(0, "wb")
        large.write(b"contents")
        large.close()
        assert connection.lobject(large.oid, "rb").read() == b"contents"
        connection.lobject(large.oid).unlink()
        cursor.execute("SELECT email FROM users")
        assert cursor.fetchall() == [("kanarie-1",)]


def test_notices(connection: Any) -> None:
    """Notices come with the statement that makes them."""
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE IF NOT EXISTS t (a int); CREATE TEMP TABLE IF NOT EXISTS t (a int)")
        assert "already exists" in connection.notices[-1]
