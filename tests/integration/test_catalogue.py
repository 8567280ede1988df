"""What tools and libraries read of the schema through pgveil: what a twin with the logical types shows."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import create_async_engine

from tests.integration.schema import (
    KINDS,
    KINDS_POLICY,
    KINDS_SCHEMA,
    KINDS_TWIN,
    POLICY,
    SCHEMA,
    TWIN_SCHEMA,
)
from tests.postgres import Database, Postgres
from tests.proxy_process import Veil, Veils

_OTHERS = """
CREATE TABLE public.parted (id int, born {born}, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE public.parted_low PARTITION OF public.parted FOR VALUES FROM (0) TO (100);
CREATE TYPE public.pair AS (one int, two date);
CREATE INDEX ON public.users (age);
CREATE UNIQUE INDEX by_several ON public.users (lower(note), balance, nick) INCLUDE (born);
CREATE VIEW public.days AS
  SELECT id, born AS day, nick, balance, COALESCE(age, age) AS years FROM public.users;
CREATE VIEW public.gathered AS
  SELECT note, array_agg(born) AS days, count(age) AS n FROM public.users GROUP BY 1;
CREATE MATERIALIZED VIEW public.kept_days AS SELECT day, nick FROM public.days;
COMMENT ON COLUMN public.users.born IS 'a date';
"""
_POLICY = (
    KINDS_POLICY
    + "  parted:\n    born: {class: secret, type: date}\n  made:\n    day: {class: secret, type: date}\n"
)


@dataclass(frozen=True)
class Both:
    """A database behind pgveil, and its twin."""

    veil: Veil
    twin: Database

    def urls(self) -> tuple[str, str]:
        return self.veil.dsn(), self.twin.dsn

    def same(self, text: str) -> str:
        """A text without the database's own name."""
        return text.replace(self.twin.name, "DB").replace(self.veil.database.name, "DB")


@pytest.fixture(scope="module")
def both(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with postgres.database() as database, postgres.database() as twin:
        database.execute(SCHEMA + KINDS_SCHEMA + _OTHERS.format(born="bytea"))
        twin.execute(TWIN_SCHEMA + KINDS_TWIN + _OTHERS.format(born="date"))
        yield Both(Veils(tmp_path_factory.mktemp("both"))(database, _POLICY), twin)


# --- psql ------------------------------------------------------------------------------------------------


def _psql(both: Both, command: str) -> tuple[str, str]:
    shown = []
    for url in both.urls():
        arguments = [str(both.twin.postgres.psql), "-X", "-v", "ON_ERROR_STOP=1", url]
        done = subprocess.run(
            arguments, input=f"{command}\n", capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        shown.append(both.same(done.stdout))
    return shown[0], shown[1]


@pytest.mark.parametrize(
    "command",
    [
        r"\d users",
        r"\d+ users",
        r"\d kinds",
        r"\d+ kinds",
        r"\d+ parted",
        r"\d users_age_idx",
        r"\d by_several",
        r"\d days",
        r"\d gathered",
        r"\d kept_days",
        r"\d",
        r"\d pair",
        r"\dS pg_attribute",
        r"SELECT * FROM users \gdesc",
        r"SELECT a.* FROM pg_attribute a \gdesc",
        r"SELECT c.* FROM information_schema.columns c \gdesc",
    ],
)
def test_psql(both: Both, command: str) -> None:
    veiled, plain = _psql(both, command)
    assert veiled == plain


# --- SQLAlchemy and Alembic ------------------------------------------------------------------------------


def _described(connection: sa.Connection) -> dict[str, list[tuple[Any, ...]]]:
    inspector = sa.inspect(connection)
    return {
        table: [
            (column["name"], repr(column["type"]), column["nullable"], column["default"], column["comment"])
            for column in inspector.get_columns(table)
        ]
        for table in ("users", "kinds", "orders", "plain", "parted", "parted_low", "days", "gathered")
    }


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_sqlalchemy_inspects(both: Both, driver: str) -> None:
    found = []
    for url in both.urls():
        engine = sa.create_engine(url.replace("postgresql:", f"postgresql+{driver}:"), poolclass=sa.NullPool)
        with engine.connect() as connection:
            found.append(_described(connection))
    assert found[0] == found[1]
    assert ("born", "DATE()", True, None, "a date") in found[0]["users"]


async def test_sqlalchemy_inspects_by_asyncpg(both: Both) -> None:
    found = []
    for url in both.urls():
        engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"), poolclass=sa.NullPool)
        async with engine.connect() as connection:
            found.append(await connection.run_sync(_described))
    assert found[0] == found[1]


_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(),
    "varchar(40)": sa.String(40),
    "char(12)": sa.CHAR(12),
    "bytea": sa.LargeBinary(),
    "bool": sa.Boolean(),
    "int2": sa.SmallInteger(),
    "int4": sa.Integer(),
    "int8": sa.BigInteger(),
    "float4": sa.REAL(),
    "float8": sa.Double(),
    "numeric": sa.Numeric(),
    "numeric(12,2)": sa.Numeric(12, 2),
    "date": sa.Date(),
    "time": sa.Time(),
    "timestamp": sa.DateTime(),
    "timestamptz": sa.DateTime(timezone=True),
    "interval": sa.Interval(),
    "uuid": sa.Uuid(),
    "json": sa.JSON(),
    "jsonb": postgresql.JSONB(),
    "inet": postgresql.INET(),
    "text[]": sa.ARRAY(sa.Text()),
    "int4[]": sa.ARRAY(sa.Integer()),
    "date[]": sa.ARRAY(sa.Date()),
}


def test_alembic_finds_nothing_to_change(both: Both) -> None:
    """A model of every type against its own table; a model that differs is found to differ."""
    engine = sa.create_engine(both.veil.dsn().replace("postgresql:", "postgresql+psycopg:"))
    for wrong in (False, True):
        metadata = sa.MetaData()
        columns = [sa.Column(name, _TYPES[logical]) for name, (logical, _, _) in KINDS.items()]
        sa.Table("kinds", metadata, sa.Column("id", sa.BigInteger, primary_key=True), *columns)
        if wrong:
            metadata.tables["kinds"].c.a_date.type = sa.Text()
        with engine.connect() as connection:
            options = {
                "compare_type": True,
                "include_name": lambda name, kind, _: kind != "table" or name == "kinds",
            }
            context = MigrationContext.configure(connection, opts=options)
            differences = compare_metadata(context, metadata)
        assert [(change[0][0], change[0][3]) for change in differences] == [("modify_type", "a_date")] * wrong
    engine.dispose()


# --- Django ----------------------------------------------------------------------------------------------

_DJANGO = """
import os, sys
import django
from django.conf import settings
from django.core.management import call_command
host, port, name = sys.argv[1:]
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.postgresql",
    "HOST": host, "PORT": port, "NAME": name, "USER": "postgres"}})
django.setup()
call_command("inspectdb", "--include-views", "--include-partitions")
"""


def test_django_inspects(both: Both) -> None:
    """inspectdb writes the models of the twin."""
    models = []
    for place in (both.veil, both.twin.postgres):
        name = both.veil.database.name if place is both.veil else both.twin.name
        done = subprocess.run(
            [sys.executable, "-c", _DJANGO, place.host, str(place.port), name],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        models.append(done.stdout)
    assert models[0] == models[1]
    assert "born = models.DateField(" in models[0]
    assert "nick = models.CharField(max_length=20" in models[0]


# --- asyncpg ---------------------------------------------------------------------------------------------


async def test_asyncpg_reads_types(both: Both) -> None:
    """Arrays and composites are introspected by asyncpg itself, the row type of a protected table as well."""
    found = []
    for url in both.urls():
        connection = await asyncpg.connect(url)
        row = await connection.fetchrow("SELECT '{1,2}'::int2[] AS numbers, '(1,2020-02-02)'::pair AS pair")
        assert row is not None
        statement = await connection.prepare("SELECT some_texts, some_dates, a_price FROM kinds")
        attributes = [(a.name, a.type.name, a.type.kind) for a in statement.get_attributes()]
        types = await connection.fetch(
            "SELECT attname, atttypid::regtype::text FROM pg_attribute"
            " WHERE attrelid = (SELECT typrelid FROM pg_type WHERE oid = $1::text::regtype) AND attnum > 0",
            "users",
        )
        found.append((row["numbers"], tuple(row["pair"]), attributes, [tuple(one) for one in types]))
        await connection.close()
    assert found[0] == found[1]


# --- DEFAULTs --------------------------------------------------------------------------------------------

_WITH_DEFAULTS = """
CREATE TABLE public.with_defaults (
  id int PRIMARY KEY,
  a_text text DEFAULT 'it''s kanarie',
  a_nick varchar(20) DEFAULT 'kanarie',
  a_day date DEFAULT '1973-03-31',
  a_number int4 DEFAULT 1733173317,
  a_price numeric(12,2) DEFAULT 12.50,
  a_flag bool DEFAULT true,
  a_doc jsonb DEFAULT '{"kanarie": 1}',
  some_texts text[] DEFAULT '{kanarie,"x y"}',
  nothing date DEFAULT NULL,
  clear text DEFAULT 'clear'
)
"""
_DEFAULTS_POLICY = """
  with_defaults:
    a_text: secret
    a_nick: {class: lookup, type: varchar(20)}
    a_day: {class: secret, type: date}
    a_number: {class: lookup, type: int4}
    a_price: {class: lookup, type: "numeric(12,2)"}
    a_flag: {class: secret, type: bool}
    a_doc: secret
    some_texts: {class: secret, type: "text[]"}
    nothing: {class: secret, type: date}
"""
_SHOWN = (
    "SELECT column_name, column_default FROM information_schema.columns WHERE table_name = 'with_defaults'"
    " ORDER BY 1",
    "SELECT a.attname, (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d WHERE d.adrelid = a.attrelid"
    " AND d.adnum = a.attnum) FROM pg_attribute a WHERE a.attrelid = 'with_defaults'::regclass ORDER BY 1",
    "SELECT adnum, pg_get_expr(adbin, adrelid, true) FROM pg_attrdef ORDER BY adrelid, adnum",
)


def test_defaults(postgres: Postgres, tmp_path: Path) -> None:
    """DEFAULTs made through pgveil are ciphertext, and are shown in clear; a dump has them, too."""
    with postgres.database() as database, postgres.database() as twin, postgres.database() as again:
        veils = Veils(tmp_path)
        veil = veils(database, POLICY + _DEFAULTS_POLICY)
        both = Both(veil, twin)
        for execute in (veil.execute, twin.execute):
            execute(_WITH_DEFAULTS)
            execute("INSERT INTO with_defaults (id) VALUES (1)")
        rows = "SELECT * FROM with_defaults"
        assert veil.execute(rows) == twin.execute(rows)
        for sql in _SHOWN:
            assert veil.execute(sql) == twin.execute(sql)
            with veil.connect() as connection:
                assert connection.execute(sql, binary=True).fetchall() == twin.execute(sql)
        assert "pgv1:" in str(database.execute(_SHOWN[0]))
        veiled, plain = _psql(both, r"\d with_defaults")
        assert veiled == plain
        dump = _dump(both, veil.dsn(), "--schema-only")
        assert dump == _dump(both, twin.dsn, "--schema-only")
        restored = veils(again, POLICY + _DEFAULTS_POLICY)
        _restore(both, restored.dsn(), dump)
        restored.execute("INSERT INTO with_defaults (id) VALUES (1)")
        assert restored.execute(rows) == twin.execute(rows)


# --- pg_dump ---------------------------------------------------------------------------------------------


def _dump(both: Both, url: str, *options: str) -> str:
    arguments = [str(both.twin.postgres.bin("pg_dump")), *options, url]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return re.sub(r"^\\(un)?restrict .*$", "", both.same(done.stdout), flags=re.MULTILINE)


def _restore(both: Both, url: str, dump: str) -> None:
    arguments = [str(both.twin.postgres.psql), "-X", "-q", "-v", "ON_ERROR_STOP=1", url]
    done = subprocess.run(arguments, input=dump, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_pg_dump_writes_the_schema_of_the_application(both: Both) -> None:
    veiled, plain = (_dump(both, url, "--schema-only") for url in both.urls())
    assert veiled == plain


_ROW = (
    "INSERT INTO users (email, age, born, balance, doc, nick) VALUES"
    " ('kanarie-1', 1733173317, '1973-03-31', 12.5, '{\"kanarie\": 1}', 'kanarie')"
)
_BACK = "SELECT email, age, born::text, balance::text, nick FROM {} ORDER BY id"
_VALUES = [("kanarie-1", 1733173317, "1973-03-31", "12.50", "kanarie")]


def test_a_dump_restores_in_clear_and_through_pgveil(both: Both, tmp_path: Path) -> None:
    """Into a database of no policy: the application's own schema and values. Through pgveil: as it was."""
    both.veil.execute(_ROW)
    try:
        dump = _dump(both, both.veil.dsn(), "--no-comments", "--exclude-table=parted*")
    finally:
        both.veil.execute("TRUNCATE users")
    postgres = both.twin.postgres
    with postgres.database() as clear, postgres.database() as sealed:
        _restore(both, clear.dsn, dump)
        assert clear.execute(_BACK.format("users")) == _VALUES
        veil = Veils(tmp_path)(sealed, _POLICY)
        _restore(both, veil.dsn(), dump)
        described = "SELECT table_name, column_name, udt_name, numeric_scale, character_maximum_length"
        described += " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
        assert veil.execute(described) == clear.execute(described)
        assert veil.execute("SELECT email, age, nick FROM users") == [("kanarie-1", 1733173317, "kanarie")]
        stored = "SELECT pg_typeof(born)::text, pg_typeof(age)::text FROM users"
        assert sealed.execute(stored) == [("bytea", "bytea")]


# --- sessions --------------------------------------------------------------------------------------------


def _error(url: str, sql: str) -> tuple[str, str | None]:
    with psycopg.connect(url, autocommit=True) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute(sql)
    return str(caught.value), caught.value.diag.statement_position


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT attname, a.nope FROM pg_attribute a",
        "SELECT pg_catalog.pg_attribute.nope FROM pg_catalog.pg_attribute",
        "SELECT column_name FROM information_schema.columns WHERE nope > 1",
        "TABLE pg_attribute ORDER BY nope",
        "SELECT c.attname FROM pg_attribute AS a, pg_class AS c",
        "SELECT 1 FROM pg_attribute WHERE attname = 1/0",
    ],
)
def test_errors_have_their_place(both: Both, sql: str) -> None:
    veiled, plain = (_error(url, sql) for url in both.urls())
    assert veiled == plain


def test_a_prepared_statement_outlives_ddl(both: Both) -> None:
    """It goes on with the types that it was prepared with; a new one sees the new."""
    sql = (
        "SELECT attname FROM pg_attribute WHERE attrelid = 'parted'::regclass AND atttypid = 'date'::regtype"
    )
    with both.veil.connect() as connection:
        for _ in range(3):
            assert connection.execute(sql, prepare=True).fetchall() == [("born",)]
        connection.execute("ALTER TABLE parted ADD COLUMN died date")
        try:
            assert connection.execute(sql, prepare=True).fetchall() == [("born",), ("died",)]
            assert connection.execute(f"{sql} AND true").fetchall() == [("born",), ("died",)]
        finally:
            connection.execute("ALTER TABLE parted DROP COLUMN died")


def test_a_new_table_is_seen_once_it_is_committed(both: Both) -> None:
    sql = "SELECT data_type FROM information_schema.columns WHERE table_name = 'made' AND column_name = 'day'"
    with both.veil.connect() as connection:
        connection.execute("CREATE TABLE made (id int, day date)")
        try:
            assert connection.execute(sql).fetchall() == [("date",)]
        finally:
            connection.execute("DROP TABLE made")
    assert both.veil.execute(sql) == []


def test_an_ordinary_role_sees_what_it_may(both: Both) -> None:
    """Who is no superuser sees the same columns as of the twin."""
    sql = "SELECT table_name, column_name, data_type FROM information_schema.columns ORDER BY 1, 2"
    found = []
    for database, url in ((both.veil.database, both.veil.dsn("ordinary")), (both.twin, None)):
        database.execute("GRANT SELECT (id, born) ON users TO ordinary")
        url = url or database.postgres.dsn(database.name, user="ordinary")
        with psycopg.connect(url) as connection:
            found.append(connection.execute(sql).fetchall())
        database.execute("REVOKE SELECT (id, born) ON users FROM ordinary")
    assert found[0] == found[1]
    assert ("users", "born", "date") in found[0]
    assert ("users", "age", "integer") not in found[0]
