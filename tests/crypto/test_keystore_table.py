"""The keystore in a table of real servers: what it holds, who takes turns, what can be in the way."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest

from crypto.errors import KeystoreError, KeystoreUnavailable, ProviderUnavailable
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord, Records
from crypto.keystore_table import TableKeystore
from tests.crypto.stores import new_record
from tests.postgres import Database, Postgres


async def created(database: Database, schema: str = "pgveil") -> TableKeystore:
    keystore = TableKeystore(database.dsn, schema)
    await keystore.create()
    return keystore


def new_fek(records: Records, name: str = "users.email") -> KeyRecord:
    blank = new_record(records, KeyType.FEK, name, "aes-siv", None)
    return replace(blank, encrypted_key=b"wrapped", key_hash=b"hash", state=KeyState.PENDING)


async def adding_one(records: Records) -> list[KeyRecord]:
    return [new_fek(records)]


async def test_records_come_back_as_they_were(database: Database) -> None:
    keystore = await created(database)
    master = new_record([], KeyType.MASTER, "local:1", "local", None)
    full = replace(
        new_fek((master,), 'Zoë."E-mail"'),
        parent_id=master.id,
        expires_at=datetime(2030, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        rotation_count=3,
        metadata={"encryptions": 64},
    )

    async def add(records: Records) -> list[KeyRecord]:
        assert records == ()
        return [master, full]

    assert await keystore.update(add) == (master, full)
    assert set(map(repr, await keystore.read())) == {repr(master), repr(full)}
    assert {r.encrypted_key for r in await keystore.read()} == {None, b"wrapped"}
    await keystore.close()


async def test_the_table_is_that_of_the_design(database18: Database) -> None:
    await created(database18)
    columns = database18.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = 'pgveil.encryption_keys'::regclass AND attnum > 0 ORDER BY attnum"
    )
    assert columns == [
        ("id", "uuid"),
        ("key_type", "text"),
        ("key_id", "text"),
        ("version", "integer"),
        ("parent_id", "uuid"),
        ("encrypted_key", "bytea"),
        ("key_hash", "bytea"),
        ("algorithm", "text"),
        ("state", "text"),
        ("created_at", "timestamp with time zone"),
        ("expires_at", "timestamp with time zone"),
        ("rotation_count", "integer"),
        ("metadata", "jsonb"),
    ]


async def test_a_schema_of_any_name_created_twice(database18: Database) -> None:
    for _ in range(2):
        keystore = await created(database18, 'Keys "of" ours')
        await keystore.update(adding_one)
    assert len(await keystore.read()) == 2
    assert database18.execute('SELECT count(*) FROM "Keys ""of"" ours".encryption_keys') == [(2,)]


async def test_nobodys_own_objects_can_stand_in(database18: Database) -> None:
    """Functions and tables of the same names, in schemas that the role's own search_path puts first."""
    database18.execute(
        "CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz';"
        "CREATE FUNCTION public.jsonb_set(jsonb, text[], jsonb) RETURNS jsonb"
        " LANGUAGE sql AS 'SELECT NULL::jsonb';"
        "CREATE TABLE public.encryption_keys (); CREATE TABLE public.pg_class ();"
        f'ALTER DATABASE "{database18.name}" SET search_path = public, pg_catalog'
    )
    keystore = await created(database18)
    (record,) = await keystore.update(adding_one)
    assert await keystore.count({record.id: 5}) == {record.id: 5}


async def test_a_change_that_fails_changes_nothing(database18: Database) -> None:
    keystore = await created(database18)

    async def fail(records: Records) -> list[KeyRecord]:
        raise ProviderUnavailable("away")

    with pytest.raises(ProviderUnavailable):
        await keystore.update(fail)

    async def half(records: Records) -> list[KeyRecord]:
        good = new_fek(records)
        return [good, replace(new_fek((good,)), version=0)]

    with pytest.raises(KeystoreUnavailable, match="violates check constraint"):
        await keystore.update(half)
    assert await keystore.read() == ()


async def test_what_must_be_unique_is(database18: Database) -> None:
    keystore = await created(database18)
    (first,) = await keystore.update(adding_one)
    active = replace(first, state=KeyState.ACTIVE)
    for second, index in (
        (replace(first, id=UUID(bytes=first.short_id + bytes(12)), version=2), "encryption_keys_short_id"),
        (replace(first, id=UUID(int=1)), "encryption_keys_key_type_key_id_version_key"),
        (replace(active, id=UUID(int=1), version=2), "encryption_keys_one_active"),
    ):

        async def add(records: Records, second: KeyRecord = second) -> list[KeyRecord]:
            return [active, second]

        with pytest.raises(KeystoreUnavailable, match=f'violates unique constraint "{index}"'):
            await keystore.update(add)


async def test_one_version_retires_as_the_next_becomes_active(database18: Database) -> None:
    keystore = await created(database18)
    old = replace(new_fek(()), state=KeyState.ACTIVE)
    new = new_fek((old,))

    async def add(records: Records) -> list[KeyRecord]:
        return [old, new]

    async def switch(records: Records) -> list[KeyRecord]:
        return [old.advanced(KeyState.RETIRING), new.advanced(KeyState.ACTIVE)]

    await keystore.update(add)
    await keystore.update(switch)
    states = {record.version: record.state for record in await keystore.read()}
    assert states == {1: KeyState.RETIRING, 2: KeyState.ACTIVE}


