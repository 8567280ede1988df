"""Migrations: tables that a transaction makes and changes, and fills before it is committed.

Every story runs through pgveil and in a plain database beside it. Nothing that only the transaction can see
may be stored in clear, and afterwards all is there as in the plain one.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import asyncpg
import psycopg
import psycopg2
import pytest

from tests.postgres import DIRECT, Database, Postgres
from tests.proxy_process import CANARY_NUMBER, Veil, Veils

POLICY = """
version: 1
classes:
  lookup: {mode: deterministic}
  secret: {mode: randomized}
tables:
  people:
    email: {class: lookup, key: mail}
    ssn: secret
    age: {class: lookup, type: int4}
  letters:
    sender: {class: lookup, key: mail}
    body: secret
  app.people:
    email: lookup
"""
Step = tuple[str, tuple[Any, ...]]
Rows = list[list[tuple[Any, ...]]]

# In the order of Django's and Alembic's: tables, indexes, constraints, rows, and all of it again.
MIGRATION: list[Step] = [
    ("CREATE TABLE people (id serial PRIMARY KEY, email text NOT NULL, age int, note text)", ()),
    ("CREATE TABLE letters (id serial PRIMARY KEY, person int, sender text, body text)", ()),
    ("CREATE UNIQUE INDEX people_email ON people (email)", ()),
    ("INSERT INTO people (email, age) VALUES (%s, %s) RETURNING id, age", ("kanarie-1", CANARY_NUMBER)),
    ("INSERT INTO people VALUES (7, %s, %s, %s)", ("kanarie-7", 17, "in clear")),
    ("ALTER TABLE letters ADD CONSTRAINT f FOREIGN KEY (person) REFERENCES people DEFERRABLE", ()),
    ("ALTER TABLE letters ADD CONSTRAINT m FOREIGN KEY (sender) REFERENCES people (email)", ()),
    ("INSERT INTO letters (person, sender) SELECT id, email FROM people", ()),
    ("ALTER TABLE people ADD COLUMN ssn text", ()),
    ("SAVEPOINT before_values", ()),
    ("UPDATE people SET ssn = %s WHERE email = %s", ("kanarie ssn", "kanarie-1")),
    ("ALTER TABLE people ALTER COLUMN ssn SET DEFAULT 'kanarie default'", ()),
    ("INSERT INTO people (email) VALUES (%s)", ("kanarie-2",)),
    ("RELEASE SAVEPOINT before_values", ()),
    ("ALTER TABLE people ADD CONSTRAINT c CHECK (email <> 'kanarie')", ()),
    ("ALTER TABLE people DROP COLUMN note, ADD COLUMN more text", ()),
    ("INSERT INTO people VALUES (8, %s, %s, %s, %s)", ("kanarie-8", 18, "kanarie 8", "in clear")),
    ("ALTER INDEX people_email RENAME TO people_by_email", ()),
    ("SELECT last_value FROM letters_id_seq", ()),
    ("CREATE VIEW contacts AS SELECT id, email AS mail, ssn FROM people", ()),
    ("UPDATE contacts SET ssn = %s WHERE mail = %s", ("kanarie by view", "kanarie-7")),
    ("ALTER TABLE letters RENAME COLUMN person TO who", ()),
    ("UPDATE letters SET body = %s WHERE sender = %s AND who = 7", ("kanarie body", "kanarie-7")),
    ("SELECT id, mail, ssn FROM contacts ORDER BY id", ()),
    ("SELECT p.age, l.sender, l.body FROM letters l JOIN people p ON p.email = l.sender ORDER BY p.id", ()),
    ("SELECT id, email FROM people WHERE age = %s", (CANARY_NUMBER,)),
]
AFTERWARDS: list[Step] = [
    ("SELECT id, email, age, ssn, more FROM people ORDER BY id", ()),
    ("SELECT id, who, sender, body FROM letters ORDER BY id", ()),
    ("SELECT id, mail, ssn FROM contacts ORDER BY id", ()),
    ("INSERT INTO people (email) VALUES (%s) RETURNING ssn", ("kanarie-3",)),
]


def psycopg_simple(dsn: str, steps: list[Step]) -> Rows:
    with psycopg.connect(dsn, cursor_factory=psycopg.ClientCursor) as connection:
        return [_fetched(connection.execute(sql, values or None)) for sql, values in steps]


def psycopg_extended(dsn: str, steps: list[Step]) -> Rows:
    with psycopg.connect(dsn, prepare_threshold=0) as connection:
        return [_fetched(connection.execute(sql, values)) for sql, values in steps]


def psycopg_pipeline(dsn: str, steps: list[Step]) -> Rows:
    with psycopg.connect(dsn) as connection, connection.pipeline():
        cursors = [connection.execute(sql, values) for sql, values in steps]
        return [_fetched(cursor) for cursor in cursors]


def psycopg_one_implicit_transaction(dsn: str, steps: list[Step]) -> Rows:
    """A pipeline outside a transaction is one by itself up to its Sync."""
    steps = [step for step in steps if "SAVEPOINT" not in step[0]]
    with psycopg.connect(dsn, autocommit=True) as connection, connection.pipeline():
        cursors = [connection.execute(sql, values) for sql, values in steps]
        return [_fetched(cursor) for cursor in cursors]


def _fetched(cursor: psycopg.Cursor[Any]) -> list[tuple[Any, ...]]:
    return cursor.fetchall() if cursor.description else []


def psycopg2_simple(dsn: str, steps: list[Step]) -> Rows:
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            found = []
            for sql, values in steps:
                cursor.execute(sql, values or None)
                found.append(cursor.fetchall() if cursor.description else [])
            return found
    finally:
        connection.close()


async def asyncpg_prepared(dsn: str, steps: list[Step]) -> Rows:
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            found = []
            for sql, values in steps:
                for i in range(len(values)):
                    sql = sql.replace("%s", f"${i + 1}", 1)
                found.append([tuple(record) for record in await connection.fetch(sql, *values)])
            return found
    finally:
        await connection.close()


DRIVERS: list[Callable[[str, list[Step]], Rows]] = [
    psycopg_simple,
    psycopg_extended,
    psycopg_pipeline,
    psycopg_one_implicit_transaction,
    psycopg2_simple,
]


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.__name__)
def test_a_migration_and_its_rows(database: Database, veil: Veils, postgres: Postgres, driver: Any) -> None:
    """The same rows as in a plain database, in the transaction and after it; ciphertext in the server."""
    proxy = veil(database, POLICY)
    with postgres.database() as plain:
        for steps in (MIGRATION, AFTERWARDS):
            assert driver(proxy.dsn(), steps) == driver(_direct(plain), steps)
    _assert_sealed(database)


async def test_a_migration_and_its_rows_by_asyncpg(
    database: Database, veil: Veils, postgres: Postgres
) -> None:
    proxy = veil(database, POLICY)
    with postgres.database() as plain:
        for steps in (MIGRATION, AFTERWARDS):
            expected = await asyncpg_prepared(_direct(plain), steps)
            assert await asyncpg_prepared(proxy.dsn(), steps) == expected
    _assert_sealed(database)


def _direct(plain: Database) -> str:
    return f"{plain.dsn}?application_name={DIRECT}"


def _assert_sealed(database: Database) -> None:
    """Every protected value is ciphertext; the other columns are as they came."""
    rows = database.execute("SELECT email, ssn, more FROM people")
    assert len(rows) > 3
    for email, ssn, more in rows:
        assert email.startswith("pgv1:")
        assert ssn is None or ssn.startswith("pgv1:")
        assert more in (None, "in clear")


# --- single things ---------------------------------------------------------------------------------------


@pytest.fixture
def proxy(database: Database, veil: Veils) -> Veil:
    return veil(database, POLICY)


def test_copy_in_and_out_of_a_table_of_the_transaction(proxy: Veil) -> None:
    with psycopg.connect(proxy.dsn()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE people (email text, note text, ssn text)")
        with cursor.copy("COPY people FROM STDIN") as copy:
            copy.write_row(("kanarie-1", "in clear", "kanarie"))
        with cursor.copy("COPY people (ssn, email) FROM STDIN WITH (FORMAT csv)") as copy:
            copy.write("kanarie,kanarie-2\n")
        with cursor.copy("COPY people TO STDOUT") as copy:
            assert list(copy.rows()) == [("kanarie-1", "in clear", "kanarie"), ("kanarie-2", None, "kanarie")]
        cursor.execute("TRUNCATE people")
        assert cursor.execute("SELECT count(*) FROM people WHERE email = 'kanarie-1'").fetchone() == (0,)


def test_savepoints_take_tables_and_columns_away(proxy: Veil) -> None:
    with psycopg.connect(proxy.dsn()) as connection:
        connection.execute("CREATE TABLE people (email text)")
        with connection.transaction(force_rollback=True):
            connection.execute("ALTER TABLE people ADD COLUMN ssn text")
            connection.execute("INSERT INTO people (ssn) VALUES ('kanarie')")
        with pytest.raises(psycopg.errors.UndefinedColumn):
            _in_a_savepoint(connection, "INSERT INTO people (ssn) VALUES ('kanarie')")
        with connection.transaction(force_rollback=True):
            connection.execute("DROP TABLE people")
            connection.execute("CREATE TABLE people (ssn text, email text)")
            connection.execute("INSERT INTO people VALUES ('kanarie ssn', 'kanarie-1')")
        connection.execute("INSERT INTO people VALUES ('kanarie-1')")
        assert connection.execute("SELECT * FROM people WHERE email = 'kanarie-1'").fetchall() == [
            ("kanarie-1",)
        ]


def _in_a_savepoint(connection: psycopg.Connection[Any], sql: str) -> None:
    with connection.transaction():
        connection.execute(sql)


def test_a_rollback_takes_all_of_it_away(proxy: Veil) -> None:
    with psycopg.connect(proxy.dsn()) as connection:
        connection.execute("CREATE TABLE people (email text)")
        connection.execute("INSERT INTO people VALUES ('kanarie')")
        connection.rollback()
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("INSERT INTO people VALUES ('kanarie')")


def test_columns_in_another_order_than_those_that_others_see(proxy: Veil) -> None:
    """Values without a list of columns go where the transaction's own table has them."""
    proxy.execute("CREATE TABLE people (note text, email text)")
    with psycopg.connect(proxy.dsn()) as connection:
        connection.execute("DROP TABLE people")
        connection.execute("CREATE TABLE people (email text, note text)")
        connection.execute("INSERT INTO people VALUES ('kanarie', 'in clear')")
        connection.execute("ALTER TABLE people DROP COLUMN note, ADD COLUMN ssn text")
        connection.execute("INSERT INTO people VALUES ('kanarie', 'kanarie')")
        connection.commit()
        rows = connection.execute("SELECT * FROM people").fetchall()
        assert rows == [("kanarie", None), ("kanarie", "kanarie")]


