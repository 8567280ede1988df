"""asyncpg: binary parameters and results, its statement cache, cursors by portals, COPY records, codecs."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from ipaddress import IPv4Interface
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.integration.schema import KINDS
from tests.proxy_process import CANARY_NUMBER, Veil

VALUES: dict[str, Any] = {
    "a_text": "kanarie é 鳥",
    "a_varchar": "kanarie varchar",
    "a_char": "kanarie     ",
    "a_bytea": b"kanarie\x00\xff",
    "a_bool": False,
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
    "a_json": '{"kanarie": [1, null, "x"]}',
    "a_jsonb": '{"a": true, "kanarie": {"b": 1.5}}',
    "an_inet": IPv4Interface("10.17.33.17/24"),
    "some_texts": ["kanarie", 'a "b"', "", None, "NULL"],
    "some_ints": [CANARY_NUMBER, -1, None],
    "some_dates": [dt.date(1973, 3, 31)],
}
INSERT = "INSERT INTO users (email, ssn, age, born) VALUES ($1, $2, $3, $4)"


@pytest.fixture
async def connection(proxy: Veil) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(proxy.dsn())
    yield connection
    await connection.close()


async def test_every_type_both_ways(connection: asyncpg.Connection[Any]) -> None:
    """The types of parameters and results that asyncpg asks for are the logical ones (lesson 22)."""
    holes = ", ".join(f"${i + 1}" for i in range(len(KINDS)))
    names = ", ".join(KINDS)
    insert = await connection.prepare(f"INSERT INTO kinds ({names}) VALUES ({holes}) RETURNING {names}")
    assert [p.name for p in insert.get_parameters()][:6] == [
        "text",
        "varchar",
        "bpchar",
        "bytea",
        "bool",
        "int2",
    ]
    assert dict(await insert.fetchrow(*(VALUES[name] for name in KINDS)) or {}) == VALUES
    assert dict(await connection.fetchrow(f"SELECT {names} FROM kinds") or {}) == VALUES


@pytest.mark.parametrize("name", [n for n, (_, _, kind) in KINDS.items() if kind == "lookup"])
async def test_rows_are_found_by_every_deterministic_type(
    connection: asyncpg.Connection[Any], name: str
) -> None:
    """Equality, and = ANY with an array in binary (lesson 11)."""
    await connection.execute(f"INSERT INTO kinds ({name}) VALUES ($1)", VALUES[name])
    assert (
        await connection.fetchval(f"SELECT {name} FROM kinds WHERE {name} = $1", VALUES[name]) == VALUES[name]
    )
    found = await connection.fetch(f"SELECT id FROM kinds WHERE {name} = ANY($1)", [VALUES[name], None])
    assert len(found) == 1


async def test_statements_are_cached_and_survive(connection: asyncpg.Connection[Any]) -> None:
    """Execute without Describe: what the cached statement's columns are is still known."""
    for i in range(5):
        await connection.execute(INSERT, f"kanarie-{i}", "kanarie", i, dt.date(1973, 3, 31))
        row = await connection.fetchrow(
            "SELECT email, ssn, age, born FROM users WHERE email = $1", f"kanarie-{i}"
        )
        assert row == (f"kanarie-{i}", "kanarie", i, dt.date(1973, 3, 31))
    await connection.reset()
    assert await connection.fetchval("SELECT count(*) FROM users WHERE ssn IS NOT NULL") == 5


async def test_executemany(connection: asyncpg.Connection[Any]) -> None:
    """Lesson 19: a thousand Bind and Execute before one Sync; an error takes all of them back."""
    rows = [(f"kanarie-{i}", "kanarie", i, None) for i in range(1000)]
    await connection.executemany(INSERT, rows)
    assert await connection.fetchval("SELECT count(DISTINCT email) FROM users") == 1000
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.executemany(INSERT, [("kanarie-x", None, 1, None), ("kanarie-1", None, 1, None)])
    assert await connection.fetchval("SELECT count(*) FROM users") == 1000
    many = await connection.fetchmany(
        "INSERT INTO users (email) VALUES ($1) RETURNING email", [("kanarie-a",), ("kanarie-b",)]
    )
    assert [row[0] for row in many] == ["kanarie-a", "kanarie-b"]


