"""A varchar(n) that an application makes through pgveil, of which the policy says only the class."""

from __future__ import annotations

import psycopg
import pytest

from tests.postgres import Database
from tests.proxy_process import Veils

POLICY = """
version: 1
classes:
  lookup: {sensitivity: high, mode: deterministic}
tables:
  users: {email: lookup}
"""


def test_the_limit_is_kept_and_shown(database18: Database, veil: Veils) -> None:
    """The column is wide enough for ciphertext; longer values are refused as by PostgreSQL."""
    proxy = veil(database18, POLICY)
    proxy.execute("CREATE TABLE users (id int, email varchar(20) UNIQUE)")
    with proxy.connect() as connection:
        connection.execute("INSERT INTO users VALUES (1, %s)", ["kanarie-" + 12 * "\N{EURO SIGN}"])
        with pytest.raises(psycopg.errors.StringDataRightTruncation, match=r"character varying\(20\)"):
            connection.execute("INSERT INTO users VALUES (2, %s)", ["kanarie-" + 13 * "x"])
        cursor = connection.execute("SELECT email FROM users")
        assert cursor.description is not None
        assert cursor.description[0].display_size == 20
        assert cursor.fetchall() == [("kanarie-" + 12 * "\N{EURO SIGN}",)]


def test_the_limit_can_grow_but_not_shrink(database18: Database, veil: Veils) -> None:
    proxy = veil(database18, POLICY)
    proxy.execute("CREATE TABLE users (id int, email varchar(20))")
    proxy.execute("ALTER TABLE users ALTER COLUMN email TYPE varchar(25)")
    proxy.execute("INSERT INTO users VALUES (1, 'kanarie, longer than 20')")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="changing the column's type"):
        proxy.execute("ALTER TABLE users ALTER COLUMN email TYPE varchar(20)")


def test_a_column_of_before_gets_room_for_ciphertext(database18: Database, veil: Veils) -> None:
    database18.execute("CREATE TABLE users (id int, email varchar(20))")
    proxy = veil(database18, POLICY)
    with pytest.raises(psycopg.errors.Error):
        proxy.execute("INSERT INTO users VALUES (1, 'kanarie')")
    proxy.execute("ALTER TABLE users ALTER COLUMN email TYPE varchar(20)")
    proxy.execute("INSERT INTO users VALUES (1, 'kanarie')")
    assert proxy.execute("SELECT id FROM users WHERE email = 'kanarie'") == [(1,)]
