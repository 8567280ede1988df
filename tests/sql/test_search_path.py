"""A search_path as a setting, read as PostgreSQL reads it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.sql.search_path import effective, parse_search_path
from tests.postgres import Postgres

SCHEMAS = ["a", "b", "A", "a b", 'a"b', "a,b", "$user", "postgres", "é", "É", "$x", "1a", "x" * 63]
Server = psycopg.Connection[tuple[list[str]]]


@pytest.fixture(scope="module")
def server(postgres18: Postgres) -> Iterator[Server]:
    with postgres18.database() as database, database.connect() as connection:
        for name in SCHEMAS:
            quoted = name.replace('"', '""')
            connection.execute(f'CREATE SCHEMA "{quoted}"'.encode())
        yield connection


def server_says(server: Server, value: str) -> list[str] | None:
    """The schemas that the server looks into; None for a value that it refuses."""
    try:
        server.execute("SELECT set_config('search_path', %s, false)", (value,))
        row = server.execute("SELECT pg_catalog.current_schemas(false)").fetchone()
    except psycopg.Error:
        return None
    assert row is not None
    return row[0]


def existing(path: tuple[str, ...]) -> list[str]:
    """Those that exist, each once."""
    return [name for i, name in enumerate(path) if name in (*SCHEMAS, "public") and name not in path[:i]]


_QUOTED = st.sampled_from(SCHEMAS).map(lambda name: '"' + name.replace('"', '""') + '"')
_BARE = st.sampled_from(
    ["a", "A", "b", "B", "public", "PUBLIC", "$user", "é", "É", "$x", "1a", "nowhere", "x" * 70, "X" * 63]
)
_SPACE = st.sampled_from(["", " ", "\t", "  ", "\n"])
_NAME = st.tuples(_SPACE, st.one_of(_BARE, _QUOTED), _SPACE).map("".join)
_LIST = st.lists(_NAME, max_size=4).map(",".join)
_SOUP = st.text(st.sampled_from('aAb"," $é\t'), max_size=10)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.one_of(_LIST, _SOUP))
def test_means_the_schemas_that_the_server_says(server: Server, value: str) -> None:
    its = server_says(server, value)
    if its is not None:
        user = server.info.user
        assert existing(effective(parse_search_path(value), user)) == its


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("", ()),
        ('"$user", public', ("$user", "public")),
        ("Audit,PUBLIC", ("audit", "public")),
        ('"Audit"', ("Audit",)),
        ('"a,b" , "say ""x"""', ("a,b", 'say "x"')),
        ('""', ("",)),
    ],
)
def test_names(value: str, path: tuple[str, ...]) -> None:
    assert parse_search_path(value) == path


def test_user_stands_for_the_role() -> None:
    assert effective(("$user", "public"), "ada") == ("ada", "public")
