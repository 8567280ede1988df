"""The key manager: makes each key once, keeps what it has through every outage, and counts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from crypto import manager as module
from crypto.envelope import SUITES
from crypto.errors import KeystoreError, KeystoreUnavailable, ProviderUnavailable
from crypto.hierarchy import DataKey
from crypto.keyring import FieldKey
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord
from crypto.manager import KeyManager, KeyNeed
from crypto.nonces import BLOCK, FIRST, WARN_AT
from tests.crypto.stores import CountingProvider, MemoryKeystore

EMAIL = KeyNeed("public.users.email", "public.users", "aes-256-gcm")
PHONE = KeyNeed("public.users.phone", "public.users", "aes-siv")
QUERY = KeyNeed("public.conversations.user_query", "public.conversations", "chacha20-poly1305")


@pytest.fixture
async def keystore() -> MemoryKeystore:
    """A keystore that was set up for the provider's master key."""
    keystore = MemoryKeystore()
    await KeyManager(keystore, CountingProvider()).create()
    return keystore


def new_manager(keystore: MemoryKeystore, provider: CountingProvider | None = None) -> KeyManager:
    return KeyManager(keystore, provider or CountingProvider())


def active(manager: KeyManager, need: KeyNeed) -> FieldKey:
    key = manager.keyring.active(need.name, need.algorithm)
    assert key is not None
    return key


def of(keystore: MemoryKeystore, key_type: KeyType) -> list[KeyRecord]:
    return [record for record in keystore.records if record.key_type is key_type]


def counts(keystore: MemoryKeystore) -> dict[str, int]:
    return {record.name: record.encryptions for record in of(keystore, KeyType.FEK)}


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  nobody sets an event when a log line is written
            await asyncio.sleep(0.01)


async def test_missing_keys_are_made_once_and_kept(keystore: MemoryKeystore) -> None:
    manager = new_manager(keystore)
    assert len(await manager.load()) == 0
    ring = await manager.ensure([EMAIL, PHONE, QUERY, EMAIL])
    assert ring is manager.keyring
    assert len(ring) == 3
    assert sorted(record.name for record in of(keystore, KeyType.DEK)) == [QUERY.dek, EMAIL.dek]
    before = keystore.records
    assert await manager.ensure([EMAIL, PHONE]) is ring
    assert keystore.records is before
    await manager.close()


async def test_what_one_process_seals_another_opens(keystore: MemoryKeystore) -> None:
    one, other = new_manager(keystore), new_manager(keystore)
    await one.ensure([EMAIL, PHONE, QUERY])
    await other.load()
    for need in (EMAIL, PHONE, QUERY):
        sealed = active(one, need).sealer("text")(b"value")
        assert other.keyring.opener(need.name, need.algorithm, "text")(sealed) == b"value"
    await other.close()


async def test_many_processes_that_need_a_key_at_once_make_one(keystore: MemoryKeystore) -> None:
    managers = [new_manager(keystore) for _ in range(8)]
    await asyncio.gather(*(manager.ensure([EMAIL, QUERY]) for manager in managers for _ in range(2)))
    assert len(of(keystore, KeyType.FEK)) == len(of(keystore, KeyType.DEK)) == 2
    assert len({active(manager, EMAIL).id for manager in managers}) == 1


async def test_another_algorithm_of_a_name_is_another_version(keystore: MemoryKeystore) -> None:
    manager = new_manager(keystore)
    ring = await manager.ensure([replace(EMAIL, algorithm=algorithm) for algorithm in SUITES])
    versions = sorted(key.version for algorithm in SUITES for key in ring.versions(EMAIL.name, algorithm))
    assert versions == list(range(1, len(SUITES) + 1))
    assert len(of(keystore, KeyType.DEK)) == 1


async def test_a_refresh_brings_in_keys_of_others_and_keeps_its_own(keystore: MemoryKeystore) -> None:
    one, other = new_manager(keystore), new_manager(keystore)
    before = await one.ensure([EMAIL])
    seal = active(one, EMAIL).sealer("text")
    await other.ensure([PHONE])
    after = await one.refresh()
    assert (len(before), len(after)) == (1, 2)
    assert active(one, EMAIL).sealer("text") is seal