async def test_cursors_by_portals(connection: asyncpg.Connection[Any]) -> None:
    """Lesson 23: portals with a row limit."""
    await connection.executemany(INSERT, [(f"kanarie-{i}", None, i, None) for i in range(120)])
    async with connection.transaction():
        cursor = await connection.cursor("SELECT email, age FROM users WHERE age <> $1 ORDER BY id", 7)
        assert await cursor.fetch(2) == [("kanarie-0", 0), ("kanarie-1", 1)]
        assert await cursor.forward(10) == 10
        assert await cursor.fetchrow() == ("kanarie-13", 13)
        seen = [
            row["age"] async for row in connection.cursor("SELECT age FROM users ORDER BY id", prefetch=7)
        ]
    assert seen == list(range(120))


@pytest.mark.parametrize("source", ["records", "text", "csv"])
async def test_copy(connection: asyncpg.Connection[Any], source: Any) -> None:
    """COPY in binary by records, and of text and CSV; COPY out of tables and queries (lesson 3)."""
    if source == "records":
        records = [("kanarie-1", "kanarie", CANARY_NUMBER, dt.date(1973, 3, 31)), (None, None, None, None)]
        done = await connection.copy_records_to_table(
            "users", records=records, columns=["email", "ssn", "age", "born"]
        )
    else:
        separator = b"\t" if source == "text" else b","
        line = separator.join([b"kanarie-1", b"kanarie", b"1733173317", b"1973-03-31"])
        empty = separator.join([b"\\N"] * 4 if source == "text" else [b""] * 4)

        async def pieces() -> AsyncIterator[bytes]:
            for i in range(0, len(line), 5):
                yield line[i : i + 5]
            yield b"\n" + empty + b"\n"

        done = await connection.copy_to_table(
            "users", source=pieces(), columns=["email", "ssn", "age", "born"], format=source
        )
    assert done == "COPY 2"
    assert await connection.fetchrow("SELECT email, ssn, age, born FROM users ORDER BY id LIMIT 1") == (
        "kanarie-1",
        "kanarie",
        CANARY_NUMBER,
        dt.date(1973, 3, 31),
    )
    taken = bytearray()

    async def take(data: bytes) -> None:
        taken.extend(data)

    await connection.copy_from_query(
        "SELECT email, age FROM users WHERE email = 'kanarie-1'", output=take, format="csv"
    )
    assert bytes(taken) == b"kanarie-1,1733173317\n"


async def test_arguments_of_copy_from_query(connection: asyncpg.Connection[Any]) -> None:
    """asyncpg would have the server quote them: those of protected columns are refused, others pass."""
    await connection.execute(
        "INSERT INTO users (email, note) VALUES ($1, 'a'), ('kanarie-2', 'b')", "kanarie-1"
    )
    taken = bytearray()

    async def take(data: bytes) -> None:
        taken.extend(data)

    with pytest.raises(asyncpg.FeatureNotSupportedError, match="sent in clear"):
        await connection.copy_from_query("SELECT id FROM users WHERE email = $1", "kanarie-1", output=take)
    query = "SELECT id FROM users WHERE age = $2 AND note = $1"
    with pytest.raises(asyncpg.FeatureNotSupportedError, match="sent in clear"):
        await connection.copy_from_query(query, "a", CANARY_NUMBER, output=take)
    await connection.copy_from_query("SELECT email FROM users WHERE note = $1", "b", output=take)
    assert bytes(taken) == b"kanarie-2\n"
    assert await connection.fetchval("SELECT quote_literal($1::text)", "it's") == "'it''s'"


async def test_introspection_and_codecs(connection: asyncpg.Connection[Any]) -> None:
    """asyncpg asks the catalogue about types that it does not know; codecs may be set."""
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    await connection.execute("INSERT INTO users (doc) VALUES ($1)", {"kanarie": [1, 2]})
    assert await connection.fetchval("SELECT doc FROM users") == {"kanarie": [1, 2]}
    await connection.execute("CREATE TYPE pg_temp.mood AS ENUM ('sad', 'happy')")
    assert await connection.fetchval("SELECT 'happy'::pg_temp.mood") == "happy"
    assert await connection.fetchval("SELECT array_agg(email) FROM users") == [None]


