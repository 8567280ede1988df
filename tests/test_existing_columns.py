"""Columns that hold values already: what docs/operations.md says works now, done as it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psycopg
import pytest

from tests.documents import ROOT, blocks, section
from tests.postgres import Database
from tests.proxy_process import Veil, Veils

RECIPE = section((ROOT / "docs" / "operations.md").read_text(), "Columns that hold values already")

POLICY = (
    "version: 1\nclasses: {{lookup: {{mode: deterministic}}}}\ntables: {{customers: {{email: {field}}}}}\n"
)
BEFORE = "version: 1\nclasses: {lookup: {mode: deterministic}}\ntables: {elsewhere: {email: lookup}}\n"
MEANWHILE = POLICY.format(field="{class: lookup, plaintext: allow}")
AFTERWARDS = POLICY.format(field="lookup")

PLAIN = "SELECT count(*) FROM customers WHERE email NOT LIKE 'pgv1:%'"
LOOK_UP = "SELECT id FROM customers WHERE email = '7@kanarie.org'"


def reload(veil: Veil, policy: str) -> None:
    """Replace the policy, and wait until it is taken over."""
    before = veil.log_text().count('"reloaded"')
    veil.write_policy(policy)
    assert veil.process is not None
    os.kill(veil.process.pid, signal.SIGHUP)
    deadline = time.monotonic() + 30
    while veil.log_text().count('"reloaded"') == before:
        assert time.monotonic() < deadline, veil.log_text()
        time.sleep(0.05)


def run_recipe(veil: Veil) -> None:
    """The program of the document."""
    [program] = [block.text for block in blocks(RECIPE) if block.language == "python"]
    environment = {**os.environ, "ADMIN_URL": veil.database.dsn, "DATABASE_URL": veil.dsn()}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_a_text_column_is_encrypted_in_place(veil: Veils, database18: Database) -> None:
    """Before, meanwhile and afterwards: both forms are read, no lookup misses a row without a word."""
    database18.execute(
        "CREATE TABLE customers (id int PRIMARY KEY, email text UNIQUE);"
        "INSERT INTO customers SELECT i, i || '@kanarie.org' FROM generate_series(1, 1200) i;"
        "INSERT INTO customers VALUES (0, NULL)"
    )
    proxy = veil(database18, BEFORE)
    everything = proxy.execute("SELECT id, email FROM customers ORDER BY id")

    reload(proxy, MEANWHILE)
    proxy.execute("UPDATE customers SET email = '7@kanarie.org' WHERE id = 7")
    assert proxy.execute("SELECT id, email FROM customers ORDER BY id") == everything
    assert database18.execute(PLAIN) == [(1199,)]
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        proxy.execute(LOOK_UP)

    run_recipe(proxy)
    assert database18.execute(PLAIN) == [(0,)]
    reload(proxy, AFTERWARDS)
    assert proxy.execute("SELECT id, email FROM customers ORDER BY id") == everything
    assert proxy.execute(LOOK_UP) == [(7,)]
    with pytest.raises(psycopg.errors.UniqueViolation):
        proxy.execute("INSERT INTO customers VALUES (9999, '7@kanarie.org')")


def test_a_column_of_another_type_is_replaced_by_one_in_bytea(veil: Veils, database18: Database) -> None:
    database18.execute(
        "CREATE TABLE customers (id int PRIMARY KEY, birth_date date);"
        "INSERT INTO customers VALUES (1, '1815-12-10'), (2, NULL), (3, '1906-12-09')"
    )
    proxy = veil(database18, BEFORE)
    before = proxy.execute("SELECT id, birth_date FROM customers ORDER BY id")

    database18.execute("ALTER TABLE customers RENAME birth_date TO birth_date_old")
    reload(proxy, POLICY.replace("email", "birth_date").format(field="{class: lookup, type: date}"))
    proxy.execute("ALTER TABLE customers ADD COLUMN birth_date date")
    with proxy.connect() as application:
        rows = application.execute("SELECT birth_date_old, id FROM customers").fetchall()
        application.cursor().executemany("UPDATE customers SET birth_date = %s WHERE id = %s", rows)
    database18.execute("ALTER TABLE customers DROP birth_date_old")

    assert proxy.execute("SELECT id, birth_date FROM customers ORDER BY id") == before
    assert proxy.execute("SELECT id FROM customers WHERE birth_date = '1906-12-09'") == [(3,)]
    [(stored,)] = database18.execute("SELECT birth_date FROM customers WHERE id = 1")
    assert stored.startswith(b"\xffPV")


def test_a_text_column_goes_back_to_plaintext(veil: Veils, database18: Database) -> None:
    """The way back: read through pgveil, written past it."""
    database18.execute("CREATE TABLE customers (id int PRIMARY KEY, email text)")
    proxy = veil(database18, AFTERWARDS, leaks=True)
    proxy.execute("INSERT INTO customers VALUES (1, '1@kanarie.org'), (2, '2@kanarie.org')")

    reload(proxy, MEANWHILE)
    for id_, email in proxy.execute("SELECT id, email FROM customers"):
        database18.execute("UPDATE customers SET email = %s WHERE id = %s", [email, id_])
    assert database18.execute(PLAIN) == [(2,)]
    reload(proxy, BEFORE)
    assert proxy.execute(LOOK_UP.replace("7@", "2@")) == [(2,)]


def test_afterwards_plaintext_is_an_error(veil: Veils, database18: Database) -> None:
    database18.execute("CREATE TABLE customers (id int PRIMARY KEY, email text)")
    proxy = veil(database18, AFTERWARDS)
    database18.execute("INSERT INTO customers VALUES (1, 'written past pgveil')")
    with pytest.raises(psycopg.errors.DataCorrupted):
        proxy.execute("SELECT email FROM customers")