async def test_states_follow_the_keystore(keystore: MemoryKeystore) -> None:
    manager = new_manager(keystore)
    await manager.ensure([EMAIL])
    sealed = active(manager, EMAIL).sealer("text")(b"value")
    (fek,) = of(keystore, KeyType.FEK)
    keystore.put(retiring := fek.advanced(KeyState.RETIRING))
    ring = await manager.refresh()
    assert ring.active(EMAIL.name, EMAIL.algorithm) is None
    assert ring.opener(EMAIL.name, EMAIL.algorithm, "text")(sealed) == b"value"
    await manager.ensure([EMAIL])  # its next version
    assert active(manager, EMAIL).version == 2
    keystore.put(retiring.advanced(KeyState.DESTROYED))
    assert (await manager.refresh()).find(fek.short_id) is None


async def test_a_cached_key_asks_the_provider_for_nothing(keystore: MemoryKeystore) -> None:
    await new_manager(keystore).ensure([EMAIL, PHONE, QUERY])
    provider = CountingProvider()
    manager = new_manager(keystore, provider)
    await manager.load()
    assert provider.asked == 2  # a DEK for each table
    for _ in range(3):
        await manager.refresh()
    assert provider.asked == 2
    await manager.close()


async def test_an_outage_of_the_provider_stops_no_key_that_is_open(keystore: MemoryKeystore) -> None:
    provider = CountingProvider()
    manager = new_manager(keystore, provider)
    await manager.ensure([EMAIL])
    provider.away = True
    assert len(await manager.refresh()) == 1
    assert len(await manager.ensure([PHONE])) == 2  # its DEK is open
    with pytest.raises(ProviderUnavailable):
        await manager.ensure([QUERY])  # needs a DEK of its own
    await new_manager(keystore).ensure([QUERY])  # a process that reaches the provider makes it
    with pytest.raises(ProviderUnavailable):
        await manager.refresh()
    assert active(manager, EMAIL).opener("text")(active(manager, EMAIL).sealer("text")(b"v")) == b"v"
    assert manager.keyring.active(QUERY.name, QUERY.algorithm) is None
    provider.away = False
    await manager.refresh()
    assert active(manager, QUERY)
    assert manager.problems == {}


async def test_keys_that_can_be_had_are_had_although_others_cannot(keystore: MemoryKeystore) -> None:
    provider = CountingProvider()
    manager = new_manager(keystore, provider)
    await manager.ensure([EMAIL])
    other = new_manager(keystore)
    await other.ensure([QUERY, PHONE])
    provider.away = True
    assert len(await manager.ensure([PHONE])) == 2


async def test_an_outage_of_the_keystore_stops_no_key_that_is_open(keystore: MemoryKeystore) -> None:
    manager = new_manager(keystore)
    ring = await manager.ensure([EMAIL])
    keystore.away = True
    for work in (manager.refresh(), manager.ensure([PHONE])):
        with pytest.raises(KeystoreUnavailable):
            await work
    assert await manager.ensure([EMAIL]) is manager.keyring is ring


async def test_keys_that_nobody_vouches_for_are_let_go_of_after_the_grace(keystore: MemoryKeystore) -> None:
    """The provider denies what it allowed before: keys go on for cache_ttl and grace, and come back."""
    provider = CountingProvider()
    manager = KeyManager(keystore, provider, cache_ttl=0.02, grace=0.1)
    await manager.ensure([EMAIL])
    sealed = active(manager, EMAIL).sealer("text")(b"value")
    await manager.load()
    provider.away = True
    await eventually(lambda: manager.outage is not None)
    assert manager.keyring.opener(EMAIL.name, EMAIL.algorithm, "text")(sealed) == b"value"
    await eventually(lambda: len(manager.keyring) == 0)
    with pytest.raises(ProviderUnavailable):
        await manager.ensure([EMAIL])
    provider.away = False
    await manager.ensure([EMAIL])
    assert manager.keyring.opener(EMAIL.name, EMAIL.algorithm, "text")(sealed) == b"value"
    await eventually(lambda: manager.outage is None)
    await manager.close()


