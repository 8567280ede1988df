"""A catalogue that is read in parts, as DDL goes by, is the one that is read as a whole."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from policy.catalog import Catalog
from policy.model import Policy
from proxy import catalog_sql
from proxy.catalog_snapshot import Snapshot, read_catalog, read_snapshot
from proxy.introspect import connector
from tests.policy.samples import policy_of
from tests.postgres import Database
from tests.proxy.catalogs import address, relation

if TYPE_CHECKING:
    from proxy.introspect import Connection

SEEDS = range(3)
STEPS = 60

TABLES = ("users", "orders", "t1", "t2", "t3")
VIEWS = ("v1", "v2", "v3")
COLUMNS = ("id", "email", "a", "b", "c")
SCHEMAS = ("public", "one", "two")


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return policy_of(tmp_path, "  users: {email: equal}\n  orders: {email: random, a: random}\n")


class Reader:
    """Reads a database in parts, and compares."""

    def __init__(self, connection: Connection, policy: Policy) -> None:
        self.connection = connection
        self.policy = policy
        self.snapshot: Snapshot | None = None

    async def read(self) -> Catalog:
        """The catalogue as it is now."""
        self.snapshot = await read_snapshot(self.connection, self.policy, self.snapshot)
        return self.snapshot.catalog

    async def check(self, what: object) -> Catalog:
        """The same, compared with one that is read as a whole."""
        found = await self.read()
        whole = await read_catalog(self.connection, self.policy)
        for oid in found.relations.keys() | whole.relations.keys():
            assert found.relations.get(oid) == whole.relations.get(oid), what
        assert replace(found, generation=0) == replace(whole, generation=0), what
        assert await self.read() is found
        return found


@asynccontextmanager
async def reader(database: Database, policy: Policy) -> AsyncIterator[Reader]:
    connection = await connector(address(database.postgres))(database.name)
    try:
        await connection.execute(catalog_sql.PREPARE_SESSION)
        yield Reader(connection, policy)
    finally:
        await connection.close()


# --- random DDL ------------------------------------------------------------------------------------------


class Maker:
    """Statements over a few names, so that they meet; many fail, which is as well."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def statement(self) -> str:
        return self.random.choice(STATEMENTS)(self)

    def table(self) -> str:
        return f"{self.one(SCHEMAS[:1] * 6 + SCHEMAS)}.{self.one(TABLES)}"

    def view(self) -> str:
        return f"{self.one(SCHEMAS[:1] * 3 + SCHEMAS)}.{self.one(VIEWS)}"

    def source(self) -> str:
        return self.table() if self.random.random() < 0.7 else self.view()

    def schema(self) -> str:
        return self.one(SCHEMAS)

    def column(self) -> str:
        return self.one(COLUMNS)

    def type(self) -> str:
        types = ("int", "text", "varchar(400)", "mood", "short", "pair", "numeric(12,2)", "bytea", "mood[]")
        return self.one((*types, self.table()))

    def query(self) -> str:
        table, column = self.source(), self.column()
        return self.one(
            (
                f"SELECT * FROM {table}",
                f"SELECT {column}, x.email AS mail FROM {table} x",
                f"SELECT x.{column}, y.id AS other FROM {table} x JOIN {self.source()} y USING (id)",
                f"SELECT f(id) AS id, 'good'::mood AS m, '1'::short AS s FROM {table}",
                f"SELECT '(1,good)'::pair AS p, '{table}'::regclass AS r, nextval('seq') AS n",
                f"SELECT r.* FROM rows_of() r WHERE r.{column} IS NOT NULL",
                f"SELECT id OPERATOR(public.===) id AS same, email COLLATE folded AS email FROM {table}",
                f"SELECT ROW(x.*)::{table} AS whole, NULL::{self.table()}[] AS some FROM {table} x",
            )
        )

    def one(self, choices: tuple[str, ...]) -> str:
        return self.random.choice(choices)


