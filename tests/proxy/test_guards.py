"""Guards: what goes through pgveil never meets them, and what goes past it does."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from policy.guard import guard_name
from policy.model import Policy
from proxy import guards
from proxy.guards import Mason, Outcome, guarded_columns
from proxy.introspect import Catalogs, connector
from tests.integration.schema import KINDS, KINDS_POLICY, KINDS_SCHEMA, POLICY, SCHEMA
from tests.policy.samples import policy_of
from tests.postgres import Database
from tests.proxy.catalogs import address
from tests.proxy_process import Veil, Veils

PII = "version: 1\nclasses: {pii: {mode: randomized}}\ntables:\n"
EVERY_KIND = """
INSERT INTO kinds (a_text, a_varchar, a_char, a_bytea, a_bool, an_int2, an_int4, an_int8, a_float4, a_float8,
  a_numeric, a_price, a_date, a_time, a_timestamp, a_timestamptz, an_interval, a_uuid, a_json, a_jsonb,
  an_inet, some_texts, some_ints, some_dates)
VALUES ('', '', '', '', false, 1, 2, 3, 1.5, 2.5, 10, 9.99, '2026-01-01', '12:00', '2026-01-01 12:00',
  '2026-01-01 12:00+00', '1 day', '5eed0000-0000-4000-8000-000000000001', '{}', '"x"', '10.0.0.1',
  '{}', '{1}', '{2026-01-01}')
