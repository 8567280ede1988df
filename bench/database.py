"""The database of the benchmarks: pairs of equal tables, one of them protected.

Who does not go through pgveil uses the plain table of a pair: that is what an application without encryption
does, so that the ratios hold the whole price, the longer values included.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from bench.contenders import Contender

DATABASE = "bench"
ROWS = 50_000

SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, name text, phone text, city text, joined timestamptz);
CREATE TABLE people_plain (LIKE people INCLUDING ALL);
CREATE INDEX ON people (phone);
CREATE INDEX ON people_plain (phone);
CREATE TABLE arrivals (LIKE people INCLUDING ALL);
CREATE TABLE arrivals_plain (LIKE people_plain INCLUDING ALL);
CREATE TABLE events (id bigserial PRIMARY KEY, who text, phone text, what text, value int);
CREATE TABLE events_plain (id bigserial PRIMARY KEY, who text, phone text, what text, value int);
"""

POLICY = """
version: 1
classes:
  pii: {sensitivity: high, mode: randomized}
  pii-lookup: {sensitivity: high, mode: deterministic}
tables:
  people: {name: pii, phone: pii-lookup}
  arrivals: {name: pii, phone: pii-lookup}
  events: {who: pii, phone: pii-lookup}
"""

Person = tuple[int, str, str, str, str]
Event = tuple[str, str, str, int]


def people(count: int) -> Iterator[Person]:
    """Rows of `people`, numbered from 1; the phone number is the id, so that a script can compute it."""
    for i in range(1, count + 1):
        yield i, f"Given Family {i}", str(i), f"{i % 977} Long Street, Town", "2024-05-06 07:08:09+00"


def events(count: int) -> list[Event]:
    """Rows of `events`, without the id."""
    return [(f"Given Family {i}", str(i), f"what happened in case {i}", i) for i in range(count)]


def make(dsn: str) -> None:
    """Make the empty tables in the database `bench`, which must be there."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SCHEMA)


def fill(direct: Contender, pgveil: Contender | None, rows: int) -> None:
    """Fill both tables of people: the plain one directly, the protected one through pgveil."""
    for contender, table in ((direct, "people_plain"), (pgveil, "people")):
        if contender is None:
            continue
        with psycopg.connect(contender.dsn, autocommit=True) as connection:
            copy = f"COPY {table} (id, name, phone, city, joined) FROM STDIN"
            with connection.cursor() as cursor, cursor.copy(copy) as stream:
                for row in people(rows):
                    stream.write_row(row)
    with psycopg.connect(direct.dsn, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