STATEMENTS: tuple[Callable[[Maker], str], ...] = (
    *[lambda m: f"CREATE TABLE {m.table()} (id int, email text, {m.column()} {m.type()} DEFAULT NULL)"] * 4,
    lambda m: f"CREATE TABLE {m.table()} (id serial PRIMARY KEY, a int, email text UNIQUE DEFAULT 'x')",
    lambda m: f"CREATE TABLE {m.table()} (c int, own {m.type()}) INHERITS ({m.table()})",
    lambda m: f"CREATE TABLE {m.table()} (id int, email text, a text) PARTITION BY HASH (id)",
    lambda m: f"CREATE TABLE {m.table()} PARTITION OF {m.table()} FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
    lambda m: f"ALTER TABLE {m.table()} NO INHERIT {m.table()}",
    lambda m: f"ALTER TABLE {m.table()} INHERIT {m.table()}",
    lambda m: f"ALTER TABLE {m.table()} DETACH PARTITION {m.table()}",
    *[lambda m: f"CREATE OR REPLACE VIEW {m.view()} AS {m.query()}"] * 5,
    *[lambda m: f"CREATE VIEW {m.view()} AS {m.query()}"] * 4,
    lambda m: f"CREATE MATERIALIZED VIEW {m.view()} AS {m.query()}",
    lambda m: f"DROP TABLE {m.table()} CASCADE",
    lambda m: f"DROP TABLE {m.table()}",
    lambda m: f"DROP VIEW {m.view()} CASCADE",
    *[lambda m: f"ALTER TABLE {m.source()} RENAME COLUMN {m.column()} TO {m.column()}"] * 4,
    lambda m: f"ALTER TABLE {m.table()} ADD COLUMN {m.column()} {m.type()}",
    lambda m: f"ALTER TABLE {m.table()} DROP COLUMN {m.column()} CASCADE",
    lambda m: f"ALTER TABLE {m.table()} ALTER COLUMN {m.column()} TYPE {m.type()} USING NULL",
    lambda m: f"ALTER TABLE {m.table()} ALTER COLUMN {m.column()} SET DEFAULT NULL",
    lambda m: f"ALTER TABLE {m.source()} ALTER COLUMN email SET DEFAULT 'x' || {m.random.randrange(9)}",
    lambda m: f"ALTER TABLE {m.table()} ALTER COLUMN {m.column()} SET NOT NULL",
    lambda m: f"ALTER TABLE {m.table()} RENAME TO {m.table().partition('.')[2]}",
    lambda m: f"ALTER VIEW {m.view()} RENAME TO {m.view().partition('.')[2]}",
    lambda m: (
        "BEGIN; ALTER TABLE t1 RENAME TO t0; ALTER TABLE users RENAME TO t1;"
        " ALTER TABLE t0 RENAME TO users; COMMIT"
    ),
    lambda m: (
        f"BEGIN; ALTER TABLE {m.table()} RENAME TO t0; SAVEPOINT s; DROP TABLE {m.table()} CASCADE; "
        f"ROLLBACK TO s; CREATE TABLE {m.table()} (email text); COMMIT"
    ),
    lambda m: f"ALTER TABLE {m.source()} SET SCHEMA {m.schema()}",
    lambda m: "ALTER SCHEMA one RENAME TO two",
    lambda m: "ALTER SCHEMA two RENAME TO one",
    lambda m: f"CREATE SCHEMA {m.schema()}",
    lambda m: f"GRANT USAGE ON SCHEMA {m.schema()} TO public",
    lambda m: f"CREATE INDEX ON {m.table()} ({m.column()})",
    lambda m: f"CREATE UNIQUE INDEX name_{m.random.randrange(5)} ON {m.table()} ({m.column()}, id)",
    lambda m: f"ALTER INDEX name_{m.random.randrange(5)} RENAME TO name_{m.random.randrange(5)}",
    lambda m: f"DROP INDEX name_{m.random.randrange(5)}",
    lambda m: f"ALTER TABLE {m.table()} ADD CONSTRAINT c{m.random.randrange(5)} CHECK ({m.column()} <> f(1))",
    lambda m: f"ALTER TABLE {m.table()} ADD FOREIGN KEY (id) REFERENCES {m.table()} (id)",
    lambda m: f"ALTER TABLE {m.table()} DROP CONSTRAINT c{m.random.randrange(5)}",
    lambda m: f"CREATE TRIGGER tr BEFORE UPDATE ON {m.table()} FOR EACH ROW EXECUTE FUNCTION touch()",
    lambda m: f"CREATE POLICY p ON {m.table()} USING ({m.column()} IS NULL)",
    lambda m: f"CREATE RULE r AS ON DELETE TO {m.table()} DO INSTEAD NOTHING",
    lambda m: f"DROP RULE r ON {m.table()}",
    lambda m: f"DROP TRIGGER tr ON {m.table()}",
    lambda m: f"ALTER TYPE mood RENAME VALUE 'good' TO 'fine{m.random.randrange(3)}'",
    lambda m: f"ALTER TYPE mood RENAME VALUE 'fine{m.random.randrange(3)}' TO 'good'",
    lambda m: "ALTER TYPE mood RENAME TO feeling",
    lambda m: "ALTER TYPE feeling RENAME TO mood",
    lambda m: "ALTER TYPE pair RENAME ATTRIBUTE x TO y CASCADE",
    lambda m: "ALTER TYPE pair RENAME ATTRIBUTE y TO x CASCADE",
    lambda m: f"ALTER DOMAIN short SET SCHEMA {m.schema()}",
    lambda m: f"ALTER DOMAIN {m.schema()}.short RENAME TO short",
    lambda m: "ALTER FUNCTION f(int) RENAME TO g",
    lambda m: "ALTER FUNCTION g(int) RENAME TO f",
    lambda m: "ALTER FUNCTION touch() RENAME TO touched",
    lambda m: "ALTER FUNCTION touched() RENAME TO touch",
    lambda m: (
        f"CREATE FUNCTION rows_of() RETURNS SETOF {m.table()} LANGUAGE sql AS 'SELECT * FROM {m.table()}'"
    ),
    *[
        lambda m: (
            f"CREATE OR REPLACE FUNCTION h{m.random.randrange(3)}() RETURNS text LANGUAGE sql AS"
            f" 'SELECT {m.one(('h0()', 'h1()', 'current_user', 'set_config(NULL, NULL, true)'))}'"
        )
    ]
    * 3,
    lambda m: f"DROP FUNCTION h{m.random.randrange(3)}()",
    lambda m: f"ALTER OPERATOR === (int, int) SET SCHEMA {m.schema()}",
    lambda m: "ALTER COLLATION folded RENAME TO unfolded",
    lambda m: "ALTER COLLATION unfolded RENAME TO folded",
    lambda m: "ALTER SEQUENCE seq RENAME TO seq2",
    lambda m: "ALTER SEQUENCE seq2 RENAME TO seq",
    lambda m: "ALTER ROLE postgres IN DATABASE {database} SET search_path = one",
    lambda m: "ALTER ROLE postgres IN DATABASE {database} RESET search_path",
    lambda m: f"TRUNCATE {m.table()}",
    lambda m: f"VACUUM FULL {m.table()}",
)

