"""A column that was added past pgveil, and rows for it before a poll has noticed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress

import psycopg
import pytest

from tests.postgres import Postgres
from tests.proxy_process import Veil, Veils

RESET = "DROP PUBLICATION IF EXISTS news; DROP SCHEMA public CASCADE; CREATE SCHEMA public"
POLICY = """
version: 1
classes:
  pii: {sensitivity: high, mode: randomized}
tables:
  letters: {sender: pii}
"""


@pytest.fixture(scope="module")
def veils(postgres18: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Veil]]:
    """One for each mode."""
    with ExitStack() as stack:
        yield {
            mode: Veils(tmp_path_factory.mktemp(mode))(
                stack.enter_context(postgres18.database()), POLICY.replace("randomized", mode)
            )
            for mode in ("randomized", "deterministic")
        }


def in_turn(veil: Veil) -> Iterator[Veil]:
    """For one test; what it has made is gone for the next one."""
    yield veil
    veil.assert_no_leak()
    veil.execute(RESET)


@pytest.fixture
def proxy(veils: dict[str, Veil]) -> Iterator[Veil]:
    yield from in_turn(veils["randomized"])


@pytest.fixture
def lookup(veils: dict[str, Veil]) -> Iterator[Veil]:
    """The column is deterministic."""
    yield from in_turn(veils["deterministic"])


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
def test_rows_are_encrypted(proxy: Veil, sql: str) -> None:
    """What the known columns do not account for makes pgveil look at the catalogue again."""
    proxy.execute("CREATE TABLE letters (id int)")
    with proxy.connect() as connection:
        connection.execute("SELECT FROM letters")
        proxy.database.execute("ALTER TABLE letters ADD COLUMN sender text")
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
def test_definitions_of_a_column(proxy: Veil, added: str, definition: str) -> None:
    """The value is encrypted, where the server stores it, or the definition is refused: it is not logged."""
    proxy.execute("CREATE TABLE letters (id int)")
    with proxy.connect() as connection, suppress(psycopg.errors.FeatureNotSupported):
        connection.execute("SELECT FROM letters")
        if added == "past pgveil":
            proxy.database.execute(SENDER)
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
def test_a_column_and_its_default_in_one_statement(proxy: Veil, command: str) -> None:
    proxy.execute("CREATE TABLE letters (id int)")
    proxy.execute(f"ALTER TABLE letters {command}")
    proxy.execute("INSERT INTO letters (id) VALUES (1)")
    assert proxy.execute("SELECT sender FROM letters") == [("kanarie",)]


@pytest.mark.parametrize("only", ["", "ONLY "])
def test_a_column_that_comes_to_a_child(proxy: Veil, only: str) -> None:
    """The policy protects it in the child: what the parent is given for it would be kept there in clear."""
    proxy.execute("CREATE TABLE notes (id int); CREATE TABLE letters () INHERITS (notes)")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match='from "notes", which does not protect it'):
        proxy.execute(f"ALTER TABLE {only}notes ADD COLUMN sender text DEFAULT 'kanarie'")
    proxy.execute("ALTER TABLE notes ADD COLUMN other text DEFAULT 'clear'")
    proxy.execute("ALTER TABLE letters ADD COLUMN sender text DEFAULT 'kanarie'")
    proxy.execute("INSERT INTO letters VALUES (1)")
    assert proxy.execute("SELECT sender FROM letters") == [("kanarie",)]


def test_a_star_that_has_become_wider(proxy: Veil) -> None:
    """One session may meet a result that nobody has planned, and ends; the next one does not."""
    proxy.execute("CREATE TABLE letters (id int, sender text)")
    proxy.execute("INSERT INTO letters VALUES (1, 'kanarie')")
    assert proxy.execute("TABLE letters") == [(1, "kanarie")]
    proxy.database.execute("ALTER TABLE letters ADD COLUMN more int")
    with pytest.raises(psycopg.errors.InternalError_, match="the result is not what was planned"):
        proxy.execute("TABLE letters")
    assert proxy.execute("TABLE letters") == [(1, "kanarie", None)]


def test_more_values_than_columns_are_refused_as_by_the_server(proxy: Veil) -> None:
    """Nothing of them is sent: a transaction may be adding the column while the INSERT waits for it."""
    proxy.execute("CREATE TABLE letters (id int)")
    with proxy.connect() as connection, proxy.database.connect() as other:
        other.execute("BEGIN; ALTER TABLE letters ADD COLUMN sender text")
        with pytest.raises(psycopg.errors.SyntaxError, match="has more expressions than target columns"):
            connection.execute("INSERT INTO letters VALUES (1, 'kanarie')")
        other.execute("COMMIT")
        connection.execute("INSERT INTO letters VALUES (1, 'kanarie')")
        assert connection.execute("SELECT sender FROM letters").fetchall() == [("kanarie",)]


UNWRITTEN = [
    "CREATE TABLE letters OF letter (sender WITH OPTIONS DEFAULT 'kanarie')",
    "CREATE TABLE letters OF letter (sender WITH OPTIONS CHECK (sender <> 'kanarie'))",
    "CREATE TABLE letters OF letter (CHECK (sender <> 'kanarie'))",
    "CREATE TABLE letters (LIKE notes, CHECK (sender <> 'kanarie'))",
    "CREATE TABLE letters (LIKE notes, more text GENERATED ALWAYS AS (sender || 'kanarie') STORED)",
    "CREATE TABLE letters (LIKE notes, EXCLUDE USING btree ((sender || 'kanarie') WITH =))",
    "CREATE TABLE letters (CHECK (sender <> 'kanarie')) INHERITS (notes)",
    "CREATE TABLE letters PARTITION OF parts (sender DEFAULT 'kanarie') DEFAULT",
    "CREATE TABLE letters PARTITION OF parts (CHECK (sender <> 'kanarie')) DEFAULT",
]


def test_columns_whose_type_is_not_written(proxy: Veil) -> None:
    """A protected column may come from a type, from LIKE, or from a parent that does not protect it."""
    proxy.database.execute(
        "CREATE TYPE letter AS (id int, sender text); CREATE TABLE notes (id int, sender text)"
    )
    proxy.database.execute("CREATE TABLE parts (id int, sender text) PARTITION BY LIST (id)")
    for sql in UNWRITTEN:
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            proxy.execute(sql)
    for sql in ("OF letter", "(LIKE notes, UNIQUE (id))", "(more int) INHERITS (notes)"):
        proxy.execute(f"CREATE TABLE letters {sql}")
        proxy.execute("INSERT INTO letters (sender) VALUES ('kanarie')")
        assert proxy.execute("SELECT sender FROM letters") == [("kanarie",)]
        proxy.execute("DROP TABLE letters")


# What needs no column that pgveil knows: names that mean another one as far as it can see, and whole rows.
HIDDEN = [
    "SELECT letters.id FROM letters JOIN (VALUES ('kanarie')) v(sender) USING (sender)",
    "SELECT letters.id FROM letters NATURAL JOIN (VALUES (1, 'kanarie')) v(id, sender)",
    "SELECT id FROM notes WHERE EXISTS (SELECT FROM letters WHERE sender = 'kanarie')",
    "SELECT id FROM notes WHERE 'kanarie' IN (SELECT sender FROM letters)",
    "SELECT coalesce((SELECT sender FROM letters LIMIT 1), 'kanarie') FROM notes",
    "SELECT letters.id FROM letters, notes WHERE sender = 'kanarie'",
    "DELETE FROM notes USING letters WHERE sender = 'kanarie'",
    "SELECT id FROM letters WHERE (letters).sender = 'kanarie'",
    "SELECT id FROM letters WHERE sender(letters) = 'kanarie'",
    "SELECT id FROM letters WHERE (letters.*).\"sender\" = 'kanarie'",
    "SELECT id FROM letters WHERE (letters).U&\"send\\0065r\" = 'kanarie'",
    "SELECT id FROM letters WHERE row_to_json(letters)->>'sender' = 'kanarie'",
    "SELECT id FROM letters l WHERE l = ROW(1, 'kanarie')::letters",
    "SELECT id FROM letters l WHERE l IN (SELECT ROW(1, 'kanarie')::letters)",
    "SELECT (1, 'kanarie') = ANY (SELECT * FROM letters)",
    "SELECT (1, 'kanarie') = (TABLE letters LIMIT 1)",
    "SELECT * FROM letters UNION ALL VALUES (8, 'kanarie')",
    "VALUES (8, 'kanarie') INTERSECT TABLE letters",
    "SELECT id FROM (SELECT l FROM letters l) x(y), LATERAL (SELECT (y).*) z WHERE z.sender = 'kanarie'",
    'INSERT INTO letters SELECT (json_populate_record(l, \'{"sender": "kanarie"}\')).* FROM letters l',
    "INSERT INTO letters SELECT ('(7,kanarie)'::letters).*",
    "INSERT INTO letters SELECT (ROW(7, 'kanarie')::letters).*",
    "CREATE VIEW known AS SELECT id FROM letters JOIN (VALUES ('kanarie')) v(sender) USING (sender)",
]


@pytest.mark.parametrize("sql", HIDDEN)
def test_a_column_that_is_not_missed(lookup: Veil, sql: str) -> None:
    """The statement makes sense without the column, so that nothing seems to be unknown."""
    lookup.execute("CREATE TABLE letters (id int); CREATE TABLE notes (id int, sender text)")
    with lookup.connect() as connection:
        connection.execute("SELECT FROM letters, notes")
        lookup.database.execute("ALTER TABLE letters ADD COLUMN sender text")
        with suppress(psycopg.errors.FeatureNotSupported, psycopg.errors.AmbiguousColumn):
            connection.execute(sql)


def test_a_view_that_has_become_wider(lookup: Veil) -> None:
    lookup.execute("CREATE TABLE letters (id int, sender text); INSERT INTO letters VALUES (1, 'kanarie')")
    lookup.execute("CREATE VIEW seen AS SELECT id FROM letters")
    with lookup.connect() as connection:
        connection.execute("SELECT FROM seen")
        lookup.database.execute("CREATE OR REPLACE VIEW seen AS SELECT id, sender AS name FROM letters")
        sql = "SELECT id FROM seen JOIN (VALUES ('kanarie')) v(name) USING (name)"
        assert connection.execute(sql).fetchall() == [(1,)]
