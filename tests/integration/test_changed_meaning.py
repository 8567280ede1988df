"""Texts and transactions that change what a name means, and then use it: judged by what it means then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from tests.postgres import Postgres
from tests.proxy_process import Veil, Veils

RESET = "DROP TABLE IF EXISTS letters, notes, base CASCADE; DROP SCHEMA IF EXISTS before CASCADE"
POLICY = """
version: 1
classes:
  pii: {sensitivity: high, mode: randomized}
tables:
  letters: {sender: pii}
"""
NOTES, LETTERS = "CREATE TABLE notes (id int, sender text)", "CREATE TABLE letters (id int, sender text)"
PARTITIONED = f"{NOTES} PARTITION BY LIST (id)"
HIDDEN = f"CREATE SCHEMA before; CREATE TABLE before.letters (id int, sender text); {LETTERS}"
BEFORE = "SET LOCAL search_path = before, public"
CASES = [
    # A parent that does not protect what its new child does: the child keeps the parent's rows.
    (f"{NOTES}; {LETTERS}", "ALTER TABLE letters INHERIT notes; UPDATE notes SET sender = 'kanarie'"),
    (NOTES, "CREATE TABLE letters () INHERITS (notes); UPDATE notes SET sender = 'kanarie'"),
    (
        f"{PARTITIONED}; {LETTERS}",
        "ALTER TABLE notes ATTACH PARTITION letters DEFAULT; INSERT INTO notes VALUES (1, 'kanarie')",
    ),
    (
        "CREATE TABLE base (id int, sender text) PARTITION BY LIST (id);"
        "CREATE TABLE notes PARTITION OF base DEFAULT PARTITION BY LIST (id)",
        "CREATE TABLE letters PARTITION OF notes DEFAULT; INSERT INTO base VALUES (1, 'kanarie')",
    ),
    # Statements that were prepared before: the server plans them anew.
    (
        f"{NOTES}; {LETTERS}",
        "PREPARE p (text) AS UPDATE notes SET sender = $1; ALTER TABLE letters INHERIT notes;"
        " EXECUTE p ('kanarie')",
    ),
    (
        HIDDEN,
        f"{BEFORE}; PREPARE p (text) AS INSERT INTO letters (sender) VALUES ($1); DROP TABLE before.letters;"
        " EXECUTE p ('kanarie')",
    ),
    # A table that hid the protected one.
    (HIDDEN, f"{BEFORE}; DROP TABLE before.letters; INSERT INTO letters (sender) VALUES ('kanarie')"),
    (
        f"CREATE SCHEMA before; {NOTES}; CREATE VIEW before.letters AS TABLE notes; {LETTERS}",
        f"{BEFORE}; DROP VIEW before.letters; INSERT INTO letters (sender) VALUES ('kanarie')",
    ),
]


@pytest.fixture(scope="module")
def shared(postgres18: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Veil]:
    with postgres18.database() as database:
        yield Veils(tmp_path_factory.mktemp("veil"))(database, POLICY)


@pytest.fixture
def proxy(shared: Veil) -> Iterator[Veil]:
    yield shared
    shared.assert_no_leak()
    shared.execute(RESET)


@pytest.mark.parametrize(("before", "text"), CASES)
def test_it_is_seen_within_a_text(proxy: Veil, before: str, text: str) -> None:
    """It is protected, or refused: the server's log, and the tables, hold no value."""
    proxy.execute(before)
    with suppress(psycopg.errors.FeatureNotSupported):
        proxy.execute(text)


@pytest.mark.parametrize(("before", "text"), CASES)
def test_it_is_seen_within_a_transaction(proxy: Veil, before: str, text: str) -> None:
    proxy.execute(before)
    refused = suppress(psycopg.errors.FeatureNotSupported)
    with proxy.connect() as connection, refused, connection.transaction():
        for statement in text.split("; "):
            connection.execute(statement)


def test_a_table_that_hides_the_protected_one(proxy: Veil) -> None:
    """What is written to it is not encrypted: it is another table."""
    proxy.execute(f"CREATE SCHEMA before; {LETTERS}")
    proxy.execute(
        "SET search_path = before, public; CREATE TABLE before.letters (id int, sender text);"
        "INSERT INTO letters VALUES (1, 'in clear')"
    )
    assert (1, "in clear") in proxy.database.execute("SELECT id, sender FROM before.letters")


def test_rows_of_a_parent_that_protects_as_its_child_does(proxy: Veil) -> None:
    """Nothing of this is in the way of a table that the policy names as a whole."""
    proxy.execute("CREATE TABLE letters (id int, sender text) PARTITION BY LIST (id)")
    proxy.execute(
        "CREATE TABLE first PARTITION OF letters FOR VALUES IN (1);"
        "CREATE TABLE others PARTITION OF letters DEFAULT;"
        "INSERT INTO letters VALUES (1, 'kanarie'), (2, 'kanarie');"
        "UPDATE others SET sender = 'kanarie two'"
    )
    rows = proxy.execute("SELECT id, sender FROM letters ORDER BY id")
    assert rows == [(1, "kanarie"), (2, "kanarie two")]
