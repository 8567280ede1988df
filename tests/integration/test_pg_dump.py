"""pg_dump and pg_restore, in every format: plaintext through pgveil, ciphertext past it; both come back."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.integration.schema import KINDS_SCHEMA, SCHEMA
from tests.postgres import DIRECT, Database, Postgres, url
from tests.proxy_process import Veil, Veils, canaries_in

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

    def restore(self, dump: Path, how: str, dsn: str, *options: str) -> None:
        if _is_archive(how):
            self.run("pg_restore", "--exit-on-error", *options, "--dbname", dsn, str(dump))
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


# --- partitions and child tables -------------------------------------------------------------------------

# pg_dump makes a partition as a table of its own, and attaches it before there are rows
FAMILY = (
    "CREATE TABLE events (id int PRIMARY KEY, actor text DEFAULT 'kanarie-default', born date, note text)"
    " PARTITION BY RANGE (id)",
    "CREATE TABLE events_low PARTITION OF events FOR VALUES FROM (0) TO (10)",
    "CREATE TABLE events_high PARTITION OF events FOR VALUES FROM (10) TO (30) PARTITION BY RANGE (id)",
    "CREATE TABLE events_high_1 PARTITION OF events_high FOR VALUES FROM (10) TO (20)",
    "CREATE TABLE people (email text UNIQUE, born date)",
    "CREATE TABLE staff (badge int) INHERITS (people)",
    "INSERT INTO events VALUES (1, 'kanarie-1', '1973-03-31', 'low'), (11, NULL, '1973-03-31', 'high')",
    "INSERT INTO events_high_1 (id, note) VALUES (12, 'by its own name')",
    "INSERT INTO people VALUES ('kanarie-2', '1973-03-31')",
    "INSERT INTO staff VALUES ('kanarie-3', NULL, 7)",
)
FAMILY_POLICY = """
version: 1
classes: {lookup: {mode: deterministic}, secret: {mode: randomized}}
tables:
  events: {actor: lookup, born: {class: secret, type: date}}
  people: {email: lookup, born: {class: secret, type: date}}
"""
PARTITION = """\
  %s:
    actor: {class: lookup, id: public.events.actor}
    born: {class: secret, type: date, id: public.events.born}
"""
PARTITIONS = "".join(PARTITION % name for name in ("events_low", "events_high", "events_high_1"))
FAMILY_READ = (
    "SELECT tableoid::regclass::text, id, actor, born, note FROM events ORDER BY id",
    "SELECT tableoid::regclass::text, email, born FROM people ORDER BY 1",
    "SELECT email, badge FROM staff WHERE email = 'kanarie-3'",
)
FAMILY_HOW: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "plain": ("plain", (), ()),
    "by the parent": ("plain", ("--load-via-partition-root",), ()),
    "in one transaction": ("custom", (), ("--single-transaction",)),
    "inserts": ("inserts", (), ()),
}


@pytest.fixture(scope="module")
def family(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Veil]:
    with postgres.database() as database:
        veil = Veils(tmp_path_factory.mktemp("family"))(database, FAMILY_POLICY + PARTITIONS)
        for sql in FAMILY:
            veil.execute(sql)
        yield veil


@pytest.mark.parametrize("how", FAMILY_HOW)
def test_partitions_and_children_come_back_through_pgveil_and_past_it(
    family: Veil, tmp_path: Path, how: str
) -> None:
    form, dumping, restoring = FAMILY_HOW[how]
    dumps = Dumps(family, tmp_path)
    expected = [family.execute(sql) for sql in FAMILY_READ]
    assert [len(rows) for rows in expected] == [3, 2, 1]
    in_clear = dumps.dump(family.dsn(), form, *dumping)
    sealed = dumps.dump(direct(family.database), form, *dumping)
    assert "kanarie-1" in dumps.script(in_clear, form)
    assert "kanarie" not in dumps.script(sealed, form)
    for dump, through in ((in_clear, True), (sealed, False)):
        with family.database.postgres.database() as fresh:
            to = veiled(family, fresh) if through else direct(fresh)
            dumps.restore(dump, form, to, *restoring)
            with psycopg.connect(veiled(family, fresh), autocommit=True) as connection:
                assert [connection.execute(sql).fetchall() for sql in FAMILY_READ] == expected
                connection.execute("INSERT INTO events_low VALUES (2, 'kanarie-4', '1973-03-31')")
            assert canaries_in(fresh.contents()) == []
            assert "pgv1:" in fresh.contents()
    family.assert_no_leak()


@pytest.mark.parametrize(
    ("before", "since"),
    [
        ("SELECT", "CREATE TABLE events_low (id int, actor text, born bytea)"),
        ("CREATE TABLE events_low (id int, actor text)", "ALTER TABLE events_low ADD COLUMN born bytea"),
    ],
    ids=["made", "changed"],
)
def test_a_partition_is_attached_that_somebody_else_has_just(
    family: Veil, fresh: Database, before: str, since: str
) -> None:
    """pgveil looks again before it refuses."""
    fresh.execute(before)
    with psycopg.connect(veiled(family, fresh), autocommit=True) as connection:
        connection.execute("CREATE TABLE events (id int, actor text, born date) PARTITION BY RANGE (id)")
        connection.execute("SELECT actor FROM events")  # for which the catalogue is read
        fresh.execute(since)
        connection.execute("ALTER TABLE events ATTACH PARTITION events_low DEFAULT")
        connection.execute("INSERT INTO events_low VALUES (1, 'kanarie', '1973-03-31')")
        assert connection.execute("SELECT actor FROM events").fetchall() == [("kanarie",)]
    assert canaries_in(fresh.contents()) == []


def test_a_partition_that_may_hold_plaintext_is_not_attached(
    family: Veil, fresh: Database, tmp_path: Path
) -> None:
    """Without a line of its own in the policy; the error says which."""
    veil = Veils(tmp_path)(fresh, FAMILY_POLICY)
    veil.execute("CREATE TABLE events (id int, actor text, born date) PARTITION BY RANGE (id)")
    veil.execute("CREATE TABLE events_low (id int, actor text, born bytea)")
    attach = "ALTER TABLE ONLY public.events ATTACH PARTITION public.events_low FOR VALUES FROM (0) TO (10)"
    with pytest.raises(psycopg.errors.FeatureNotSupported) as refused:
        veil.execute(attach)
    assert refused.value.diag.message_primary == (
        'a child table that does not protect it is not possible on protected column "public.events.actor"'
    )
    assert "{class: lookup, id: public.events.actor}" in str(refused.value.diag.message_hint)