async def test_what_was_counted_survives_keys_that_were_let_go_of(keystore: MemoryKeystore) -> None:
    provider = CountingProvider()
    manager = KeyManager(keystore, provider, cache_ttl=0.02, grace=0.05)
    await manager.ensure([EMAIL])
    await manager.load()
    active(manager, EMAIL).sealer("text")(b"value")
    provider.away = True
    await eventually(lambda: len(manager.keyring) == 0)
    assert [record.encryptions for record in of(keystore, KeyType.FEK)] == [BLOCK]
    await manager.close()


async def test_a_start_without_the_provider_waits_for_it(keystore: MemoryKeystore) -> None:
    await new_manager(keystore).ensure([EMAIL])
    provider = CountingProvider()
    provider.away = True
    manager = KeyManager(keystore, provider, cache_ttl=0.02)
    with pytest.raises(ProviderUnavailable):
        await manager.load()
    assert len(await manager.load(patient=True)) == 0
    provider.away = False
    await eventually(lambda: len(manager.keyring) == 1)
    await manager.close()


async def test_a_change_of_others_is_taken_over_when_the_keystore_tells_of_it(
    keystore: MemoryKeystore,
) -> None:
    manager = new_manager(keystore)
    await manager.load()
    await new_manager(keystore).ensure([EMAIL])
    await eventually(lambda: len(manager.keyring) == 1)
    await manager.close()


async def test_no_more_keys_are_open_than_may_be(keystore: MemoryKeystore) -> None:
    """Ten fields, three open keys: each is opened when it is asked for, by a writer or by an envelope."""
    needs = [KeyNeed(f"public.t.c{number}", "public.t", "aes-256-gcm") for number in range(10)]
    every = new_manager(keystore)
    await every.ensure(needs)
    manager = KeyManager(keystore, CountingProvider(), cache_size=3)
    assert len(await manager.refresh()) == 3
    for need in (*needs, *reversed(needs)):
        await manager.ensure([need])
        assert active(manager, need)
        assert len(manager.keyring) == 3
    for need in needs:
        key = await manager.look_up(active(every, need).id)
        assert key is not None
        assert key.name == need.name
        assert len(manager.keyring) == 3
    assert {need.name for need in needs[-3:]} == {
        name for name in (need.name for need in needs) if manager.keyring.active(name, "aes-256-gcm")
    }
    assert len(of(keystore, KeyType.FEK)) == 10


async def test_upkeep_goes_on_through_an_outage(
    keystore: MemoryKeystore, caplog: pytest.LogCaptureFixture
) -> None:
    manager = KeyManager(keystore, CountingProvider(), cache_ttl=0.02)
    await manager.load()
    keystore.away = True
    await eventually(lambda: "keys could not be read again" in caplog.text)
    keystore.away = False
    await new_manager(keystore).ensure([EMAIL])
    await eventually(lambda: len(manager.keyring) == 1)
    await manager.close()


