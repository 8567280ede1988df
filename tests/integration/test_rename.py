"""A protected column, and the table that it is in, get other names while an application writes."""

from __future__ import annotations

import psycopg
import pytest

from tests.postgres import Database
from tests.proxy_process import Veils

CLASSES = """
version: 1
classes:
  lookup: {sensitivity: high, mode: deterministic}
tables:
"""


@pytest.mark.parametrize("rename", ["through pgveil", "past pgveil"])
def test_a_column_stays_protected_under_its_new_name(database18: Database, veil: Veils, rename: str) -> None:
    """The policy holds both names; the field is the one that exists."""
    fields = "  users: {phone: lookup, mobile: {class: lookup, id: public.users.phone}}\n"
    proxy = veil(database18, CLASSES + fields)
    proxy.execute("CREATE TABLE users (id int, phone text UNIQUE)")
    proxy.execute("INSERT INTO users VALUES (1, 'kanarie-1')")
    (proxy if rename == "through pgveil" else database18).execute("ALTER TABLE users RENAME phone TO mobile")
    with proxy.connect() as connection:
        connection.execute("INSERT INTO users (id, mobile) VALUES (2, %s)", ["kanarie-2"])
        found = connection.execute("SELECT id, mobile FROM users WHERE mobile = %s", ["kanarie-1"])
        assert found.fetchall() == [(1, "kanarie-1")]
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("UPDATE users SET mobile = 'kanarie-1' WHERE id = 2")


def test_a_table_stays_protected_under_its_new_name(database18: Database, veil: Veils) -> None:
    fields = "  users: {phone: lookup}\n  people: {phone: {class: lookup, id: public.users.phone}}\n"
    proxy = veil(database18, CLASSES + fields)
    proxy.execute("CREATE TABLE users (id int, phone text)")
    proxy.execute("INSERT INTO users VALUES (1, 'kanarie-1')")
    proxy.execute("ALTER TABLE users RENAME TO people")
    proxy.execute("INSERT INTO people VALUES (2, 'kanarie-2')")
    assert proxy.execute("SELECT id FROM people WHERE phone IN ('kanarie-1', 'kanarie-2')") == [(1,), (2,)]


def test_a_name_that_the_policy_does_not_know_is_refused_with_its_line(
    database18: Database, veil: Veils
) -> None:
    proxy = veil(database18, CLASSES + "  users: {phone: lookup}\n")
    proxy.execute("CREATE TABLE users (id int, phone text)")
    with pytest.raises(psycopg.errors.FeatureNotSupported) as refused:
        proxy.execute("ALTER TABLE users RENAME phone TO mobile")
    assert "policy.yaml:6:11" in str(refused.value.diag.message_detail)
    assert "id: public.users.phone" in str(refused.value.diag.message_hint)
