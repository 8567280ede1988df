"""What is due is done, once, by one process of several; and running processes follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from crypto.errors import KeystoreError
from crypto.keyset import KeyState, KeyType
from crypto.keystore import Keystore, Records
from crypto.keystore_file import FileKeystore
from crypto.keystore_table import TableKeystore
from crypto.manager import KeyManager, KeyNeed
from crypto.master_rotation import conclude, exchange
from crypto.nonces import ROTATE_AT
from crypto.providers.local import LocalProvider
from crypto.rotation import FieldVersion
from crypto.schedule import Schedule, Work
from crypto.upkeep import alone_with, keep_up
from tests.crypto.stores import CountingProvider, MemoryKeystore, VersionedProvider
from tests.postgres import Database

DAY = 86400.0
EMAIL = KeyNeed("public.users.email", "public.users", "aes-256-gcm")
OTHER = KeyNeed("public.others.email", "public.others", "aes-256-gcm")
EMAIL_KEY = FieldVersion(EMAIL.name, EMAIL.algorithm)
SCHEDULE = Schedule({EMAIL_KEY: 30 * DAY}, 90 * DAY, 365 * DAY, 7 * DAY, automatic=True)
PROVIDER = LocalProvider(bytes(32))


@pytest.fixture(params=["file", "table"])
async def keystores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[Keystore]]:
    """The keystore as three processes have it."""
    if request.param == "file":
        yield [FileKeystore(tmp_path / "keystore.json", PROVIDER) for _ in range(3)]
    else:
        database: Database = request.getfixturevalue("database18")
        yield [TableKeystore(database.dsn) for _ in range(3)]


def states(records: Records, key_type: KeyType) -> list[KeyState]:
    found = [record for record in records if record.key_type is key_type]
    return [record.state for record in sorted(found, key=lambda record: record.version)]


async def test_only_one_of_several_processes_is_alone(keystores: list[Keystore]) -> None:
    await KeyManager(keystores[0], PROVIDER).create()
    async with keystores[0].alone() as first, keystores[1].alone() as second:
        assert (first, second) == (True, False)
        await keystores[2].count({})  # the keystore itself is free
    async with keystores[1].alone() as second:
        assert second


async def test_several_processes_rotate_what_is_due_once() -> None:
    keystore = MemoryKeystore()
    managers = [KeyManager(keystore, PROVIDER) for _ in range(3)]
    await managers[0].create()
    await managers[0].ensure([EMAIL])
    for manager in managers:
        await manager.load()
    assert await keep_up(managers[0], SCHEDULE) == []
    before = managers[0].keyring.active(EMAIL.name, EMAIL.algorithm)
    assert before is not None
    sealed = before.sealer("text")(b"value")

    keystore.age(40)
    await managers[1].refresh()
    done = await asyncio.gather(*(keep_up(manager, SCHEDULE) for manager in managers))
    assert [turn.work for turns in done for turn in turns] == [Work.FIELD]
    assert states(keystore.records, KeyType.FEK) == [KeyState.RETIRING, KeyState.ACTIVE]

    keystore.age(100)
    await managers[2].refresh()
    assert {turn.work for turn in await keep_up(managers[2], SCHEDULE)} == {Work.FIELD, Work.TABLE}
    assert states(keystore.records, KeyType.DEK) == [KeyState.RETIRING, KeyState.ACTIVE]

    keystore.age(8)
    await managers[2].refresh()
    assert [turn.work for turn in await keep_up(managers[2], SCHEDULE)] == [Work.DESTROY]
    assert states(keystore.records, KeyType.DEK) == [KeyState.DESTROYED, KeyState.ACTIVE]
    for manager in managers:
        await manager.refresh()
        assert manager.keyring.opener(EMAIL.name, EMAIL.algorithm, "text")(sealed) == b"value"
        assert manager.problems == {}
        await manager.close()


async def test_a_key_whose_budget_runs_out_is_rotated_though_it_is_not_due() -> None:
    keystore = MemoryKeystore()
    manager = KeyManager(keystore, PROVIDER)
    await manager.create()
    await manager.ensure([EMAIL])
    (fek,) = [record for record in keystore.records if record.key_type is KeyType.FEK]
    await keystore.count({fek.id: ROTATE_AT})
    await manager.refresh()
    assert [turn.work for turn in await keep_up(manager, replace(SCHEDULE, automatic=False))] == [Work.FIELD]
    active = manager.keyring.active(EMAIL.name, EMAIL.algorithm)
    assert active is not None
    assert active.version == 2


@pytest.mark.parametrize("provider", [VersionedProvider(), CountingProvider()])
async def test_the_master_key_is_renewed_where_it_has_versions(provider: CountingProvider) -> None:
    keystore = MemoryKeystore()
    manager = KeyManager(keystore, provider)
    await manager.create()
    await manager.ensure([EMAIL])
    keystore.age(400)
    await manager.refresh()
    works = {turn.work for turn in await keep_up(manager, SCHEDULE)}
    assert (Work.MASTER in works) == isinstance(provider, VersionedProvider)
    assert await keep_up(manager, SCHEDULE) == []


async def test_a_key_that_does_not_open_does_not_hold_up_the_others() -> None:
    keystore = MemoryKeystore()
    manager = KeyManager(keystore, PROVIDER)
    await manager.create()
    await manager.ensure([EMAIL, OTHER])
    keystore.put(*(replace(r, key_hash=bytes(32)) for r in keystore.records if r.name == OTHER.dek))
    keystore.age(100)
    process = KeyManager(keystore, PROVIDER)
    await process.refresh()
    with pytest.raises(KeystoreError, match=r"'public\.others' version 1 does not open"):
        await keep_up(process, SCHEDULE)
    found = {(r.name, r.version): r.state for r in keystore.records}
    assert found[EMAIL.dek, 2] is found[EMAIL.name, 2] is KeyState.ACTIVE
    assert found[OTHER.dek, 1] is KeyState.ACTIVE


async def test_nothing_is_rotated_in_an_older_copy_of_a_keystore() -> None:
    """What is made there would be lost when the newest one is put back."""
    keystore = MemoryKeystore()
    manager = KeyManager(keystore, PROVIDER)
    await manager.create()
    await manager.ensure([EMAIL, OTHER])
    await manager.refresh()
    keystore.lose(*(record for record in keystore.records if record.name == OTHER.name))
    keystore.age(100)
    before = keystore.records
    await manager.refresh()
    assert await keep_up(manager, SCHEDULE) == []
    assert keystore.records is before


async def test_a_destroyed_data_key_is_not_asked_about() -> None:
    """The provider may not open it any more: it was wrapped by a master key that is gone."""
    keystore, old, new = MemoryKeystore(), PROVIDER, LocalProvider(bytes([1] * 32))
    manager = KeyManager(keystore, old, cache_ttl=0.01)
    await manager.create()
    await manager.ensure([EMAIL])
    rotator = manager.rotator()
    await rotator.table(EMAIL.dek)
    await manager.refresh()
    retired = [r.id for r in keystore.records if r.state is KeyState.RETIRING]
    await rotator.destroy_retired(retired)
    await exchange(keystore, old, new)
    follower = KeyManager(keystore, new, cache_ttl=0.01)
    await follower.refresh()
    await conclude(keystore, new, old)
    for _ in range(2):
        await asyncio.sleep(0.02)
        await follower.refresh()
        assert follower.trust.unready is None
    (dek,) = [r for r in keystore.records if r.id in retired]
    assert dek.encrypted_key is None
    assert "wrappings" not in dek.metadata


async def test_others_wait_their_turn() -> None:
    keystore = MemoryKeystore()
    async with alone_with(keystore):
        with pytest.raises(KeystoreError, match="another pgveil is at work"):
            async with alone_with(keystore, patience=0.2):
                pass
    async with alone_with(keystore, patience=0.2):
        pass