async def test_upkeep_survives_what_nobody_foresaw_and_tells_no_details(
    keystore: MemoryKeystore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = KeyManager(keystore, CountingProvider(), cache_ttl=0.02)
    await manager.load()

    async def fail() -> None:
        raise RuntimeError("SECRET")

    with monkeypatch.context() as patch:
        patch.setattr(keystore, "read", fail)
        await eventually(lambda: "RuntimeError" in caplog.text)
    await new_manager(keystore).ensure([EMAIL])
    await eventually(lambda: len(manager.keyring) == 1)
    assert "SECRET" not in caplog.text
    await manager.close()


async def test_an_altered_record_is_left_out_and_never_replaced(
    keystore: MemoryKeystore, caplog: pytest.LogCaptureFixture
) -> None:
    await new_manager(keystore).ensure([EMAIL, PHONE])
    email = next(record for record in of(keystore, KeyType.FEK) if record.name == EMAIL.name)
    keystore.put(replace(email, encrypted_key=b"\x01" + bytes(60)))
    manager = new_manager(keystore)
    for _ in range(2):
        assert len(await manager.refresh()) == 1
    assert list(manager.problems) == [email.id]
    assert caplog.text.count("fek 'public.users.email' version 1 does not open") == 1
    before = keystore.records
    with pytest.raises(KeystoreError, match=r"key of 'public\.users\.email' does not open"):
        await manager.ensure([EMAIL])
    assert keystore.records == before


async def test_swapped_rows_do_not_open(keystore: MemoryKeystore) -> None:
    """An administrator of the database gives one field's key to another."""
    await new_manager(keystore).ensure([EMAIL, replace(EMAIL, name="public.users.name")])
    one, other = of(keystore, KeyType.FEK)
    keystore.put(
        replace(one, encrypted_key=other.encrypted_key, key_hash=other.key_hash),
        replace(other, encrypted_key=one.encrypted_key, key_hash=one.key_hash),
    )
    manager = new_manager(keystore)
    await manager.refresh()
    assert set(manager.problems) == {one.id, other.id}


async def test_an_altered_dek_takes_its_feks_with_it_and_no_others(keystore: MemoryKeystore) -> None:
    await new_manager(keystore).ensure([EMAIL, PHONE, QUERY])
    dek = next(record for record in of(keystore, KeyType.DEK) if record.name == EMAIL.dek)
    keystore.put(replace(dek, name="public.others"))
    manager = new_manager(keystore)
    assert len(await manager.refresh()) == 1
    assert len(manager.problems) == 3


async def test_an_algorithm_of_a_later_version_is_left_out(keystore: MemoryKeystore) -> None:
    await new_manager(keystore).ensure([EMAIL, PHONE])
    (fek, _) = of(keystore, KeyType.FEK)
    keystore.put(replace(fek, algorithm="aes-512-xyz"))
    manager = new_manager(keystore)
    assert len(await manager.refresh()) == 1
    assert "is of a later pgveil" in manager.problems[fek.id]


async def test_two_records_of_one_short_id_are_an_error(keystore: MemoryKeystore) -> None:
    """Nobody can make such a row that also opens, which is why the test has to put the key in by hand."""
    manager = new_manager(keystore)
    ring = await manager.ensure([EMAIL, PHONE])
    email, phone = of(keystore, KeyType.FEK)
    twin = FieldKey(email.short_id, PHONE.name, "aes-siv", 1, KeyState.ACTIVE, bytes(64))
    manager._keys._field_keys[phone.id] = (phone, twin)
    with pytest.raises(KeystoreError, match="two keys have the id"):
        await manager.refresh()
    assert manager.keyring is ring


async def test_another_master_key_is_told_apart_at_once(keystore: MemoryKeystore) -> None:
    other = new_manager(keystore, CountingProvider(bytes([1]) * 32))
    for work in (other.load(), other.create(), other.ensure([EMAIL])):
        with pytest.raises(KeystoreError, match=r"memory: belongs to master key local:\w+, not to local:\w+"):
            await work


async def test_a_keystore_that_was_not_set_up() -> None:
    manager = new_manager(MemoryKeystore())
    with pytest.raises(KeystoreError, match="not set up: run pgveil keys init"):
        await manager.load()
    with pytest.raises(KeystoreError, match="not set up"):
        await manager.ensure([EMAIL])


async def test_creating_twice_makes_one_reference(keystore: MemoryKeystore) -> None:
    await new_manager(keystore).create()
    assert [record.name for record in keystore.records] == [CountingProvider().reference]


async def test_an_unknown_key_is_looked_up_but_not_at_everybodys_whim(
    keystore: MemoryKeystore, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = new_manager(keystore)
    await manager.refresh()
    other = new_manager(keystore)
    await other.ensure([EMAIL])
    key = await manager.look_up(active(other, EMAIL).id)
    assert key is not None
    assert key.name == EMAIL.name
    reads = keystore.reads
    monkeypatch.setattr(module, "LOOK_UP_INTERVAL", 0.2)
    made_up = (number.to_bytes(4, "big") for number in range(100))
    assert set(await asyncio.gather(*map(manager.look_up, made_up))) == {None}
    assert keystore.reads <= reads + 1


async def test_encryptions_are_counted_before_they_are_made_and_what_is_left_is_given_back(
    keystore: MemoryKeystore,
) -> None:
    one, other = new_manager(keystore), new_manager(keystore)
    await one.ensure([EMAIL, PHONE])
    await other.load()
    assert counts(keystore) == {EMAIL.name: 2 * FIRST, PHONE.name: 0}  # a deterministic key has no budget
    for _ in range(BLOCK + 1):
        active(one, EMAIL).sealer("text")(b"value")
    active(other, EMAIL).sealer("text")(b"value")
    active(one, PHONE).sealer("text")(b"value")
    assert counts(keystore) == {EMAIL.name: 2 * FIRST, PHONE.name: 0}
    await one.close()
    await other.close()
    assert counts(keystore) == {EMAIL.name: 3 * BLOCK, PHONE.name: 0}


async def test_a_crash_counts_too_many_and_never_too_few(keystore: MemoryKeystore) -> None:
    crashed, used = new_manager(keystore), 5 * FIRST
    await crashed.load()
    await crashed.ensure([EMAIL])
    for _ in range(used):
        active(crashed, EMAIL).sealer("text")(b"value")
        await asyncio.sleep(0)
    assert counts(keystore)[EMAIL.name] >= used


async def test_counts_survive_an_outage_of_the_keystore(keystore: MemoryKeystore) -> None:
    manager = new_manager(keystore)
    await manager.ensure([EMAIL])
    keystore.away = True
    for _ in range(2 * FIRST):
        active(manager, EMAIL).sealer("text")(b"value")
    assert not await manager.reserve()
    keystore.away = False
    assert await manager.reserve()
    assert counts(keystore)[EMAIL.name] > 2 * FIRST
    await manager.close()
    assert counts(keystore)[EMAIL.name] == 2 * FIRST


async def test_debts_of_keys_that_were_let_go_of_are_counted(keystore: MemoryKeystore) -> None:
    manager = KeyManager(keystore, CountingProvider(), cache_ttl=0.01, grace=0)
    await manager.load()
    await manager.ensure([EMAIL])
    keystore.away = True
    for _ in range(2 * FIRST):
        active(manager, EMAIL).sealer("text")(b"value")
    await eventually(lambda: len(manager.keyring) == 0)
    keystore.away = False
    await eventually(lambda: len(manager.keyring) == 1)
    await manager.close()
    assert counts(keystore)[EMAIL.name] >= 2 * FIRST


async def test_a_key_near_its_end_is_warned_of(
    keystore: MemoryKeystore, caplog: pytest.LogCaptureFixture
) -> None:
    await new_manager(keystore).ensure([EMAIL])
    (fek,) = of(keystore, KeyType.FEK)
    keystore.put(fek.counted(WARN_AT))
    await new_manager(keystore).load()
    told = f"fek {EMAIL.name!r} version 1 has encrypted {WARN_AT + 2 * FIRST} values: it needs a new version"
    assert told in caplog.text


async def test_close_without_load_and_after_an_outage(
    keystore: MemoryKeystore, caplog: pytest.LogCaptureFixture
) -> None:
    manager = new_manager(keystore)
    await manager.ensure([EMAIL])
    active(manager, EMAIL).sealer("text")(b"value")
    keystore.away = True
    await manager.close()
    assert "the last encryptions could not be counted" in caplog.text
    assert active(manager, EMAIL)


async def test_no_key_in_the_log_or_in_repr(
    keystore: MemoryKeystore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bytes] = []
    create = DataKey.create

    def spy(self: DataKey, record: KeyRecord) -> tuple[KeyRecord, bytes]:
        made.append((result := create(self, record))[1])
        return result

    monkeypatch.setattr(DataKey, "create", spy)
    caplog.set_level(logging.DEBUG)
    manager = new_manager(keystore)
    await manager.load()
    await manager.ensure([EMAIL, PHONE])
    await manager.close()
    assert len(made) == 2
    shown = caplog.text + repr(manager) + repr(manager.keyring) + repr(active(manager, EMAIL))
    for key in made:
        assert repr(key)[2:-1] not in shown
        assert key.hex() not in shown


def test_a_cache_that_lives_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        KeyManager(MemoryKeystore(), CountingProvider(), cache_ttl=0)