BEGINNING = """
CREATE SCHEMA one;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE DOMAIN short AS varchar(400);
CREATE TYPE pair AS (x int, m mood);
CREATE SEQUENCE seq;
CREATE COLLATION folded FROM "C";
SET check_function_bodies = off;
CREATE FUNCTION h0() RETURNS text LANGUAGE sql AS 'SELECT h1()';
CREATE FUNCTION h1() RETURNS text LANGUAGE sql AS 'SELECT set_config(NULL, NULL, true)';
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION same(int, int) RETURNS bool LANGUAGE sql AS 'SELECT $1 = $2';
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = same);
CREATE TABLE users (id int PRIMARY KEY, email text, a mood);
CREATE TABLE t1 (id int, email text, a short);
CREATE VIEW v1 AS SELECT *, '(1,good)'::pair AS p FROM users;
CREATE VIEW v2 AS SELECT id, mail FROM (SELECT f(id) AS id, email AS mail FROM t1) s;
"""


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_catalogue_read_in_parts_is_the_whole_one(
    database: Database, policy: Policy, seed: int
) -> None:
    maker = Maker(seed)
    done: list[str] = []
    async with reader(database, policy) as parts:
        with database.connect() as connection:
            connection.execute(BEGINNING)
            await parts.check(done)
            for _ in range(STEPS):
                statement = maker.statement().replace("{database}", database.name)
                with suppress(psycopg.Error):
                    connection.execute(statement.encode())
                    done.append(statement)
                connection.execute("ROLLBACK")
                await parts.check(done)
    assert len(done) > STEPS / 8


# --- what is read -----------------------------------------------------------------------------------------

TYPES_OF_VIEWS: Mapping[str, str] = {
    "ALTER TYPE mood RENAME VALUE 'good' TO 'better'": "better",
    "ALTER TYPE mood RENAME TO feeling": "feeling",
    "ALTER FUNCTION f(int) RENAME TO g": "public.g(",
    "ALTER FUNCTION f(int) SET SCHEMA one": "one.f(",
    "ALTER TABLE users RENAME COLUMN email TO address": "address",
    "ALTER TABLE users RENAME TO people": "people",
    "ALTER TABLE users SET SCHEMA one": "one.users",
    "ALTER SCHEMA public RENAME TO shared": "shared.users",
    "ALTER SEQUENCE seq RENAME TO numbers": "numbers",
}


