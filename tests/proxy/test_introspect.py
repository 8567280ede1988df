"""How the catalogue of a real server is kept current."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from policy.binding import Binding
from policy.model import Policy
from proxy import catalog_sql
from proxy.addresses import parse_url
from proxy.introspect import Catalogs, CatalogUnavailable, connector
from tests.policy.samples import policy_of
from tests.postgres import PASSWORD, Database, Postgres
from tests.proxy.catalogs import address, end_sessions, eventually, relation, sessions

TIMEOUT = 20.0


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return policy_of(tmp_path, "  users: {email: equal}\n")


@pytest.fixture
def changes() -> list[Binding]:
    """The bindings that `catalogs` has had, in order."""
    return []


@pytest.fixture
async def catalogs(database: Database, policy: Policy, changes: list[Binding]) -> AsyncIterator[Catalogs]:
    """Without polling: only notifications and sessions make it look."""
    made = Catalogs(
        connector(address(database.postgres)),
        policy,
        on_change=lambda _, binding: changes.append(binding),
        poll=0,
    )
    yield made
    await made.close()


def has(binding: Binding, name: str) -> bool:
    return bool(binding.catalog.named(name))


async def test_a_catalogue_is_read_once(database: Database, catalogs: Catalogs) -> None:
    first = await catalogs.get(database.name)
    database.execute("CREATE TABLE users (email text)")
    assert await catalogs.get(database.name) is first
    fresh = await catalogs.refresh(database.name, None)
    assert fresh.catalog.generation > first.catalog.generation
    assert await catalogs.get(database.name) is fresh
    assert "email" in fresh.of(relation(fresh.catalog, "users"))


async def test_sessions_that_ask_at_once_share_the_answer(database: Database, catalogs: Catalogs) -> None:
    bindings = await asyncio.gather(*(catalogs.get(database.name) for _ in range(20)))
    assert all(binding is bindings[0] for binding in bindings)
    database.execute("CREATE TABLE users (email text)")
    fresh = await asyncio.gather(*(catalogs.refresh(database.name, None) for _ in range(20)))
    assert {binding.catalog.generation for binding in fresh} == {2}


async def test_an_unknown_name_is_looked_for_and_a_known_one_is_not(
    database: Database, catalogs: Catalogs
) -> None:
    first = await catalogs.get(database.name)
    assert await catalogs.refresh(database.name, ["nothing"]) is first
    database.execute("CREATE TABLE other (a int); CREATE TABLE users (email text)")
    assert await catalogs.refresh(database.name, ["nothing", "pg_class"]) is first
    assert has(await catalogs.refresh(database.name, ["nothing", "users"]), "users")


async def test_a_table_that_was_renamed_or_made_anew_is_unknown(
    database: Database, catalogs: Catalogs
) -> None:
    database.execute("CREATE TABLE users_new (email text); CREATE TABLE users (email text)")
    first = await catalogs.get(database.name)
    database.execute("ALTER TABLE users RENAME TO users_old; ALTER TABLE users_new RENAME TO users")
    second = await catalogs.refresh(database.name, ["users"])
    assert relation(second.catalog, "users").oid == relation(first.catalog, "users_new").oid
    database.execute("DROP TABLE users; CREATE TABLE users (email text)")
    third = await catalogs.refresh(database.name, ["users"])
    assert relation(third.catalog, "users").oid != relation(second.catalog, "users").oid


DDL = [
    "ALTER TABLE users ADD COLUMN phone text",
    "ALTER TABLE users RENAME COLUMN email TO mail",
    "ALTER TABLE users ALTER COLUMN email TYPE varchar(900)",
    "ALTER TABLE users ALTER COLUMN email SET NOT NULL",
    "ALTER TABLE users ALTER COLUMN email SET DEFAULT 'x'",
    "ALTER TABLE users DROP COLUMN name",
    "CREATE UNIQUE INDEX ON users (email)",
    "ALTER TABLE users SET SCHEMA other",
    "ALTER SCHEMA other RENAME TO another",
    "CREATE TABLE child () INHERITS (users)",
    "CREATE OR REPLACE VIEW people AS SELECT name AS email FROM users",
    "ALTER TABLE users ADD PRIMARY KEY (email)",
    "DROP VIEW people",
]


@pytest.mark.parametrize("statement", DDL)
async def test_every_change_is_seen_and_no_change_is_not(
    database16: Database, policy: Policy, statement: str
) -> None:
    database16.execute(
        "CREATE SCHEMA other; CREATE TABLE users (email text, name text);"
        "CREATE VIEW people AS SELECT email FROM users"
    )
    if "TYPE" in statement:
        database16.execute("DROP VIEW people")
    catalogs = Catalogs(connector(address(database16.postgres)), policy, poll=0)
    try:
        first = await catalogs.get(database16.name)
        database16.execute("INSERT INTO users SELECT 'a', 'b'")
        database16.execute("VACUUM ANALYZE users")
        assert await catalogs.refresh(database16.name, None) is first
        database16.execute(statement)
        assert await catalogs.refresh(database16.name, None) is not first
    finally:
        await catalogs.close()


async def test_an_unlucky_exchange_of_names_is_seen(database16: Database) -> None:
    """Oid xor row version of each table becomes what that of the other was: no hash of it would show it."""
    with database16.connect() as connection:

        def versions() -> list[tuple[Any, ...]]:
            return connection.execute(catalog_sql.VERSIONS.encode()).fetchall()

        def number(sql: str) -> int:
            row = connection.execute(sql).fetchone()
            assert row is not None
            return int(row[0])

        unlucky = False
        while not unlucky:
            connection.execute("DROP TABLE IF EXISTS users, users_old")
            connection.execute("CREATE TABLE users_new (email text); CREATE TABLE users (email text)")
            tables = number("SELECT 'users'::regclass::oid::int8 # 'users_new'::regclass::oid::int8")
            version = number("SELECT xmin::text::int8 FROM pg_class WHERE oid = 'users'::regclass")
            wanted = version ^ tables
            while number("SELECT txid_current() + 1") < wanted:
                pass
            before = versions()
            connection.execute("ALTER TABLE users RENAME TO users_old; ALTER TABLE users_new RENAME TO users")
            after = versions()
            unlucky = number("SELECT xmin::text::int8 FROM pg_class WHERE oid = 'users'::regclass") == wanted
            assert before != after


@pytest.mark.parametrize("user", ["postgres", "ordinary"])
async def test_ddl_seen_by_one_proxy_refreshes_all(database: Database, policy: Policy, user: str) -> None:
    """Their maintenance logins may differ: an ordinary one may not look at what another one does."""
    changes: list[tuple[str, Binding]] = []
    one = Catalogs(connector(address(database.postgres, user)), policy, poll=0)
    connect = connector(address(database.postgres))
    other = Catalogs(connect, policy, poll=0, on_change=lambda name, binding: changes.append((name, binding)))
    try:
        await one.get(database.name)
        first = await other.get(database.name)
        database.execute("CREATE TABLE users (email text)")
        assert has(await one.announce(database.name), "users")
        await eventually(lambda: len(changes) == 2)
        assert [name for name, _ in changes] == [database.name] * 2
        assert changes[0][1] is first
        assert await other.get(database.name) is changes[1][1]
        assert has(changes[1][1], "users")
    finally:
        await one.close()
        await other.close()


async def test_nobody_is_told_where_nobody_else_is(database: Database, catalogs: Catalogs) -> None:
    """What is in the queue of notifications would be seen there by the application."""
    listener = await asyncpg.connect(database.dsn)
    heard: list[object] = []
    try:
        await listener.add_listener(catalog_sql.CHANNEL, lambda *about: heard.append(about[3]))
        for _ in range(2):
            await catalogs.announce(database.name)
        await listener.execute(f"NOTIFY {catalog_sql.CHANNEL}, 'last'")
        await eventually(lambda: "last" in heard)
        assert heard == ["last"]
    finally:
        await listener.close()


async def test_a_change_past_every_proxy_is_found_by_polling(database16: Database, policy: Policy) -> None:
    changes: list[Binding] = []
    catalogs = Catalogs(
        connector(address(database16.postgres)),
        policy,
        on_change=lambda _, binding: changes.append(binding),
        poll=0.05,
    )
    try:
        await catalogs.get(database16.name)
        database16.execute("CREATE TABLE users (email text)")
        await eventually(lambda: bool(changes[1:]))
        assert has(changes[1], "users")
    finally:
        await catalogs.close()


async def test_a_lost_connection_is_made_again_and_what_was_missed_is_read(
    database: Database, catalogs: Catalogs, changes: list[Binding]
) -> None:
    first = await catalogs.get(database.name)
    database.execute("CREATE TABLE users (email text)")
    end_sessions(database)
    await eventually(lambda: bool(changes[1:]))
    assert has(changes[1], "users")
    assert await catalogs.refresh(database.name, None) is not first


async def test_a_session_that_holds_locks_does_not_block_its_own_answer(
    database: Database, catalogs: Catalogs
) -> None:
    """It may have replaced a view in a transaction, and wait for the catalogue before it can go on."""
    database.execute(
        "CREATE TABLE users (email text); CREATE VIEW people AS SELECT email FROM users;"
        "CREATE VIEW simple AS SELECT 1 AS one"
    )
    with database.connect() as connection:
        connection.execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(TIMEOUT):
            binding = await catalogs.get(database.name)
        connection.execute("ROLLBACK")
    assert relation(binding.catalog, "people").definition is None
    assert "1" in str(relation(binding.catalog, "simple").definition)
    assert "email" in binding.of(relation(binding.catalog, "users"))


async def test_a_locked_catalogue_is_waited_for_by_who_holds_no_lock(
    database: Database, catalogs: Catalogs
) -> None:
    """VACUUM FULL of pg_class locks it, and waits itself for whoever has looked at it in a transaction."""
    await catalogs.get(database.name)
    database.execute("CREATE TABLE users (email text)")
    with database.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE pg_catalog.pg_class IN ACCESS EXCLUSIVE MODE")
        waiting = asyncio.create_task(catalogs.refresh(database.name, ["users"], patient=True))
        with pytest.raises(CatalogUnavailable) as caught:
            await catalogs.refresh(database.name, ["users"])
        assert caught.value.locked
        assert not waiting.done()
        connection.execute("ROLLBACK")
        async with asyncio.timeout(TIMEOUT):
            assert has(await waiting, "users")


async def test_nobody_gets_at_the_login_through_the_search_path(
    database: Database, catalogs: Catalogs
) -> None:
    """Functions and operators of a schema that everybody may write to never run in our session."""
    database.execute(
        f'ALTER DATABASE "{database.name}" SET search_path = evil, public; CREATE SCHEMA evil;'
        "CREATE TABLE evil.called (a int);"
        "CREATE FUNCTION evil.hijack(oid, oid) RETURNS bool LANGUAGE sql"
        " AS 'INSERT INTO evil.called VALUES (1) RETURNING true';"
        "CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.hijack);"
        "CREATE VIEW evil.pg_class AS SELECT 1 AS oid"
    )
    await catalogs.get(database.name)
    assert database.execute("SELECT count(*) FROM evil.called") == [(0,)]


# What goes wrong


async def test_a_database_that_does_not_exist(catalogs: Catalogs) -> None:
    with pytest.raises(CatalogUnavailable, match='database "nowhere" does not exist') as caught:
        await catalogs.get("nowhere")
    assert caught.value.sqlstate == "3D000"


async def test_a_server_that_is_away_keeps_what_is_known(database16: Database, policy: Policy) -> None:
    connect = connector(address(database16.postgres))
    away = False

    async def sometimes(name: str) -> asyncpg.Connection[asyncpg.Record]:
        if away:
            raise ConnectionRefusedError("the server is away")
        return await connect(name)

    catalogs = Catalogs(sometimes, policy, poll=0)
    try:
        first = await catalogs.get(database16.name)
        away = True
        end_sessions(database16)
        await eventually(lambda: sessions(database16) == 0)
        with pytest.raises(CatalogUnavailable) as caught:
            await catalogs.refresh(database16.name, None)
        assert (caught.value.sqlstate, caught.value.message) == ("58000", "the catalogue cannot be read now")
        assert caught.value.reason == "the server is away"
        assert await catalogs.get(database16.name) is first
        away = False
        assert (await catalogs.refresh(database16.name, None)).catalog.generation == 1
    finally:
        await catalogs.close()


async def test_nothing_stays_open_after_close(database: Database, policy: Policy) -> None:
    catalogs = Catalogs(connector(address(database.postgres)), policy)
    await catalogs.get(database.name)
    await catalogs.close()
    await eventually(lambda: sessions(database) == 0)


async def test_a_login_with_tls_and_the_certificate_of_a_client(postgres15_tls: Postgres) -> None:
    certificates = postgres15_tls.certificates
    assert certificates is not None
    url = (
        f"postgresql://with_certificate@localhost:{postgres15_tls.port}/postgres?sslmode=verify-full"
        f"&sslrootcert={certificates.authority}&sslcert={certificates.client}&sslkey={certificates.client_key}"
    )
    connection = await connector(parse_url(url, Path("/")))("postgres")
    assert await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is True
    await connection.close()


async def test_a_password_comes_from_its_file(database16: Database, tmp_path: Path) -> None:
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:with_scram:{PASSWORD}\n")
    passfile.chmod(0o600)
    host, port = database16.postgres.host, database16.postgres.port
    server = parse_url(f"postgresql://with_scram@{host}:{port}/x?passfile=pgpass", tmp_path)
    connection = await connector(server)(database16.name)
    assert await connection.fetchval("SELECT current_user") == "with_scram"
    await connection.close()


async def test_a_function_that_is_unknown_is_looked_for(database16: Database, policy: Policy) -> None:
    catalogs = Catalogs(connector(address(database16.postgres)), policy, poll=0)
    try:
        first = await catalogs.get(database16.name)
        assert await catalogs.refresh(database16.name, ["now", "go"]) is first
        database16.execute(
            "CREATE FUNCTION go() RETURNS text LANGUAGE sql AS"
            " 'SELECT set_config(''search_path'', ''other'', false)'"
        )
        assert await catalogs.refresh(database16.name, ["now"]) is first
        fresh = await catalogs.refresh(database16.name, ["go"])
        assert fresh.catalog.path_changers == {"go"}
        assert "now" in (fresh.catalog.functions or ())
    finally:
        await catalogs.close()