"""


def guard(veil: Veil, *arguments: str, code: int = 0) -> str:
    """Run `pgveil guard`; what it printed."""
    done = veil.command("guard", *arguments)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout + done.stderr


def constraints(database: Database, table: str) -> dict[str, bool]:
    """The CHECK constraints of a table, and whether they are validated."""
    rows = database.execute(
        "SELECT conname, convalidated FROM pg_constraint"
        " WHERE conrelid = %s::regclass AND contype = 'c' ORDER BY 1",
        [table],
    )
    return dict(rows)


def test_every_kind_of_column_is_guarded(database: Database, veil: Veils) -> None:
    """Whatever pgveil writes passes, NULL and the empty text too; plaintext does not, in any column."""
    database.execute(KINDS_SCHEMA)
    proxy = veil(database, KINDS_POLICY.replace("  users:", "  nobody:").replace("  orders:", "  nothing:"))
    with proxy.connect() as connection:
        connection.execute(EVERY_KIND)
        connection.execute("INSERT INTO kinds DEFAULT VALUES")
        assert "guarded, and every row validated" in guard(proxy, "install")
        assert constraints(database, "kinds") == {guard_name(name): True for name in sorted(KINDS)}
        connection.execute(EVERY_KIND)
        connection.execute(
            "UPDATE kinds SET a_json = NULL, a_text = 'kanarie', some_texts = '{kanarie,NULL}'"
        )
        assert connection.execute("SELECT count(a_text), count(a_json) FROM kinds").fetchone() == (3, 0)
    for name, (_, storage, _) in KINDS.items():
        plaintext = '"kanarie"' if "json" in storage else "kanarie"
        with pytest.raises(errors.CheckViolation) as refused:
            database.execute(
                f"UPDATE kinds SET {name} = %s", [plaintext.encode() if storage == "bytea" else plaintext]
            )
        assert refused.value.diag.constraint_name == guard_name(name)


def test_it_is_made_once_and_goes_without_a_trace(database: Database, veil: Veils) -> None:
    database.execute(SCHEMA)
    before = constraints(database, "users")
    proxy = veil(database, POLICY)
    assert "public.users.email: no guard" in guard(proxy, "status", code=1)
    shown = guard(proxy, "install", "--dry-run")
    assert 'ADD CONSTRAINT "pgveil_guard_email" CHECK' in shown
    assert constraints(database, "users") == before
    guard(proxy, "install")
    made = constraints(database, "users")
    assert "guarded already" in guard(proxy, "install")
    assert constraints(database, "users") == made
    assert "public.users.email: guarded" in guard(proxy, "status")
    assert "no guard" not in veil_check(proxy)
    database.execute(
        "ALTER TABLE users DROP CONSTRAINT pgveil_guard_ssn,"
        " ADD CONSTRAINT pgveil_guard_ssn CHECK (ssn <> '')"
    )
    assert "public.users.ssn: guard of another form" in guard(proxy, "status", code=1)
    guard(proxy, "install")
    assert constraints(database, "users") == made
    guard(proxy, "remove", "--field", "users.email")
    assert made.keys() - constraints(database, "users").keys() == {"pgveil_guard_email"}
    guard(proxy, "remove", "--table", "users")
    assert constraints(database, "users") == before
    assert "public.orders.buyer: guarded" in guard(proxy, "status", code=1)


def veil_check(proxy: Veil) -> str:
    done = proxy.command("check")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rows_that_hold_plaintext(database: Database, veil: Veils) -> None:
    """No guard that would keep old rows from being updated, unless it is asked for; validated at the end."""
    database.execute("CREATE TABLE notes (id int PRIMARY KEY, body text, at int)")
    database.execute("INSERT INTO notes VALUES (1, 'from before')")
    policy = PII + "  notes: {body: {class: pii, plaintext: allow}}\n"
    proxy = veil(database, policy)
    assert "rows hold plaintext" in guard(proxy, "install", code=1)
    assert constraints(database, "notes") == {}
    assert "rows from before are not validated" in guard(proxy, "install", "--not-valid")
    assert constraints(database, "notes") == {"pgveil_guard_body": False}
    assert "not validated" in guard(proxy, "status")
    with proxy.connect() as connection:
        connection.execute("INSERT INTO notes VALUES (2, 'kanarie')")
        with pytest.raises(errors.CheckViolation):  # as the option's help says
            connection.execute("UPDATE notes SET at = 1 WHERE id = 1")
        connection.execute("UPDATE notes SET body = 'kanarie' WHERE id = 1")
    assert "not validated" in guard(proxy, "install")
    assert "every row validated" in guard(proxy, "install", "--validate")
    assert constraints(database, "notes") == {"pgveil_guard_body": True}


def test_partitions_and_children_are_guarded_with_their_parent(database: Database, veil: Veils) -> None:
    database.execute(
        "CREATE TABLE log (id int, who text) PARTITION BY RANGE (id);"
        "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE base (who text); CREATE TABLE child () INHERITS (base)"
    )
    policy = PII + "  log: {who: pii}\n  base: {who: pii}\n"
    proxy = veil(database, policy)
    guard(proxy, "install")
    assert constraints(database, "log_1") == constraints(database, "child") == {"pgveil_guard_who": True}
    with proxy.connect() as connection:
        connection.execute("CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (10) TO (20)")
        connection.execute("INSERT INTO log VALUES (1, 'kanarie'), (11, 'kanarie')")
        connection.execute("INSERT INTO child VALUES ('kanarie')")
    for table in ("log_1", "log_2", "child"):
        with pytest.raises(errors.CheckViolation):
            database.execute(f"UPDATE {table} SET who = 'kanarie'")
    guard(proxy, "remove")
    assert constraints(database, "log_1") == constraints(database, "child") == {}


def test_tables_with_guards_are_dumped_restored_and_altered(
    database: Database, veil: Veils, tmp_path: Path
) -> None:
    database.execute("CREATE TABLE people (id int, mail varchar, born bytea, doc jsonb)")
    policy = (
        PII + "  people:\n"
        "    mail: {class: pii, id: mail}\n    email: {class: pii, id: email}\n"
        "    born: {class: pii, type: date}\n    doc: pii\n"
    )
    proxy = veil(database, policy)
    with proxy.connect() as connection:
        connection.execute("INSERT INTO people VALUES (1, 'kanarie', '1973-03-31', '{\"kanarie\": 1}')")
        guard(proxy, "install")
        dump = tmp_path / "dump.sql"
        words = [
            str(database.postgres.bin("pg_dump")),
            "--no-owner",
            "-s",
            "-d",
            database.dsn,
            "-f",
            str(dump),
        ]
        subprocess.run(words, check=True)
        connection.execute("DROP TABLE people")
    restore = [str(database.postgres.psql), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", proxy.dsn()]
    subprocess.run([*restore, "-f", str(dump)], check=True)
    assert len(constraints(database, "people")) == 3
    with proxy.connect() as connection:
        connection.execute("ALTER TABLE people ALTER mail TYPE text")
        connection.execute("ALTER TABLE people ADD COLUMN note text, ALTER mail SET NOT NULL")
        connection.execute("INSERT INTO people VALUES (1, 'kanarie', '1973-03-31', '{\"kanarie\": 1}', 'n')")
        with pytest.raises(errors.FeatureNotSupported):  # the name alone makes no guard
            connection.execute("ALTER TABLE people ADD CONSTRAINT pgveil_guard_x CHECK (mail <> 'kanarie')")
    assert "public.people.mail: guarded" in guard(proxy, "status")


def test_it_does_not_wait_for_a_table_in_use(
    database16: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database16.execute("CREATE TABLE users (email text)")
    monkeypatch.setattr(guards, "_ATTEMPTS", 2)
    monkeypatch.setattr(guards, "_PAUSE", 0.01)
    monkeypatch.setattr(guards, "_SESSION", guards._SESSION.replace("2s", "20ms"))
    policy = policy_of(tmp_path, "  users: {email: equal}\n")
    with database16.connect() as reader, reader.transaction():
        reader.execute("SELECT * FROM users")
        outcomes = asyncio.run(install(database16, policy))
    assert [(outcome.failed, "the table is in use" in outcome.message) for outcome in outcomes] == [
        (True, True)
    ]
    assert asyncio.run(install(database16, policy))[0].message == "guarded, and every row validated"


async def install(database: Database, policy: Policy) -> list[Outcome]:
    connect = connector(address(database.postgres))
    catalogs = Catalogs(connect, policy, poll=0)
    binding = await catalogs.get(database.name)
    await catalogs.close()
    connection = await connect(database.name)
    try:
        await guards.prepare(connection)
        return await Mason(connection).install(guarded_columns(binding))
    finally:
        await connection.close()


def test_the_maintenance_login_needs_no_rights(database16: Database, veil: Veils) -> None:
    """It owns nothing: the owner's login is another one."""
    database16.execute("CREATE TABLE users (email text)")
    policy = PII + "  users: {email: pii}\n"
    postgres = database16.postgres
    proxy = veil(database16, policy, maintenance=postgres.dsn(database16.name, "ordinary"))
    assert "--login" in guard(proxy, "install", code=1)
    assert "every row validated" in guard(proxy, "install", "--login", database16.dsn)
    with psycopg.connect(proxy.dsn(), autocommit=True) as connection:
        connection.execute("INSERT INTO users VALUES ('kanarie')")