def test_a_table_that_takes_the_place_of_another(proxy: Veil) -> None:
    """The other way to change a table: make the new one, fill it, exchange them."""
    proxy.execute("CREATE TABLE people (note text, email text)")
    proxy.execute("INSERT INTO people VALUES ('n', 'kanarie-1')")
    with psycopg.connect(proxy.dsn()) as connection:
        connection.execute("CREATE TABLE app_people (email text, note text)")
        connection.execute("DROP TABLE people")
        connection.execute("ALTER TABLE app_people RENAME TO people")
        connection.execute("INSERT INTO people VALUES ('kanarie-2', 'n')")
        assert connection.execute("SELECT * FROM people").fetchall() == [("kanarie-2", "n")]
        connection.commit()
        assert connection.execute("SELECT note FROM people WHERE email = 'kanarie-2'").fetchall() == [("n",)]


def test_partitions_and_children_made_in_the_transaction(proxy: Veil) -> None:
    with psycopg.connect(proxy.dsn()) as connection:
        connection.execute("CREATE TABLE people (id int, email text) PARTITION BY RANGE (id)")
        connection.execute("CREATE TABLE people_1 PARTITION OF people FOR VALUES FROM (0) TO (9)")
        connection.execute("CREATE TABLE letters (sender text)")
        connection.execute("CREATE TABLE old_letters (year int) INHERITS (letters)")
        connection.execute("INSERT INTO people_1 VALUES (1, 'kanarie')")
        connection.execute("INSERT INTO old_letters VALUES ('kanarie', 1999)")
        assert connection.execute("SELECT * FROM people").fetchall() == [(1, "kanarie")]
        assert connection.execute("SELECT * FROM old_letters").fetchall() == [("kanarie", 1999)]


