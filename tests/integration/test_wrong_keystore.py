"""A keystore and a database that do not belong together: told in one line, before anything is written."""

from __future__ import annotations

import json
import shutil
import time

import pytest

from tests.postgres import Database
from tests.proxy_process import CANARY, Veil, Veils

POLICY = """
version: 1
classes:
  random: {mode: randomized}
tables:
  notes: {body: random, title: random}
"""
INSERT = "INSERT INTO notes (body) VALUES (%s)"


def made(veil: Veils, database: Database) -> Veil:
    """A proxy, not started, whose database is to remember its keys."""
    proxy = veil(database, POLICY, start=False)
    done = proxy.command("keys", "init")
    assert done.returncode == 0
    assert f"database    table pgveil.key_fingerprints of database {database.name}: ready\n" in done.stdout
    return proxy


def refused(proxy: Veil) -> str:
    """Why it does not start."""
    done = proxy.command("serve")
    assert done.returncode == 2, done.stdout + done.stderr
    return done.stderr[done.stderr.index("pgveil: ") :]


def remembered(database: Database, keys: int) -> None:
    """Wait until the database remembers so many keys."""
    deadline = time.monotonic() + 20
    while database.execute("SELECT count(*) FROM pgveil.key_fingerprints") != [(keys,)]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def lived_in(database: Database, veil: Veils) -> Veil:
    """A proxy that has written with one key and was stopped; its keystore from before is beside it."""
    proxy = made(veil, database)
    shutil.copytree(proxy.directory / "keys", proxy.directory / "before")
    proxy.start()
    proxy.execute("CREATE TABLE notes (body text, title text)")
    proxy.execute(INSERT, [CANARY])
    remembered(database, 1)
    proxy.stop()
    return proxy


def put(proxy: Veil, keys: str) -> None:
    """Put other keys in the place of the proxy's."""
    shutil.rmtree(proxy.directory / "keys")
    shutil.copytree(proxy.directory / keys, proxy.directory / "keys")


def test_an_older_copy_of_the_keystore(lived_in: Veil) -> None:
    shutil.copytree(lived_in.directory / "keys", lived_in.directory / "newest")
    put(lived_in, "before")
    database = lived_in.database.name
    told = refused(lived_in)
    assert told.splitlines()[0] == (
        f"pgveil: {lived_in.directory}/keys/keystore.json: lacks fek 'public.notes.body' version 1, which"
        f" database {database} was written with: it is another keystore, or an older copy of its own"
    )
    assert "HINT: Put the keystore of this database in place, or import an export of it" in told
    assert lived_in.command("keys", "init").returncode == 1  # it does not enter those keys either
    checked = lived_in.command("keys", "verify", "--json")
    assert checked.returncode == 1
    assert "which database" in json.loads(checked.stdout)["problems"][0]
    put(lived_in, "newest")
    assert lived_in.start().execute("SELECT body FROM notes") == [(CANARY,)]
    assert "WARNING" not in lived_in.log_text()


def test_the_keystore_of_another_database(lived_in: Veil) -> None:
    """It has a key of the same id, by a chance that nobody has: another database's row was put there."""
    lived_in.database.execute("UPDATE pgveil.key_fingerprints SET fingerprint = repeat('0', 32)")
    assert "is not the key that database" in refused(lived_in)
    lived_in.database.execute("DELETE FROM pgveil.key_fingerprints")  # the way out, as the hint has it
    lived_in.start()
    assert "remembers no key of" in lived_in.log_text()
    assert lived_in.execute("SELECT body FROM notes") == [(CANARY,)]


def test_an_older_dump_of_the_database_is_warned_of_until_it_is_known(lived_in: Veil) -> None:
    lived_in.start().execute("INSERT INTO notes (title) VALUES (%s)", [CANARY])
    remembered(lived_in.database, 2)
    lived_in.stop()
    lived_in.database.execute("DELETE FROM pgveil.key_fingerprints WHERE name = 'public.notes.title'")
    lived_in.start().stop()
    warning = f"database {lived_in.database.name} does not remember fek 'public.notes.title' version 1"
    assert lived_in.log_text().count(warning) == 1
    assert warning in lived_in.command("keys", "verify").stdout
    assert lived_in.command("keys", "init").returncode == 0
    lived_in.start()
    assert lived_in.log_text().count(warning) == 1


def test_a_database_that_is_restored_under_a_running_pgveil(lived_in: Veil) -> None:
    lived_in.start()
    lived_in.database.execute(
        "INSERT INTO pgveil.key_fingerprints"
        " VALUES (gen_random_uuid(), 'public.notes.body', 7, repeat('0', 32), 'pgv1:')"
    )
    lived_in.execute("INSERT INTO notes (title) VALUES (%s)", [CANARY])  # makes a key, so that it looks
    deadline = time.monotonic() + 20
    while "lacks fek 'public.notes.body' version 7" not in lived_in.log_text():
        assert time.monotonic() < deadline, lived_in.log_text()
        time.sleep(0.05)


def test_a_login_without_rights_remembers_nothing_and_works(database: Database, veil: Veils) -> None:
    role = f"plain_{database.name}"
    database.execute(f"CREATE ROLE {role} LOGIN")
    postgres = database.postgres
    login = f"postgresql://{role}@{postgres.host}:{postgres.port}/{database.name}"
    try:
        proxy = veil(database, POLICY, start=False, maintenance=login)
        done = proxy.command("keys", "init")
        assert done.returncode == 0
        told = f"does not remember its keys, and need not (permission denied for database {database.name})"
        assert f"database    {told}\n" in done.stdout
        proxy.start()
        proxy.execute("CREATE TABLE notes (body text, title text)")
        proxy.execute(INSERT, [CANARY])
        assert proxy.stop() == 0
        assert "remembers no keys: there is no table" in proxy.command("keys", "verify").stdout
        database.execute("CREATE SCHEMA pgveil; CREATE TABLE pgveil.key_fingerprints (key_id uuid)")
        proxy.start()
        assert "key_fingerprints" in proxy.log_text()
        assert "cannot be read: permission denied" in proxy.log_text()
        proxy.stop()
    finally:
        database.execute(f"DROP OWNED BY {role}")
        database.execute(f"DROP ROLE {role}")
