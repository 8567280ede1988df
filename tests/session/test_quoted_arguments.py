"""asyncpg's copy_from_query: arguments of protected columns, which the server is to quote, are refused."""

from __future__ import annotations

from proxy.wire.frontend import Describe
from tests.session.playbook import SYNC, Playbook, bind, execute, parse

QUOTES = 'SELECT quote_literal($1::"pg_catalog"."text"::text), quote_literal($2::"pg_catalog"."int4"::text)'


def test_arguments_of_a_query_that_was_prepared_only() -> None:
    play = Playbook()
    play.client(parse("SELECT id FROM users WHERE email = $1", "a"), Describe(b"S", b"a"))
    play.client(parse("SELECT typname FROM pg_type WHERE oid = $1", "b"))
    assert play.client(parse(QUOTES, "c"), SYNC)[0].startswith("Parse c: refused")


def test_arguments_after_a_query_that_was_executed() -> None:
    play = Playbook()
    play.client(parse("SELECT id FROM users WHERE email = $1", "a"), bind("kanarie", name="a"), execute())
    assert play.client(parse(QUOTES, "c"), SYNC)[0] == f"Parse c: {QUOTES}"


def test_arguments_of_an_unprotected_query() -> None:
    play = Playbook()
    play.client(parse("SELECT id FROM plain WHERE name = $1", "a"))
    assert play.client(parse(QUOTES, "c"), SYNC)[0] == f"Parse c: {QUOTES}"