def test_a_schema_and_a_path_made_in_the_transaction(proxy: Veil) -> None:
    with psycopg.connect(proxy.dsn()) as connection:
        connection.execute("CREATE SCHEMA app")
        connection.execute("SET LOCAL search_path = app")
        connection.execute("CREATE TABLE people (email text, ssn text)")
        connection.execute("INSERT INTO people VALUES ('kanarie', 'in clear')")
        assert connection.execute("SELECT * FROM people").fetchall() == [("kanarie", "in clear")]
    ((email, ssn),) = proxy.database.execute("SELECT email, ssn FROM app.people")
    assert email.startswith("pgv1:")
    assert ssn == "in clear"


def test_what_a_function_has_made(proxy: Veil) -> None:
    """pgveil has seen no DDL."""
    with psycopg.connect(proxy.dsn()) as connection:
        proxy.database.execute(
            "CREATE FUNCTION make() RETURNS void LANGUAGE plpgsql AS"
            " $$ BEGIN EXECUTE 'CREATE TABLE people (email text)'; END $$"
        )
        connection.execute("SELECT make()")
        connection.execute("INSERT INTO people VALUES ('kanarie')")
        assert connection.execute("SELECT * FROM people").fetchall() == [("kanarie",)]


def test_a_partition_that_a_function_has_made(proxy: Veil) -> None:
    """The policy does not name it, and pgveil has seen no DDL."""
    proxy.database.execute(
        "CREATE FUNCTION make() RETURNS void LANGUAGE plpgsql AS"
        " $$ BEGIN EXECUTE 'CREATE TABLE people_1 PARTITION OF people DEFAULT'; END $$"
    )
    proxy.execute("CREATE TABLE people (id int, email text) PARTITION BY RANGE (id)")
    with psycopg.connect(proxy.dsn()) as connection:
        connection.execute("SELECT make()")
        connection.execute("INSERT INTO people_1 VALUES (1, 'kanarie')")
        connection.execute("CREATE TEMPORARY TABLE scratch (a text)")
        connection.execute("INSERT INTO scratch VALUES ('in clear')")
        assert connection.execute("SELECT * FROM people").fetchall() == [(1, "kanarie")]
        connection.commit()
        assert connection.execute("SELECT a FROM scratch").fetchall() == [("in clear",)]
        connection.execute("INSERT INTO people_1 VALUES (2, 'kanarie')")


