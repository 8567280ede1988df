"""Literals under a cast to another type, as drivers write them that put values into the text.

pgjdbc's simple mode writes `('5'::int4)`, psycopg's ClientCursor `'...'::timestamptz`. Each is given to a
field of every type, and compared with one; a twin with no encryption says what ought to come of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg import pq
from psycopg.pq.abc import PGconn

from tests.integration.schema import KINDS, KINDS_TWIN
from tests.postgres import Database, Postgres
from tests.proxy_process import Veil
from tests.values.spellings import ONE_OF_EACH

Outcome = list[bytes | None] | str
LIMITED = {"varchar(3)": ["abcde", "ab "], "char(2)": ["abc", "a"], "numeric(5,1)": ["12.25", "-0.05"]}
LITERALS = [
    *(
        f"'{value}'::{source}"
        for source, values in {**ONE_OF_EACH, **LIMITED}.items()
        for value in values[:5]
    ),
    *(
        "5::int8",
        "2.5::int4",
        "1e2::float8",
        "007::varchar(1)",
        "1.50::text",
        "true::text",
        "-2.5",
        "+2.5",
        "+ 7",
        "7",
        "true",
    ),
]
NULL_THERE = {("'infinity'::timestamp", "a_time"), ("'-infinity'::timestamptz", "a_time")}  # an error here


@pytest.fixture(scope="module")
def twin(postgres: Postgres) -> Iterator[Database]:
    with postgres.database() as database:
        database.execute(KINDS_TWIN)
        yield database


def outcome(connection: PGconn, sql: str) -> Outcome:
    """The values of the one column in text, sorted; or the SQLSTATE."""
    result = connection.exec_(sql.encode())
    if result.status == pq.ExecStatus.FATAL_ERROR:
        return (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    return sorted((result.get_value(row, 0) for row in range(result.ntuples)), key=repr)


def differs(there: Outcome, here: Outcome) -> bool:
    """The same rows, an error in both, or refused with a reason."""
    if isinstance(there, str):
        return not isinstance(here, str)
    return here not in (there, "0A000")


@pytest.fixture
def connections(proxy: Veil, twin: Database) -> Iterator[tuple[PGconn, PGconn]]:
    with proxy.connect() as veiled, twin.connect() as plain:
        for connection in (veiled.pgconn, plain.pgconn):
            connection.exec_(b"SET TimeZone = 'Europe/Berlin'; TRUNCATE kinds")
        yield veiled.pgconn, plain.pgconn


@pytest.mark.parametrize("column", KINDS)
def test_literals_under_a_cast(connections: tuple[PGconn, PGconn], column: str) -> None:
    veiled, plain = connections
    stored = []
    for literal in LITERALS:
        insert = f"INSERT INTO kinds ({column}) VALUES ({literal}) RETURNING {column}"
        there, here = outcome(plain, insert), outcome(veiled, insert)
        assert not differs(there, here) or (literal, column) in NULL_THERE, (literal, there, here)
        if here == there:
            stored.append(literal)
        elif isinstance(there, list):
            plain.exec_(b"DELETE FROM kinds WHERE id = (SELECT max(id) FROM kinds)")
    assert stored
    if KINDS[column][2] == "lookup":
        for literal in LITERALS:
            select = f"SELECT {column} FROM kinds WHERE {column} = {literal}"
            there, here = outcome(plain, select), outcome(veiled, select)
            assert not differs(there, here), (literal, there, here)
        _compare_arguments(connections, column)


def _compare_arguments(connections: tuple[PGconn, PGconn], column: str) -> None:
    """An argument of EXECUTE becomes a value of the parameter's type before it is compared."""
    veiled, plain = connections
    for connection in connections:
        prepared = connection.exec_(f"PREPARE p AS SELECT {column} FROM kinds WHERE {column} = $1".encode())
        assert prepared.status == pq.ExecStatus.COMMAND_OK, prepared.error_message
    for literal in [*LITERALS, "'5.5'", "5.5", "'1'"]:
        there, here = outcome(plain, f"EXECUTE p ({literal})"), outcome(veiled, f"EXECUTE p ({literal})")
        assert not differs(there, here), (literal, there, here)


ARRAYS = [
    *(
        "ARRAY['a', NULL, 'it''s \"b\"', '']",
        "ARRAY['1', '2']::int4[]",
        "ARRAY[1, -2, NULL]",
        "ARRAY[]::text[]",
    ),
    *("ARRAY[1, 3000000000]", "ARRAY[2.5, -1]", "ARRAY[2.5]::int4[]", "ARRAY[1]::numeric[]"),
    *(
        "ARRAY['2020-01-01'::date, NULL]::date[]",
        "ARRAY['2020-01-01']::date[]",
        "ARRAY[]::date[]",
        "ARRAY['1']",
    ),
    *(
        "ARRAY['2020-01-01 10:00'::timestamp]",
        "ARRAY[true]",
        "ARRAY[]::int4[]",
        "'{1,NULL}'::int8[]",
        "'{a}'",
    ),
    *("ARRAY['a', 'b']::varchar(1)[]", "'{1}'::text[]", "ARRAY['x'::varchar, 'y'::varchar]", "ARRAY[['a']]"),
]


@pytest.mark.parametrize("column", [name for name in KINDS if name.startswith("some") or name == "a_text"])
def test_lists(connections: tuple[PGconn, PGconn], column: str) -> None:
    veiled, plain = connections
    stored = 0
    for literal in ARRAYS:
        insert = f"INSERT INTO kinds ({column}) VALUES ({literal}) RETURNING {column}"
        there, here = outcome(plain, insert), outcome(veiled, insert)
        assert not differs(there, here), (literal, there, here)
        stored += here == there
    assert stored > 2