async def test_counts_are_added_to_those_of_others(database: Database) -> None:
    keystore = await created(database)
    (record,) = await keystore.update(adding_one)
    other = TableKeystore(database.dsn)
    await asyncio.gather(*(each.count({record.id: 64}) for each in (keystore, other) * 3))
    assert await keystore.count({record.id: 1, UUID(int=1): 5}) == {record.id: 385}
    assert (await other.read())[0].encryptions == 385


async def test_tasks_take_turns_and_readers_do_not_wait(database: Database) -> None:
    keystore = await created(database)

    async def slowly(records: Records) -> list[KeyRecord]:
        await TableKeystore(database.dsn).read()  # while the lock is held
        return [new_fek(records)]

    await asyncio.gather(*(TableKeystore(database.dsn).update(slowly) for _ in range(8)))
    assert sorted(record.version for record in await keystore.read()) == list(range(1, 9))


def test_processes_that_start_together_create_one_table_and_lose_no_change(database18: Database) -> None:
    program = textwrap.dedent("""
        import asyncio, sys
        from tests.crypto.stores import new_record
        from crypto.keyset import KeyState, KeyType
        from crypto.keystore_table import TableKeystore

        async def add(records):
            active = any(record.state is KeyState.ACTIVE for record in records)
            return [] if active else [new_record(records, KeyType.FEK, "users.email", "aes-siv", None)]

        async def main():
            keystore = TableKeystore(sys.argv[1])
            await keystore.create()
            await keystore.update(add)

        asyncio.run(main())
    """)
    processes = [subprocess.Popen([sys.executable, "-c", program, database18.dsn]) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert len(asyncio.run(TableKeystore(database18.dsn).read())) == 1


async def test_not_set_up_yet(database18: Database) -> None:
    keystore = TableKeystore(database18.dsn)
    with pytest.raises(
        KeystoreError, match=r"table pgveil\.encryption_keys: does not exist: run pgveil keys"
    ):
        await keystore.read()
    database18.execute("CREATE SCHEMA pgveil")
    with pytest.raises(KeystoreError, match="does not exist"):
        await keystore.update(adding_one)
    await keystore.create()
    assert await keystore.read() == ()


async def test_a_role_without_the_rights(database18: Database) -> None:
    await created(database18)
    keystore = TableKeystore(database18.dsn.replace("postgres@", "ordinary@"))
    with pytest.raises(KeystoreError, match="permission denied for schema pgveil"):
        await keystore.read()
    await keystore.create()  # there is nothing to create


async def test_a_role_with_just_the_rights_it_needs(database18: Database) -> None:
    await created(database18)
    database18.execute(
        "GRANT USAGE ON SCHEMA pgveil TO ordinary;"
        "GRANT SELECT, INSERT, UPDATE ON pgveil.encryption_keys TO ordinary"
    )
    keystore = TableKeystore(database18.dsn.replace("postgres@", "ordinary@"))
    (record,) = await keystore.update(adding_one)
    assert await keystore.count({record.id: 1}) == {record.id: 1}
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        database18.connect(user="ordinary") as connection,
    ):
        connection.execute("DELETE FROM pgveil.encryption_keys")


async def test_a_record_of_a_later_version(database18: Database) -> None:
    keystore = await created(database18)
    await keystore.update(adding_one)
    database18.execute(
        "ALTER TABLE pgveil.encryption_keys DROP CONSTRAINT encryption_keys_state_check;"
        "UPDATE pgveil.encryption_keys SET state = 'frozen'"
    )
    with pytest.raises(KeystoreError, match="that this version does not know"):
        await keystore.read()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres@127.0.0.1:1/none",
        "postgresql://postgres@/none?host=/nonexistent",
        "postgresql://postgres@127.0.0.1:1/none?sslmode=wrong",
    ],
)
async def test_a_server_that_is_away_is_one_line(url: str) -> None:
    keystore = TableKeystore(url)
    for work in (keystore.read(), keystore.create(), keystore.update(adding_one), keystore.count({})):
        with pytest.raises(KeystoreUnavailable) as caught:
            await work
        assert "\n" not in str(caught.value)


async def test_a_database_that_does_not_exist(database18: Database) -> None:
    keystore = TableKeystore(database18.dsn + "_not")
    with pytest.raises(KeystoreUnavailable, match="does not exist"):
        await keystore.read()
    assert repr(keystore) == "<TableKeystore table pgveil.encryption_keys>"


async def test_tls_as_the_caller_has_prepared_it(postgres15_tls: Postgres) -> None:
    assert postgres15_tls.certificates is not None
    trusting = ssl.create_default_context(cafile=str(postgres15_tls.certificates.authority))
    with postgres15_tls.database() as database:
        # asyncpg does not know libpq's sslrootcert=system; the context goes before the URL
        url = f"{database.dsn}?sslmode=verify-full&sslrootcert=system"
        keystore = TableKeystore(url, tls=trusting)
        await keystore.create()
        assert await keystore.read() == ()
        with pytest.raises(KeystoreUnavailable, match="certificate verify failed"):
            await TableKeystore(url, tls=ssl.create_default_context()).read()
