"""New versions of field keys and data keys: old values open, new ones have the new key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from crypto.envelope import key_id
from crypto.errors import KeystoreError, ProviderUnavailable
from crypto.events import KeyEvent
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord
from crypto.manager import KeyManager, KeyNeed
from crypto.rotation import FieldVersion, Rotator
from tests.crypto.stores import CountingProvider, MemoryKeystore

EMAIL = KeyNeed("public.users.email", "public.users", "aes-256-gcm")
PHONE = KeyNeed("public.users.phone", "public.users", "aes-siv")
EMAIL_KEY = FieldVersion(EMAIL.name, EMAIL.algorithm)
PHONE_KEY = FieldVersion(PHONE.name, PHONE.algorithm)


@pytest.fixture
def keystore() -> MemoryKeystore:
    return MemoryKeystore()


@pytest.fixture
async def manager(keystore: MemoryKeystore) -> AsyncIterator[KeyManager]:
    """A running process that holds a randomized and a deterministic key."""
    manager = KeyManager(keystore, CountingProvider())
    await manager.create()
    await manager.ensure([EMAIL, PHONE])
    await manager.load()
    yield manager
    await manager.close()


def rotator(keystore: MemoryKeystore, provider: CountingProvider | None = None) -> Rotator:
    return Rotator(keystore, provider or CountingProvider(), settle=0)


def seal(manager: KeyManager, need: KeyNeed, value: bytes = b"value") -> bytes:
    key = manager.keyring.active(need.name, need.algorithm)
    assert key is not None
    return key.sealer("text")(value)


def opened(manager: KeyManager, need: KeyNeed, sealed: bytes) -> bytes:
    return manager.keyring.opener(need.name, need.algorithm, "text")(sealed)


def states(keystore: MemoryKeystore, name: str) -> dict[int, KeyState]:
    return {record.version: record.state for record in keystore.records if record.name == name}


async def follow(manager: KeyManager, version: int) -> None:
    """Until a running process encrypts by this version, of which nobody told it but the keystore."""
    async with asyncio.timeout(10):
        while (key := manager.keyring.active(EMAIL.name, EMAIL.algorithm)) is None or key.version != version:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_running_process_goes_on_with_the_new_version(
    keystore: MemoryKeystore, manager: KeyManager
) -> None:
    before = seal(manager, EMAIL)
    made = await rotator(keystore).field(EMAIL_KEY)
    await follow(manager, 2)
    after = seal(manager, EMAIL)
    assert key_id(after) == made.short_id != key_id(before)
    assert opened(manager, EMAIL, before) == opened(manager, EMAIL, after) == b"value"
    assert states(keystore, EMAIL.name) == {1: KeyState.RETIRING, 2: KeyState.ACTIVE}


async def test_a_deterministic_key_stays_the_active_one(
    keystore: MemoryKeystore, manager: KeyManager
) -> None:
    """Its new version waits for the values to move; lookups find what they found before."""
    before = seal(manager, PHONE)
    for _ in range(2):
        made = await rotator(keystore).field(PHONE_KEY)
        assert (made.version, made.state) == (2, KeyState.PENDING)
    await manager.refresh()
    assert seal(manager, PHONE) == before
    assert states(keystore, PHONE.name) == {1: KeyState.ACTIVE, 2: KeyState.PENDING}


async def test_a_rotation_that_was_killed_between_its_steps_is_finished_by_the_next(
    keystore: MemoryKeystore, manager: KeyManager
) -> None:
    killed = rotator(keystore)
    await keystore.update(killed.begin(EMAIL_KEY))
    await manager.refresh()
    assert key_id(seal(manager, EMAIL)) == next(
        record.short_id for record in keystore.records if record.name == EMAIL.name and record.version == 1
    )
    await rotator(keystore).field(EMAIL_KEY)
    assert states(keystore, EMAIL.name) == {1: KeyState.RETIRING, 2: KeyState.ACTIVE}
    await keystore.update(killed.activate(EMAIL_KEY))  # the last step twice changes nothing
    assert states(keystore, EMAIL.name) == {1: KeyState.RETIRING, 2: KeyState.ACTIVE}


async def test_a_new_data_key_takes_over_every_field_key(
    keystore: MemoryKeystore, manager: KeyManager
) -> None:
    before = {need: seal(manager, need) for need in (EMAIL, PHONE)}
    counted = [record.rotation_count for record in keystore.records if record.key_type is KeyType.FEK]
    dek = await rotator(keystore).table(EMAIL.dek)
    feks = [record for record in keystore.records if record.key_type is KeyType.FEK]
    assert {fek.parent_id for fek in feks} == {dek.id}
    assert [fek.rotation_count for fek in feks] == [count + 1 for count in counted]
    assert states(keystore, EMAIL.dek) == {1: KeyState.RETIRING, 2: KeyState.ACTIVE}
    for process in (manager, KeyManager(keystore, CountingProvider())):
        await process.refresh()
        assert process.problems == {}
        assert [opened(process, need, sealed) for need, sealed in before.items()] == [b"value"] * 2
        assert key_id(seal(process, EMAIL)) == key_id(before[EMAIL])
        assert seal(process, PHONE) == before[PHONE]


async def test_counts_go_on_when_a_key_is_wrapped_anew(keystore: MemoryKeystore, manager: KeyManager) -> None:
    seal(manager, EMAIL)
    key = manager.keyring.active(EMAIL.name, EMAIL.algorithm)
    assert key is not None
    assert key.nonces is not None
    left = key.nonces.left
    await rotator(keystore).table(EMAIL.dek)
    await manager.refresh()
    again = manager.keyring.active(EMAIL.name, EMAIL.algorithm)
    assert again is not None
    assert again.nonces is key.nonces
    assert again.nonces.left == left > 0


async def test_in_an_emergency_nothing_new_comes_from_the_old_keys(
    keystore: MemoryKeystore, manager: KeyManager
) -> None:
    made = await rotator(keystore).field(EMAIL_KEY, compromised=True)
    deks = {record.version: record for record in keystore.records if record.name == EMAIL.dek}
    assert made.parent_id == deks[2].id
    marked = {(r.name, r.version) for r in keystore.records if r.metadata.get("compromised")}
    assert marked == {(EMAIL.dek, 1), (EMAIL.name, 1)}
    before = seal(manager, EMAIL)
    await manager.refresh()
    assert opened(manager, EMAIL, before) == b"value"


async def test_what_cannot_be_rotated_changes_nothing(keystore: MemoryKeystore, manager: KeyManager) -> None:
    records = keystore.records
    with pytest.raises(KeystoreError, match=r"'public\.users\.none' has no active key"):
        await rotator(keystore).field(FieldVersion("public.users.none", "aes-siv"))
    with pytest.raises(KeystoreError, match=r"'public\.none' has no data key"):
        await rotator(keystore).table("public.none")
    away = CountingProvider()
    away.away = True
    with pytest.raises(ProviderUnavailable):
        await rotator(keystore, away).field(EMAIL_KEY)
    with pytest.raises(ProviderUnavailable):
        await rotator(keystore, away).table(EMAIL.dek)
    assert keystore.records == records


async def test_two_that_rotate_at_once_make_one_version_each_or_share_one(
    keystore: MemoryKeystore, manager: KeyManager
) -> None:
    await asyncio.gather(*(rotator(keystore).field(EMAIL_KEY) for _ in range(4)))
    found = states(keystore, EMAIL.name)
    assert list(found.values()).count(KeyState.ACTIVE) == 1
    assert KeyState.PENDING not in found.values()
    assert await KeyManager(keystore, CountingProvider()).refresh()


async def test_every_step_is_told(keystore: MemoryKeystore, manager: KeyManager) -> None:
    told: list[tuple[KeyEvent, str, KeyState]] = []

    def observe(event: KeyEvent, record: KeyRecord | None, details: object) -> None:
        assert record is not None
        told.append((event, record.name, record.state))

    await Rotator(keystore, CountingProvider(), observe=observe, settle=0).field(EMAIL_KEY)
    assert told == [
        (KeyEvent.MADE, EMAIL.name, KeyState.PENDING),
        (KeyEvent.STATE, EMAIL.name, KeyState.RETIRING),
        (KeyEvent.STATE, EMAIL.name, KeyState.ACTIVE),
    ]
