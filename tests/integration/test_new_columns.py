"""A column that was added past pgveil, and rows for it before a poll has noticed."""

from __future__ import annotations

from contextlib import suppress

import psycopg
import pytest

from tests.postgres import Database
from tests.proxy_process import Veils

POLICY = """
version: 1
classes:
  pii: {sensitivity: high, mode: randomized}
tables:
  letters: {sender: pii}
"""


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO letters VALUES (1, 'kanarie')",
        "INSERT INTO letters SELECT 1, 'kanarie'",
        "MERGE INTO letters USING (VALUES (1)) AS v(id) ON letters.id = v.id"
        " WHEN NOT MATCHED THEN INSERT VALUES (1, 'kanarie')",
        "COPY letters FROM STDIN",
        "INSERT INTO letters (id, sender) VALUES (1, 'kanarie')",
        "COPY letters (id, sender) FROM STDIN",
    ],
    ids=["values", "select", "merge", "copy", "values for columns", "copy of columns"],
)
def test_rows_are_encrypted(database18: Database, veil: Veils, sql: str) -> None:
    """What the known columns do not account for makes pgveil look at the catalogue again."""
    proxy = veil(database18, POLICY)
    proxy.execute("CREATE TABLE letters (id int)")
    with proxy.connect() as connection:
        connection.execute("SELECT FROM letters")
        database18.execute("ALTER TABLE letters ADD COLUMN sender text")
        if sql.startswith("COPY"):
            with connection.cursor().copy(sql) as copy:
                copy.write("1\tkanarie\n")
        else:
            connection.execute(sql)
        assert connection.execute("SELECT id, sender FROM letters").fetchall() == [(1, "kanarie")]


DEFINITIONS = [
    "ALTER TABLE letters ALTER COLUMN sender SET DEFAULT 'kanarie'",
    "ALTER TABLE letters ALTER COLUMN sender SET DEFAULT 'kanarie', ALTER COLUMN id SET NOT NULL",
    "ALTER TABLE letters ADD CHECK (sender <> 'kanarie')",
    "CREATE INDEX ON letters (id) WHERE sender = 'kanarie'",
    "CREATE POLICY own ON letters USING (sender = 'kanarie')",
    "CREATE PUBLICATION news FOR TABLE letters WHERE (sender = 'kanarie')",
    "CREATE TABLE cards (sender text DEFAULT 'kanarie') INHERITS (letters)",
    "ALTER TABLE letters ADD COLUMN more text GENERATED ALWAYS AS (sender || 'kanarie') STORED",
]
SENDER = "ALTER TABLE letters ADD COLUMN sender text"


@pytest.mark.parametrize("definition", DEFINITIONS)
@pytest.mark.parametrize("added", ["past pgveil", "by the same text", "by the same transaction"])
def test_definitions_of_a_column(database18: Database, veil: Veils, added: str, definition: str) -> None:
    """The value is encrypted, where the server stores it, or the definition is refused: it is not logged."""
    proxy = veil(database18, POLICY)
    proxy.execute("CREATE TABLE letters (id int)")
    with proxy.connect() as connection, suppress(psycopg.errors.FeatureNotSupported):
        connection.execute("SELECT FROM letters")
        if added == "past pgveil":
            database18.execute(SENDER)
            connection.execute(definition)
        elif added == "by the same text":
            connection.execute(f"{SENDER}; {definition}")
        else:
            with connection.transaction():
                connection.execute(SENDER)
                connection.execute(definition)
        table = "cards" if "cards" in definition else "letters"
        connection.execute(f"INSERT INTO {table} (id) VALUES (1)")
        assert connection.execute("SELECT sender FROM letters").fetchall() == [("kanarie",)]


@pytest.mark.parametrize(
    "command",
    [
        "ADD COLUMN sender text, ALTER COLUMN sender SET DEFAULT 'kanarie'",
        "ALTER COLUMN sender SET DEFAULT 'kanarie', ADD COLUMN sender text",
        "ADD COLUMN sender text DEFAULT 'kanarie', ADD COLUMN more int",
    ],
)
def test_a_column_and_its_default_in_one_statement(database18: Database, veil: Veils, command: str) -> None:
    proxy = veil(database18, POLICY)
    proxy.execute("CREATE TABLE letters (id int)")
    proxy.execute(f"ALTER TABLE letters {command}")
    proxy.execute("INSERT INTO letters (id) VALUES (1)")
    assert proxy.execute("SELECT sender FROM letters") == [("kanarie",)]


def test_a_star_that_has_become_wider(database18: Database, veil: Veils) -> None:
    """One session may meet a result that nobody has planned, and ends; the next one does not."""
    proxy = veil(database18, POLICY)
    proxy.execute("CREATE TABLE letters (id int, sender text)")
    proxy.execute("INSERT INTO letters VALUES (1, 'kanarie')")
    assert proxy.execute("TABLE letters") == [(1, "kanarie")]
    database18.execute("ALTER TABLE letters ADD COLUMN more int")
    with pytest.raises(psycopg.errors.InternalError_, match="the result is not what was planned"):
        proxy.execute("TABLE letters")
    assert proxy.execute("TABLE letters") == [(1, "kanarie", None)]


def test_more_values_than_columns_are_refused_as_by_the_server(database18: Database, veil: Veils) -> None:
    """Nothing of them is sent: a transaction may be adding the column while the INSERT waits for it."""
    proxy = veil(database18, POLICY)
    proxy.execute("CREATE TABLE letters (id int)")
    with proxy.connect() as connection, database18.connect() as other:
        other.execute("BEGIN; ALTER TABLE letters ADD COLUMN sender text")
        with pytest.raises(psycopg.errors.SyntaxError, match="has more expressions than target columns"):
            connection.execute("INSERT INTO letters VALUES (1, 'kanarie')")
        other.execute("COMMIT")
        connection.execute("INSERT INTO letters VALUES (1, 'kanarie')")
        assert connection.execute("SELECT sender FROM letters").fetchall() == [("kanarie",)]
