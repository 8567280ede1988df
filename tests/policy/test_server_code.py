"""What the words of a function's body tell."""

from __future__ import annotations

import pytest

from policy.server_code import (
    in_any_spelling,
    joined,
    may_change_search_path,
    mentions,
    row_columns,
    word_pattern,
)

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


HIDDEN = [
    "users",
    r"E'\x75sers'",
    r"E'\165\163ers'",
    r"E'\u0075sers'",
    r"E'\U00000075sers'",
    r"E'\users'",  # no escape that is known: the letter itself
    r'U&"\0075sers"',
    r'U&"us\+000065rs"',
    """U&"us!0065rs" UESCAPE '!'""",
    """U&'us+0065rs' uescape\n''+''""",
    r"E'E\'\\x75sers\''",
    r"E'U&\'\\0075sers\''",
]


@pytest.mark.parametrize("text", HIDDEN)
def test_names_are_found_behind_escapes(text: str) -> None:
    assert in_any_spelling(text, lambda spelled: "users" in spelled)


def test_letters_of_other_alphabets_are_found_behind_escapes() -> None:
    assert in_any_spelling(r"E'K\xc3\xa4ufer'", lambda spelled: "Käufer" in spelled)
    assert in_any_spelling(r"E'K\303\244ufer'", lambda spelled: "Käufer" in spelled)


@pytest.mark.parametrize(
    "text", ["SELECT 1", r"E'a\nb'", r"E'\xff\U00999999\'", r'U&"d\0061ta\+999999"', "\\\\"]
)
def test_what_is_not_there_is_not_found(text: str) -> None:
    assert not in_any_spelling(text, lambda spelled: "users" in spelled)


def test_what_cannot_be_read_counts_as_found() -> None:
    assert in_any_spelling("U&'x' UESCAPE /* ? */ '!'", lambda spelled: False)
    many = "".join(f"U&'{mark}0061' UESCAPE '{mark}' " for mark in "!#$%&()*")
    assert in_any_spelling(many, lambda spelled: False)


def test_columns_of_new_and_old() -> None:
    body = """
    BEGIN
      NEW.email := lower(OLD . "E Mail");
      SELECT 1 INTO STRICT x, new.phone;
      IF renew.age THEN RETURN NEW; END IF;
    END"""
    assert set(row_columns(body)) == {
        ("email", True),
        ("E Mail", False),
        ("phone", False),
        ("phone", True),
    }
