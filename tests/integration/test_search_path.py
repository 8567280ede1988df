"""search_path changed by code in the server, which only PostgreSQL 18 tells its clients of."""

from __future__ import annotations

from contextlib import nullcontext

import asyncpg
import psycopg
import pytest

from tests.postgres import Database
from tests.proxy_process import Veils


async def test_a_search_path_that_is_set_by_the_first_row(database: Database, veil: Veils) -> None:
    """asyncpg asks for one row and no more, so that the server never says that the statement is complete."""
    database.execute(
        "CREATE SCHEMA other; CREATE TABLE other.users (email text); CREATE TABLE users (email text)"
    )
    classes = "version: 1\nclasses: {lookup: {mode: deterministic}}\n"
    proxy = veil(database, f"{classes}tables: {{users: {{email: lookup}}}}\n")
    connection = await asyncpg.connect(proxy.dsn(), server_settings={"search_path": "other"})
    try:
        await connection.fetchval("SELECT set_config('search_path', 'public', false)")
        await connection.execute("INSERT INTO users (email) VALUES ('kanarie')")
    finally:
        await connection.close()
    assert database.execute("SELECT count(*) FROM public.users WHERE email LIKE 'pgv1:%'") == [(1,)]


def test_a_function_that_may_change_the_search_path(database: Database, veil: Veils) -> None:
    """Before PostgreSQL 18 nobody says what it did: a name that means two tables is refused from then on."""
    database.execute(
        "CREATE SCHEMA other; CREATE TABLE other.users (email text); CREATE TABLE public.users (email text);"
        "CREATE TABLE once (email text);"
    )
    classes = "version: 1\nclasses: {lookup: {mode: deterministic}}\n"
    proxy = veil(database, f"{classes}tables: {{users: {{email: lookup}}, once: {{email: lookup}}}}\n")
    database.execute(
        "CREATE FUNCTION stay() RETURNS text LANGUAGE sql AS 'SELECT set_config(''a.b'', ''c'', false)';"
        "CREATE FUNCTION go(path text) RETURNS text LANGUAGE sql AS"
        " 'SELECT set_config(''search_path'', path, false)'"
    )
    reported = database.postgres.version >= 18
    insert = "INSERT INTO users (email) VALUES ('kanarie')"
    with proxy.connect() as connection:
        connection.execute("SET search_path = other, public")
        for call in ("SELECT stay()", "SELECT go('public')"):
            connection.execute(call.encode())
            connection.execute("INSERT INTO once (email) VALUES ('kanarie')")
            with nullcontext() if reported else pytest.raises(psycopg.errors.FeatureNotSupported):
                connection.execute(insert.replace("kanarie", "x" if "stay" in call else "kanarie").encode())
        connection.execute("SET search_path = public")
        connection.execute(insert.encode())
        assert connection.execute("SELECT email FROM users").fetchall() == [("kanarie",)] * (1 + reported)
    assert database.execute("SELECT count(*) FROM other.users WHERE email = 'x'") == [(int(reported),)]
