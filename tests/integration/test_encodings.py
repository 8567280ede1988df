"""Encodings in which a byte of a character looks like a quote or a backslash."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import ClientCursor

from tests.integration.raw import Raw
from tests.proxy_process import Veil

VALUE = "kanarie俓"  # the second byte of the last character in GBK is 0x5C, a backslash


def test_a_character_that_ends_in_a_backslash(proxy: Veil) -> None:
    with psycopg.connect(proxy.dsn(), client_encoding="GBK", autocommit=True) as connection:
        connection.execute("INSERT INTO users (email) VALUES (%s)", [VALUE])
        ClientCursor(connection).execute("INSERT INTO users (email) VALUES (%s)", [VALUE + "2"])
        select = "SELECT email FROM users WHERE email = %s OR id = 2 ORDER BY id"
        assert connection.execute(select, [VALUE]).fetchall() == [(VALUE,), (VALUE + "2",)]
    with psycopg.connect(proxy.dsn()) as connection:
        assert connection.execute("SELECT email FROM users WHERE id = 1").fetchone() == (VALUE,)


@pytest.mark.parametrize("encoding", ["SJIS", "BIG5", "EUC_JP"])
def test_an_encoding_that_pgveil_does_not_know(proxy: Veil, encoding: str) -> None:
    """ASCII goes both ways; anything else is an error, and never another character."""
    with psycopg.connect(proxy.dsn(), autocommit=True) as connection:
        connection.execute("INSERT INTO users (email) VALUES ('kanarie'), ('kanarie一')")
    with psycopg.connect(proxy.dsn(), client_encoding=encoding, autocommit=True) as connection:
        for cursor in (connection.cursor(), ClientCursor(connection)):
            with pytest.raises(psycopg.errors.CharacterNotInRepertoire):
                cursor.execute("INSERT INTO users (email) VALUES (%s)", ["kanarie二"])
            cursor.execute("SELECT email FROM users WHERE email = %s", ["kanarie"])
            assert cursor.fetchall() == [("kanarie",)]
            with pytest.raises(psycopg.errors.UntranslatableCharacter):
                cursor.execute("SELECT email FROM users WHERE id = 2")


def test_a_client_that_leaves_in_the_middle_of_its_pipeline(proxy: Veil) -> None:
    """Nobody else notices."""
    for _ in range(20):
        with Raw(proxy.host, proxy.port, proxy.database.name) as raw:
            raw.send(b"Q\0\0\0\x34SELECT email FROM users WHERE email = 'kanarie'\0" * 6000)
    with psycopg.connect(proxy.dsn()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