async def test_errors_and_refusals(connection: asyncpg.Connection[Any]) -> None:
    """Lessons 14, 20 and 21: refused when it is prepared; the transaction goes on as the server's does."""
    with pytest.raises(asyncpg.FeatureNotSupportedError) as caught:
        await connection.prepare("SELECT id FROM users WHERE ssn = $1")
    assert caught.value.hint is not None
    with pytest.raises(asyncpg.FeatureNotSupportedError):
        await connection.fetch("SELECT id FROM users WHERE email LIKE $1", "kanarie%")
    with pytest.raises(asyncpg.NumericValueOutOfRangeError):
        await connection.execute("INSERT INTO users (age) VALUES ('17331733170000')")
    async with connection.transaction():
        await connection.execute("INSERT INTO users (email) VALUES ('kanarie-1')")
        with pytest.raises(asyncpg.FeatureNotSupportedError):
            async with connection.transaction():
                await connection.fetch("SELECT max(email) FROM users")
        assert await connection.fetchval("SELECT email FROM users") == "kanarie-1"
    assert await connection.fetchval("SELECT count(*) FROM users") == 1


async def test_listen_and_notify(connection: asyncpg.Connection[Any], proxy: Veil) -> None:
    """Notifications reach a client that does nothing else."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    await connection.add_listener("channel", lambda *about: heard.put_nowait(about[3]))
    proxy.database.execute("NOTIFY channel, 'payload'")
    assert await asyncio.wait_for(heard.get(), 10) == "payload"
    await connection.remove_listener("channel", lambda *about: None)


async def test_a_schema_change_under_cached_statements(connection: asyncpg.Connection[Any]) -> None:
    """DDL through pgveil: the cached plan is thrown away, the new column is known."""
    await connection.execute("CREATE TABLE changing (a int)")
    try:
        assert await connection.fetch("SELECT * FROM changing") == []
        await connection.execute(
            "ALTER TABLE changing ADD COLUMN b text DEFAULT 'x'; INSERT INTO changing VALUES (1)"
        )
        assert await connection.fetch("SELECT * FROM changing") == [(1, "x")]
    finally:
        await connection.execute("DROP TABLE changing")


async def test_many_connections_at_once(proxy: Veil) -> None:
    """Sessions do not see each other's statements or values."""

    async def work(i: int) -> None:
        connection = await asyncpg.connect(proxy.dsn())
        try:
            for j in range(5):
                await connection.execute(INSERT, f"kanarie-{i}-{j}", f"kanarie {i}", i, None)
            found = await connection.fetch("SELECT ssn FROM users WHERE age = $1", i)
            assert [row[0] for row in found] == [f"kanarie {i}"] * 5
        finally:
            await connection.close()

    await asyncio.gather(*(work(i) for i in range(20)))


async def test_cancelling(connection: asyncpg.Connection[Any]) -> None:
    """A time-out cancels by a CancelRequest; the session goes on."""
    with pytest.raises(TimeoutError):
        await connection.execute("SELECT pg_sleep(60)", timeout=0.2)
    assert await connection.fetchval("SELECT count(*) FROM users WHERE email = $1", "kanarie") == 0


@pytest.mark.parametrize("kind", ["json", "jsonb"])
async def test_records_in_one_json_parameter(connection: asyncpg.Connection[Any], kind: str) -> None:
    """asyncpg asks for the parameter's type and sends it in binary: jsonb has a version before its text."""
    await connection.set_type_codec(kind, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    insert = await connection.prepare(
        f"INSERT INTO users (email, age, born) SELECT email, age, born FROM {kind}_to_recordset($1)"
        f" AS r(email text, age int, born date) RETURNING to_{kind}(users.*)"
    )
    assert [parameter.name for parameter in insert.get_parameters()] == [kind]
    records = [{"email": "kanarie-1", "age": CANARY_NUMBER, "born": "1973-03-31"}, {"email": "kanarie-2"}]
    rows = [row[0] for row in await insert.fetch(records)]
    brought = [{name: row[name] for name in ("email", "age", "born")} for row in rows]
    assert brought == [records[0], {"email": "kanarie-2", "age": None, "born": None}]


async def test_rows_of_array_parameters(connection: asyncpg.Connection[Any]) -> None:
    """The bulk insert of those who do not COPY: unnest() of one array for each column."""
    insert = "INSERT INTO users (email, age, born) SELECT * FROM unnest($1::text[], $2::int[], $3::date[])"
    columns = ["kanarie-1", None], [CANARY_NUMBER, 5], [dt.date(1973, 3, 31), None]
    assert await connection.execute(insert, *columns) == "INSERT 0 2"
    rows = await connection.fetch("SELECT email, age, born FROM users ORDER BY id")
    assert [tuple(row) for row in rows] == list(zip(*columns, strict=True))
