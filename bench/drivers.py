"""Workloads that Python's drivers drive: bulk reads and multi-row inserts, counted in rows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import asyncpg
import psycopg
from psycopg import sql

from bench.contenders import Contender
from bench.database import Event, events, people
from bench.outcome import Outcome

_PIECE = 8192  # bytes that psql puts into a CopyData
_INSERT = "INSERT INTO {} (who, phone, what, value) VALUES "


def bulk_read(contender: Contender, table: str, rows: int) -> Outcome:
    """One SELECT of everything with asyncpg, which uses the binary format."""

    async def read(connection: asyncpg.Connection) -> None:
        fetched = await connection.fetch(f"SELECT id, name, phone, city, joined FROM {table}")
        assert len(fetched) == rows

    async def warm(connection: asyncpg.Connection) -> None:
        await connection.fetch(f"SELECT id, name, phone, city, joined FROM {table} LIMIT 1")

    return Outcome(rows, asyncio.run(_timed(contender, warm, read)))


def copy_out(contender: Contender, table: str, rows: int) -> Outcome:
    """COPY TO STDOUT in text format, taken row by row as libpq hands it out."""
    with psycopg.connect(contender.dsn, autocommit=True) as connection, connection.cursor() as cursor:
        query = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))
        start = time.perf_counter()
        with cursor.copy(query) as stream:
            count = sum(1 for _ in stream)
        seconds = time.perf_counter() - start
    assert count == rows
    return Outcome(rows, seconds)


def copy_in(contender: Contender, table: str, rows: int) -> Outcome:
    """COPY FROM STDIN of a file in text format, in the pieces that psql makes of it."""
    lines = "".join("\t".join(map(str, person)) + "\n" for person in people(rows)).encode()
    with psycopg.connect(contender.dsn, autocommit=True) as connection, connection.cursor() as cursor:
        name = sql.Identifier(table)
        cursor.execute(sql.SQL("TRUNCATE {}").format(name))
        start = time.perf_counter()
        with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(name)) as stream:
            for at in range(0, len(lines), _PIECE):
                stream.write(lines[at : at + _PIECE])
        return Outcome(rows, time.perf_counter() - start)


def insert_asyncpg(contender: Contender, table: str, rows: int) -> Outcome:
    """asyncpg's executemany: Bind and Execute for each row, one Sync."""
    data = events(rows)
    statement = _INSERT.format(table) + "($1, $2, $3, $4)"

    async def insert(connection: asyncpg.Connection) -> None:
        await connection.executemany(statement, data)

    async def warm(connection: asyncpg.Connection) -> None:
        await connection.executemany(statement, data[:1])

    return Outcome(rows, asyncio.run(_timed(contender, warm, insert)))


def insert_psycopg_many(contender: Contender, table: str, rows: int) -> Outcome:
    """psycopg's executemany: a pipeline of Parse, Bind and Execute."""
    statement = _INSERT.format(table) + "(%s, %s, %s, %s)"

    def insert(cursor: psycopg.Cursor[object], data: list[Event]) -> None:
        cursor.executemany(statement, data)

    return Outcome(rows, _timed_psycopg(contender, insert, events(rows)))


def insert_psycopg_values(contender: Contender, table: str, rows: int, together: int = 100) -> Outcome:
    """psycopg with `together` rows in the VALUES of each statement."""
    statement = _INSERT.format(table) + ", ".join(["(%s, %s, %s, %s)"] * together)

    def insert(cursor: psycopg.Cursor[object], data: list[Event]) -> None:
        for at in range(0, len(data), together):
            values = [value for row in data[at : at + together] for value in row]
            if len(values) == 4 * together:
                cursor.execute(statement, values)

    whole = max(together, rows - rows % together)
    return Outcome(whole, _timed_psycopg(contender, insert, events(whole)))


async def _timed(
    contender: Contender,
    warm: Callable[[asyncpg.Connection], Awaitable[None]],
    work: Callable[[asyncpg.Connection], Awaitable[None]],
) -> float:
    """Seconds of `work` on a connection that has done `warm`."""
    connection = await asyncpg.connect(contender.dsn)
    try:
        await warm(connection)
        start = time.perf_counter()
        await work(connection)
        return time.perf_counter() - start
    finally:
        await connection.close()


def _timed_psycopg(
    contender: Contender, insert: Callable[[psycopg.Cursor[object], list[Event]], None], data: list[Event]
) -> float:
    with psycopg.connect(contender.dsn, autocommit=True) as connection, connection.cursor() as cursor:
        insert(cursor, data[:100])
        with connection.transaction():
            start = time.perf_counter()
            insert(cursor, data)
            return time.perf_counter() - start
