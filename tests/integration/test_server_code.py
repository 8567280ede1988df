"""Code that the server runs: what a migration may make through pgveil, and what it may not."""

from __future__ import annotations

import re

import pytest
from psycopg import errors

from tests.postgres import Database
from tests.proxy_process import Veils

SCHEMA = """
CREATE TABLE users (id int PRIMARY KEY, email text, note text, updated timestamptz);
CREATE TABLE log (id int);
"""
POLICY = """
version: 1
classes: {pii: {mode: randomized}}
tables:
  users: {email: pii}
trusted_functions: [keep_email, public.count_users]
"""
_LOWER = "BEGIN NEW.email := lower(NEW.email); RETURN NEW; END"
_TRIGGER = "CREATE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS $${}$$"


def test_the_refusal_says_where_the_table_is_named(database: Database, veil: Veils) -> None:
    database.execute(SCHEMA)
    with veil(database, POLICY).connect() as connection:
        with pytest.raises(errors.FeatureNotSupported) as refused:
            connection.execute("DO $$\nBEGIN\n  DELETE FROM public.users\n  WHERE id = 1;\nEND $$")
        assert 'Line 3 of its body names "public.users".' in (refused.value.diag.message_detail or "")
        with pytest.raises(errors.FeatureNotSupported) as refused:
            connection.execute("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS '\nSELECT id\nFROM users'")
        assert 'Line 3 of its body names "users".' in (refused.value.diag.message_detail or "")
        assert "trusted_functions" in (refused.value.diag.message_hint or "")
        connection.execute(
            "CREATE FUNCTION count_users() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM users'"
        )
        assert connection.execute("SELECT count_users()").fetchone() == (0,)


_BLOCK = """DECLARE one record;
BEGIN
  FOR one IN SELECT relname FROM pg_class WHERE relname = 'notes' LOOP
    EXECUTE 'INSERT INTO ' || one.relname || ' VALUES (1)';
  END LOOP;
END"""


def test_a_block_that_the_policy_trusts(database: Database, veil: Veils) -> None:
    """The refusal gives the words for the policy; another block stays refused."""
    database.execute(SCHEMA)
    database.execute("CREATE TABLE notes (id int)")
    block = f"DO $${_BLOCK}$$"
    with veil(database, POLICY).connect() as connection:
        with pytest.raises(errors.FeatureNotSupported, match="cannot be proved safe") as refused:
            connection.execute(block)
        assert "trusted_blocks" in (refused.value.diag.message_hint or "")
        found = re.search(r"sha256:\w+", refused.value.diag.message_detail or "")
    assert found is not None
    with veil(database, f"{POLICY}trusted_blocks: ['{found[0]}']\n").connect() as connection:
        connection.execute(block)
        assert connection.execute("SELECT id FROM notes").fetchall() == [(1,)]
        with pytest.raises(errors.FeatureNotSupported, match="cannot be proved safe"):
            connection.execute(block.replace("(1)", "(2)"))


def test_a_trigger_leaves_protected_columns_alone(database: Database, veil: Veils) -> None:
    database.execute(SCHEMA)
    with veil(database, POLICY).connect() as connection:
        for name, body in (
            ("lower_email", _LOWER),
            ("keep_email", "BEGIN INSERT INTO log SELECT 1 WHERE NEW.email IS NOT NULL; RETURN NEW; END"),
            ("touch", "BEGIN NEW.updated := now(); RETURN NEW; END"),
        ):
            connection.execute(_TRIGGER.format(name, body))
        make = "CREATE TRIGGER {0} BEFORE INSERT ON {1} FOR EACH ROW EXECUTE FUNCTION {0}()"
        with pytest.raises(errors.FeatureNotSupported) as refused:
            connection.execute(make.format("lower_email", "users"))
        assert 'lower_email() of a trigger uses protected column "email"' in str(refused.value)
        connection.execute(make.format("lower_email", "log"))
        connection.execute("DROP TRIGGER lower_email ON log")
        connection.execute(make.format("touch", "users"))
        connection.execute(make.format("keep_email", "users"))
        with pytest.raises(errors.FeatureNotSupported):
            connection.execute(_TRIGGER.format("touch", _LOWER).replace("CREATE", "CREATE OR REPLACE"))
        connection.execute("INSERT INTO users (id, email) VALUES (1, 'kanarie')")
        row = connection.execute("SELECT email, updated IS NULL FROM users").fetchone()
        assert row == ("kanarie", False)
        assert database.execute("SELECT count(*) FROM log") == [(1,)]


def test_a_do_block_that_puts_sql_together(database: Database, veil: Veils) -> None:
    """Rights on every table are given; a value is written to none."""
    database.execute(SCHEMA)
    loop = (
        "DO $$ DECLARE t text; BEGIN"
        " FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP {} END LOOP; END $$"
    )
    with veil(database, POLICY).connect() as connection:
        with pytest.raises(errors.FeatureNotSupported):
            connection.execute(loop.format("EXECUTE format('UPDATE %I SET email = %L', t, 'kanarie');"))
        connection.execute(loop.format("EXECUTE format('GRANT SELECT ON %I TO PUBLIC', t);"))
        connection.execute(loop.format("EXECUTE format('ALTER TABLE %I ADD COLUMN made timestamptz', t);"))
        connection.execute("INSERT INTO users VALUES (1, 'kanarie', 'n', NULL, now())")
    assert database.execute("SELECT has_table_privilege('public', 'users', 'SELECT')") == [(True,)]
