"""A comparison that PostgreSQL has no operator for is refused with its error; no other one is."""

from __future__ import annotations

from itertools import product

import psycopg
import pytest

from proxy.errors import ServerError
from proxy.sql.analysis import SessionView
from proxy.sql.planner import Planner
from tests.postgres import Database
from tests.sql.world import world

COLUMNS = {
    "email": "text",
    "age": "int4",
    "balance": "numeric(12,2)",
    "active": "bool",
    "nick": "varchar(20)",
    "tags": "text[]",
}
OPERANDS = [
    *("5", "+5", "-5", "5000000000", "2.5", "1e400", "0x1F", "TRUE", "'5'", "NULL", "5::int2", "'5'::float4"),
    *("'x'::text", "'x'::varchar(3)", "'x'::char(3)", "NULL::int4", "NULL::date", "'5'::text::int4"),
    *(
        "'{5}'::int4[]",
        "'{x}'::text[]",
        "'{x}'::varchar[]",
        "ARRAY['x']",
        "'2020-01-01'::date",
        "'\\x'::bytea",
    ),
    *("time '10:00'", "interval '1 day'", "'2020-01-01'::timestamptz", "'1.2.3.4'::inet", "'{}'::jsonb"),
]
FORMS = [
    "{c} = {v}",
    "{v} <> {c}",
    "{c} IN ({v})",
    "{c} NOT IN ({v}, {v})",
    "{c} IS DISTINCT FROM {v}",
    "({c}, 1) = ({v}, 1)",
    "{c} = ANY (ARRAY[{v}])",
    "NULLIF({c}, {v}) IS NULL",
    "CASE {c} WHEN {v} THEN true END",
    "{c} IN (SELECT {v})",
    "EXISTS (SELECT FROM (VALUES ({v})) v (x) WHERE x = {c})",
]


def judged(text: str) -> str:
    """The error of the statement's analysis, if it is 42883."""
    try:
        Planner(world()).plan(text.encode(), SessionView(("public",)), final=True)
    except ServerError as error:
        return error.message if error.sqlstate == "42883" else "refused"
    return "works"


@pytest.fixture
def twin(database18: Database) -> psycopg.Connection[tuple[object, ...]]:
    connection = database18.connect()
    connection.execute(
        f"CREATE TABLE users ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})"
    )
    return connection


def test_operators_are_the_servers(twin: psycopg.Connection[tuple[object, ...]]) -> None:
    told = 0
    with twin:
        for form, column, operand in product(FORMS, COLUMNS, OPERANDS):
            text = f"SELECT 1 FROM users WHERE {form.format(c=column, v=operand)}"
            try:
                twin.execute(text.encode())
            except psycopg.Error as error:
                there = error.diag.message_primary if error.sqlstate == "42883" else "refused"
            else:
                there = "works"
            here = judged(text)
            assert here in (there, "refused", "works"), (text, there, here)
            told += here == there != "works"
    assert told > 500
