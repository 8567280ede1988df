"""Sessions in bare frames that make and change tables: pipelines, errors and statements of before."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from proxy.wire.frames import FLUSH, frame
from proxy.wire.frontend import Query
from tests.integration.raw import SYNC_FRAME, Raw, bind, execute, letters, parse, sqlstates, status
from tests.integration.schema import POLICY, SCHEMA
from tests.postgres import Postgres
from tests.proxy_process import Veil, Veils


@pytest.fixture
def proxy(postgres: Postgres, veil: Veils) -> Iterator[Veil]:
    with postgres.database() as database:
        database.execute(SCHEMA)
        yield veil(database, POLICY)


@pytest.fixture
def raw(proxy: Veil) -> Iterator[Raw]:
    with Raw(proxy.host, proxy.port, proxy.database.name) as raw:
        yield raw


def test_a_statement_of_before_behind_a_view_that_is_replaced(raw: Raw) -> None:
    """Sent in one write, its value would be stored by the view's new definition."""
    raw.query("CREATE VIEW v AS SELECT id, note AS value FROM users")
    raw.send(parse("INSERT INTO v (value) VALUES ($1)", "s"), SYNC_FRAME)
    raw.until_ready()
    replace = "CREATE OR REPLACE VIEW v AS SELECT id, email AS value FROM users"
    raw.send(Query(replace.encode()).pack(), bind("kanarie", name="s"), execute(), SYNC_FRAME)
    assert sqlstates(raw.until_ready(2)) == ["0A000"]


def test_it_waits_for_no_lock_of_another_transaction(proxy: Veil, raw: Raw) -> None:
    """Views are read only to know what they are by now; the statement itself names none."""
    for locked in ("ALTER VIEW contacts RENAME TO people", "LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"):
        raw.query("CREATE OR REPLACE VIEW both_tables AS SELECT u.email FROM users u JOIN orders o ON true")
        with proxy.database.connect() as other, other.transaction(force_rollback=True):
            other.execute(locked)
            raw.query("BEGIN")
            raw.query("ALTER TABLE users ADD COLUMN more text; SET LOCAL lock_timeout = 500")
            answer = raw.query("SELECT email, more FROM users")
            assert (letters(answer), status(answer)) == ("TCZ", "T")
            raw.query("ROLLBACK")


def test_a_view_that_cannot_be_read_for_a_lock_is_refused(proxy: Veil, raw: Raw) -> None:
    with proxy.database.connect() as other, other.transaction(force_rollback=True):
        other.execute("ALTER VIEW contacts RENAME TO people")
        raw.query("BEGIN")
        raw.query("ALTER TABLE users RENAME COLUMN note TO remark")
        answer = raw.query("INSERT INTO contacts (note, mail) VALUES ('a', 'kanarie')")
        assert (sqlstates(answer), status(answer)) == (["0A000"], "E")


def test_behind_a_rollback_in_a_pipeline_the_transaction_is_not_failed(raw: Raw) -> None:
    """pgveil's refusals come as themselves, and what DDL has made is asked for."""
    raw.query("BEGIN")
    raw.query("SELECT 1/0")
    raw.send(parse("ROLLBACK"), bind(), execute(), frame(FLUSH))
    assert [raw.message() for _ in range(3)][-1] == ("C", b"ROLLBACK\0")
    raw.send(parse("SELECT max(email) FROM users"), SYNC_FRAME)
    assert sqlstates(raw.until_ready()) == ["0A000"]


def test_a_transaction_that_somebody_waits_for_to_rewrite_the_catalogue(proxy: Veil, raw: Raw) -> None:
    """VACUUM FULL of pg_class lets nobody else in, and waits for who has looked at it: he goes on."""
    raw.query("BEGIN")
    raw.query("SELECT count(*) FROM pg_catalog.pg_class")
    with proxy.database.connect() as other:
        rewriting = threading.Thread(target=other.execute, args=["VACUUM FULL pg_catalog.pg_class"])
        rewriting.start()
        try:
            waits = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'pg_class'::regclass"
            while not raw.query(waits)[1:-2]:
                pass
            for text in (
                "CREATE TABLE letters (id int, sender text)",
                "CREATE TABLE copies AS SELECT id FROM letters",
                "SELECT id FROM copies",
                "DROP TABLE IF EXISTS nothing",
                "DROP TABLE IF EXISTS nothing",
                "INSERT INTO users (id, email) VALUES (901, 'kanarie')",
                "SELECT email FROM users WHERE email = 'kanarie'",
            ):
                answer = raw.query(text)
                assert (sqlstates(answer), status(answer)) == ([], "T"), text
            raw.query("CREATE FUNCTION unheard_of() RETURNS int LANGUAGE sql AS 'SELECT 1'")
            assert sqlstates(raw.query("SELECT unheard_of()")) == ["58000"], "it may do anything"
        finally:
            raw.query("ROLLBACK")
            rewriting.join()
