"""pg_dump and pg_restore, in every format: plaintext through pgveil, ciphertext past it; both come back."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.integration.schema import KINDS_SCHEMA, SCHEMA
from tests.postgres import DIRECT, Database, url
from tests.proxy_process import Veil

ROWS = "SELECT id, email, ssn, age, born, balance, doc, photo, nick, note FROM users ORDER BY id"
FILL = (
    "INSERT INTO users (email, ssn, age, born, balance, doc, photo, nick) VALUES"
    " ('kanarie-1', E'kanarie \\\\ \\n\\t', 1733173317, '1973-03-31', 1.5, '{\"kanarie\": [1]}',"
    " '\\x6b616e61726965', 'kanarie'), ('kanarie-2', NULL, 17, NULL, NULL, NULL, NULL, '')"
)
# how -> the options of pg_dump; what is no script is made into one, or restored, by pg_restore
HOW = {
    "plain": ("--format=plain",),
    "custom": ("--format=custom",),
    "tar": ("--format=tar",),
    "directory": ("--format=directory", "--jobs=2"),
    "inserts": ("--inserts",),
    "column inserts": ("--column-inserts",),
    "many inserts": ("--rows-per-insert=2", "--column-inserts"),
}


class Dumps:
    """pg_dump and its like, of the server's own version, in a directory of their own."""

    def __init__(self, veil: Veil, directory: Path) -> None:
        self.veil = veil
        self.directory = directory
        self._postgres = veil.database.postgres

    def run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._postgres.bin(program)), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def dump(self, dsn: str, how: str, *options: str) -> Path:
        made = self.directory / f"dump-{len(list(self.directory.iterdir()))}"
        self.run("pg_dump", *HOW[how], *options, "--file", str(made), dsn)
        return made

    def script(self, dump: Path, how: str) -> str:
        """What a dump would do."""
        return self.run("pg_restore", "--file=-", str(dump)) if _is_archive(how) else dump.read_text()

    def restore(self, dump: Path, how: str, dsn: str) -> None:
        if _is_archive(how):
            self.run("pg_restore", "--exit-on-error", "--dbname", dsn, str(dump))
        else:
            self.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(dump), dsn)


def _is_archive(how: str) -> bool:
    return how in ("custom", "tar", "directory")


@pytest.fixture
def dumps(proxy: Veil, tmp_path: Path) -> Dumps:
    proxy.execute(FILL)
    return Dumps(proxy, tmp_path)


@pytest.fixture
def fresh(proxy: Veil) -> Iterator[Database]:
    """An empty database of the same server."""
    with proxy.database.postgres.database() as database:
        yield database


def veiled(veil: Veil, database: Database) -> str:
    """The way to another database through the same pgveil."""
    return url(veil.host, veil.port, database.name, "postgres", None)


def rows(dsn: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(ROWS).fetchall()


def direct(database: Database) -> str:
    return f"{database.dsn}?application_name={DIRECT}"


@pytest.mark.parametrize("how", HOW)
def test_a_dump_past_pgveil_is_ciphertext_and_opens_once_restored(
    dumps: Dumps, fresh: Database, how: str
) -> None:
    veil = dumps.veil
    dump = dumps.dump(direct(veil.database), how)
    script = dumps.script(dump, how)
    assert "kanarie" not in script
    assert "pgv1:" in script
    dumps.restore(dump, how, direct(fresh))
    assert rows(direct(fresh)) == rows(direct(veil.database))
    assert rows(veiled(veil, fresh)) == rows(veil.dsn())


@pytest.mark.parametrize("how", HOW)
def test_a_dump_through_pgveil_is_plaintext_and_ciphertext_once_restored(
    dumps: Dumps, fresh: Database, how: str
) -> None:
    veil = dumps.veil
    dump = dumps.dump(veil.dsn(), how, "--data-only")
    script = dumps.script(dump, how)
    assert "kanarie-1" in script
    assert "1973-03-31" in script
    assert "pgv1:" not in script
    with psycopg.connect(direct(fresh), autocommit=True) as connection:
        connection.execute(SCHEMA + KINDS_SCHEMA)
    dumps.restore(dump, how, veiled(veil, fresh))
    assert rows(veiled(veil, fresh)) == rows(veil.dsn())
    stored = rows(direct(fresh))
    assert "kanarie" not in repr(stored)
    assert repr(stored).count("pgv1:") == 6


def test_the_dump_of_one_table_through_pgveil(dumps: Dumps) -> None:
    """The schema comes with it."""
    script = dumps.dump(dumps.veil.dsn(), "plain", "--table=users").read_text()
    assert "CREATE TABLE public.users" in script
    assert "kanarie-1\tkanarie \\\\ \\n\\t\t1733173317\t1973-03-31\t1.50" in script