@pytest.mark.parametrize("statement", TYPES_OF_VIEWS)
async def test_a_views_definition_follows_what_it_names(
    database: Database, policy: Policy, statement: str
) -> None:
    database.execute(BEGINNING)
    database.execute(
        "CREATE VIEW shown AS SELECT f(id), email, nextval('seq'), a FROM users WHERE a = 'good'::mood;"
        "CREATE TABLE apart (id int)"
    )
    async with reader(database, policy) as parts:
        before = await parts.read()
        database.execute(statement)
        after = await parts.check(statement)
        (shown,) = after.named("shown")
        assert TYPES_OF_VIEWS[statement] in str(shown.definition)
        assert TYPES_OF_VIEWS[statement] not in str(relation(before, "shown").definition)


async def test_what_has_not_changed_is_the_same_object(database: Database, policy: Policy) -> None:
    database.execute(BEGINNING)
    async with reader(database, policy) as parts:
        before = await parts.read()
        database.execute("ALTER TABLE t1 ADD COLUMN more int; CREATE TABLE t2 (id int)")
        after = await parts.check("an unprotected table")
        changed = [r.name for oid, r in after.relations.items() if before.relations.get(oid) is not r]
        assert sorted(changed) == ["t1", "t2"]
        assert after.generation == before.generation + 1


async def test_what_changes_nothing_that_is_read_changes_nothing(database: Database, policy: Policy) -> None:
    database.execute(BEGINNING)
    async with reader(database, policy) as parts:
        before = await parts.read()
        database.execute("CREATE INDEX ON t1 (a)")
        database.execute("CREATE OR REPLACE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1 + $1'")
        database.execute("REINDEX TABLE users; GRANT SELECT ON users TO public; TRUNCATE t1")
        database.execute("VACUUM FULL users")
        assert await parts.check("nothing") is before


async def test_details_of_a_protected_table_are_kept_current(database: Database, policy: Policy) -> None:
    database.execute(BEGINNING)
    async with reader(database, policy) as parts:
        await parts.read()
        for statement in (
            "CREATE TRIGGER one BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch()",
            "CREATE TRIGGER two BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch()",
            "CREATE INDEX plain_index ON users (a)",
            "ALTER INDEX plain_index RENAME TO other_index",
            "ALTER TABLE users ADD CONSTRAINT c CHECK (f(id) > 0)",
            "ALTER FUNCTION f(int) RENAME TO g",
            "ALTER TABLE users ALTER COLUMN email SET DEFAULT 'one'",
            "ALTER TABLE users ALTER COLUMN email SET DEFAULT 'two'",
            "ALTER TABLE users RENAME TO nobody",
        ):
            database.execute(statement)
            await parts.check(statement)


async def test_another_connection_may_lead_to_another_server(database16: Database, policy: Policy) -> None:
    database16.execute(BEGINNING)
    async with reader(database16, policy) as parts, reader(database16, policy) as others:
        before = await parts.read()
        others.snapshot = parts.snapshot
        assert await others.read() is before
        database16.execute("CREATE TABLE t2 (id int)")
        after = await others.check("read as a whole")
        t1 = relation(before, "t1")
        assert after.relations[t1.oid] == t1
        assert after.relations[t1.oid] is not t1


async def test_a_definition_that_was_locked_is_read_when_it_can_be(
    database: Database, policy: Policy
) -> None:
    database.execute(BEGINNING)
    async with reader(database, policy) as parts:
        with database.connect() as connection:
            connection.execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
            assert relation(await parts.read(), "v1").definition is None
            assert relation(await parts.read(), "v1").definition is None
            connection.execute("ROLLBACK")
        assert relation(await parts.check("it is there"), "v1").definition is not None


async def test_the_servers_views_that_show_types(database: Database, policy: Policy) -> None:
    """Their definitions are read once; what not everybody may read stays a view; no policy needs none."""
    database.execute("CREATE VIEW mine AS SELECT atttypid FROM pg_attribute")
    names = {"attributes", "column_domain_usage", "column_udt_usage", "columns", "element_types"}
    async with reader(database, policy) as one:
        catalog = await one.read()
        assert {catalog.relations[oid].name for oid in catalog.type_views} == names
        database.execute("CREATE TABLE users (id int)")
        assert (await one.check("a new table")).type_views == catalog.type_views
    database.execute("REVOKE SELECT ON information_schema.columns FROM PUBLIC")
    async with reader(database, policy) as another:
        catalog = await another.read()
        assert {catalog.relations[oid].name for oid in catalog.type_views} == names - {"columns"}
    async with reader(database, Policy({}, {})) as third:
        assert (await third.read()).type_views == {}
