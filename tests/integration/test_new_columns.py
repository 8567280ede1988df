"""A column that was added past pgveil, and rows for it before a poll has noticed."""

from __future__ import annotations

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