def test_a_name_that_there_is_not_is_an_error_of_the_servers(proxy: Veil) -> None:
    """Nobody knows it, not even the transaction that has changed the catalogue."""
    with psycopg.connect(proxy.dsn()) as connection:
        connection.execute("CREATE TABLE people (email text)")
        for sql in ("SELECT * FROM nobody", "ALTER INDEX nothing RENAME TO something"):
            with pytest.raises(psycopg.errors.UndefinedTable), connection.transaction():
                connection.execute(sql)
        connection.execute("INSERT INTO people VALUES ('kanarie')")


def test_statements_prepared_in_the_transaction_outlive_it(proxy: Veil) -> None:
    with psycopg.connect(proxy.dsn(), prepare_threshold=0) as connection:
        connection.execute("CREATE TABLE people (email text, age int)")
        for i in range(3):
            connection.execute("INSERT INTO people VALUES (%s, %s)", (f"kanarie-{i}", i))
        connection.execute("PREPARE p AS SELECT email FROM people WHERE age = $1")
        assert connection.execute("EXECUTE p (1)").fetchall() == [("kanarie-1",)]
        connection.commit()
        connection.execute("INSERT INTO people VALUES (%s, %s)", ("kanarie-9", 9))
        assert connection.execute("EXECUTE p (9)").fetchall() == [("kanarie-9",)]


@pytest.mark.parametrize(
    "setting",
    [
        "client_encoding = latin1",
        "bytea_output = escape",
        "row_security = off",
        "standard_conforming_strings = off",
        "quote_all_identifiers = on",
        "role = ordinary",
        "DateStyle = german",
        "default_transaction_isolation = serializable",
    ],
)
def test_settings_of_the_session_do_not_mislead_it(database18: Database, veil: Veils, setting: str) -> None:
    proxy = veil(database18, POLICY)
    proxy.database.execute("GRANT ALL ON SCHEMA public TO PUBLIC; CREATE TABLE évil (é text)")
    with proxy.connect() as connection:
        connection.execute(f"SET {setting}")
        with connection.transaction():
            connection.execute("CREATE TABLE public.people (email text, ssn text)")
            connection.execute("CREATE VIEW public.v AS SELECT ssn AS s, email FROM public.people")
            connection.execute("INSERT INTO public.v VALUES ('kanarie ssn', 'kanarie')")
            rows = connection.execute("SELECT s, email FROM public.v").fetchall()
            assert rows == [("kanarie ssn", "kanarie")]


