"""What the words of a function's body tell."""

from __future__ import annotations

import pytest

from policy.server_code import joined, may_change_search_path, mentions, word_pattern

CHANGE = [
    "SELECT set_config('search_path', 'x', false)",
    "BEGIN SET search_path = x; END",
    "BEGIN set /* now */ local\n search_path to x; END",
    "BEGIN EXECUTE 'SET ' || quote_ident('search_path') || ' = x'; END",
    "BEGIN SET SCHEMA 'x'; END",
    "begin\n  set local role joe;\nend",
    "SET SESSION AUTHORIZATION joe",
    "BEGIN EXECUTE 'SET ROLE joe'; END",
    "RESET ALL",
    "BEGIN RESET search_path; END",
    "UPDATE pg_settings SET setting = 'x'",
]
KEEP = [
    "SELECT 1",
    "UPDATE people SET role = 'admin' WHERE id = $1",
    "UPDATE people SET name = 'x'; SELECT current_schema()",
    "SELECT current_setting('search_path')",
    "BEGIN NEW.schema := 'x'; RETURN NEW; END",
    "SELECT offset_of(1), asset FROM settings",
]


@pytest.mark.parametrize("body", CHANGE)
def test_words_that_change_search_path(body: str) -> None:
    assert may_change_search_path(body)


@pytest.mark.parametrize("body", KEEP)
def test_words_that_do_not(body: str) -> None:
    assert not may_change_search_path(body)


def test_names_are_found_as_words() -> None:
    assert mentions("PERFORM Go(1)", ["go"])
    assert mentions('SELECT "we.ird"()', ["we.ird"])
    assert not mentions("SELECT category()", ["go"])
    assert not mentions("SELECT 1", [])
    assert word_pattern([]) == ""


@pytest.mark.parametrize(
    "pieces", ["'us' || 'ers'", "'us'||'ers'", "''us'' || ''ers''", "'us' || E'ers'", "'us'\n  'ers'"]
)
def test_pieces_are_put_together(pieces: str) -> None:
    assert "users" in joined(f"EXECUTE {pieces}")