def test_operators_and_functions_before_postgresqls_own(proxy: Veil) -> None:
    """They mislead PostgreSQL itself where it prints a view: so its use is refused."""
    proxy.database.execute(
        "CREATE SCHEMA evil;"
        "CREATE FUNCTION evil.no(oid, oid) RETURNS bool LANGUAGE sql AS 'SELECT false';"
        "CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.no);"
        "CREATE FUNCTION evil.no(text, text) RETURNS bool LANGUAGE sql AS 'SELECT false';"
        "CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.no);"
        "CREATE FUNCTION evil.current_schemas(bool) RETURNS name[] LANGUAGE sql AS 'SELECT NULL::name[]';"
        "CREATE VIEW evil.pg_class AS SELECT 1::oid AS oid;"
    )
    with psycopg.connect(proxy.dsn(options="-csearch_path=evil,pg_catalog,public")) as connection:
        connection.execute("CREATE TABLE public.people (email text, ssn text)")
        connection.execute("INSERT INTO people VALUES ('kanarie', 'kanarie ssn')")
        connection.execute("CREATE VIEW public.v AS SELECT ssn AS s, email FROM public.people")
        connection.execute("INSERT INTO people VALUES ('kanarie', 'kanarie ssn')")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="cannot be read now"):
            connection.execute("INSERT INTO public.v VALUES ('kanarie ssn', 'kanarie')")


def test_a_cancelled_inquiry_is_an_error_of_the_statement(proxy: Veil) -> None:
    """statement_timeout of a millisecond: whichever statement it meets, the session goes on."""
    for kind in (psycopg.ClientCursor, psycopg.Cursor):
        with proxy.connect(cursor_factory=kind) as connection:
            connection.execute("BEGIN")
            connection.execute("CREATE TABLE people (email text)")
            connection.execute("SET LOCAL statement_timeout = 1")
            with pytest.raises(psycopg.errors.QueryCanceled):
                _for_long(connection, "ALTER TABLE people ALTER email SET NOT NULL", "TABLE people")
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
            with pytest.raises(psycopg.errors.InFailedSqlTransaction):
                connection.execute("INSERT INTO people VALUES ('kanarie')")
            connection.execute("ROLLBACK")
            assert connection.execute("SELECT 1").fetchone() == (1,)


def _for_long(connection: psycopg.Connection[Any], *statements: str) -> None:
    for _ in range(1000):
        for sql in statements:
            connection.execute(sql)


def test_rows_of_others_while_the_transaction_is_open(proxy: Veil) -> None:
    """What only one session sees is no concern of another."""
    proxy.execute("CREATE TABLE people (email text)")
    with psycopg.connect(proxy.dsn()) as one, proxy.connect() as other:
        one.execute("CREATE TABLE letters (sender text)")
        one.execute("INSERT INTO letters VALUES ('kanarie')")
        with pytest.raises(psycopg.errors.UndefinedTable):
            other.execute("INSERT INTO letters VALUES ('kanarie')")
        other.execute("INSERT INTO people VALUES ('kanarie')")
        assert other.execute("SELECT * FROM people").fetchall() == [("kanarie",)]
        one.commit()
        other.execute("INSERT INTO letters VALUES ('kanarie')")


def test_a_script_of_several_statements(proxy: Veil) -> None:
    """psycopg2 sends what a script holds as one text."""
    connection = psycopg2.connect(proxy.dsn())
    try:
        with connection, connection.cursor() as cursor, pytest.raises(psycopg2.Error):
            cursor.execute("CREATE TABLE people (email text); CREATE INDEX ON plain (a)")
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE people (email text); INSERT INTO people VALUES ('kanarie')")
            cursor.copy_expert("COPY people FROM STDIN", io.StringIO("kanarie\n"))
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT * FROM people")
            assert cursor.fetchall() == [("kanarie",)] * 2
    finally:
        connection.close()
