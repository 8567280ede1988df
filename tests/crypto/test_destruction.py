"""A key is destroyed in steps: nobody seals with it, nothing is under it, then it is gone for everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from crypto.destruction import Doomed, destroy
from crypto.envelope import key_id
from crypto.errors import DecryptionError, DestroyedKey, KeystoreError, UnknownKey
from crypto.events import KeyEvent
from crypto.keyset import KeyState
from crypto.keystore import KeyRecord
from crypto.manager import KeyManager
from tests.crypto.exports import EMAIL, NEEDS, PHONE, QUERY, Site, lived_in


async def nothing_is_under_it(keys: list[KeyRecord]) -> None:
    """What looks for rows, and finds none."""


def states(site: Site, name: str) -> list[KeyState]:
    return [record.state for (known, _), record in sorted(site.keys().items()) if known == name]


def opening(manager: KeyManager, sealed: bytes) -> Callable[[], bytes]:
    ring = manager.keyring
    return lambda: ring.opener(EMAIL.name, EMAIL.algorithm, "text")(sealed)


async def test_every_version_of_a_field_is_gone_and_no_other_key() -> None:
    site = await lived_in()
    gone = await destroy(site.keystore, Doomed(EMAIL.name), nothing_is_under_it, settle=0)
    assert [record.version for record in gone] == [1, 2]
    assert states(site, EMAIL.name) == [KeyState.DESTROYED] * 2
    for record in gone:
        assert record.encrypted_key is None
        assert record.metadata["destroyed_at"]
    assert await site.reads({need: values for need, values in site.values.items() if need != EMAIL})


async def test_a_running_process_drops_it_and_says_so() -> None:
    site = await lived_in()
    manager = site.manager
    await manager.load()
    sealed = site.values[EMAIL][0]
    assert opening(manager, sealed)() == b"value"
    await destroy(site.keystore, Doomed(EMAIL.name), nothing_is_under_it, settle=0)
    async with asyncio.timeout(10):
        while manager.keyring.find(key_id(sealed)) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    with pytest.raises(DestroyedKey) as told:
        opening(manager, sealed)()
    assert told.value.destroyed_at == site.keys()[EMAIL.name, 1].metadata["destroyed_at"]
    with pytest.raises(DecryptionError) as other:
        manager.keyring.opener(PHONE.name, PHONE.algorithm, "text")(sealed)
    assert type(other.value) is DecryptionError  # another field is told nothing
    with pytest.raises(UnknownKey):
        opening(manager, sealed[:5] + bytes(4) + sealed[9:])()
    await manager.close()


async def test_a_field_that_is_written_again_gets_a_new_key() -> None:
    site = await lived_in()
    await destroy(site.keystore, Doomed(PHONE.name), nothing_is_under_it, settle=0)
    before = site.values.pop(PHONE)
    await site.write()
    assert states(site, PHONE.name) == [KeyState.DESTROYED, KeyState.ACTIVE]
    assert key_id(site.values[PHONE][0]) != key_id(before[0])
    assert await site.reads({PHONE: site.values[PHONE]})


async def test_one_version_only() -> None:
    site = await lived_in()
    await destroy(site.keystore, Doomed(EMAIL.name, 1), nothing_is_under_it, settle=0)
    assert states(site, EMAIL.name) == [KeyState.DESTROYED, KeyState.ACTIVE]
    assert await site.reads({EMAIL: site.values[EMAIL][1:]})


async def test_rows_keep_it_before_anything_changes() -> None:
    site = await lived_in()
    before = site.keystore.records

    async def rows_exist(keys: list[KeyRecord]) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await destroy(site.keystore, Doomed(EMAIL.name), rows_exist, settle=0)
    assert site.keystore.records == before


async def test_rows_that_come_while_it_is_destroyed_keep_it_too() -> None:
    site = await lived_in()
    asked: list[KeyState] = []

    async def a_row_comes(keys: list[KeyRecord]) -> None:
        asked.append(site.keys()[QUERY.name, 1].state)
        if len(asked) > 1:
            raise LookupError

    with pytest.raises(LookupError):
        await destroy(site.keystore, Doomed(QUERY.name), a_row_comes, settle=0)
    assert asked == [KeyState.ACTIVE, KeyState.RETIRING]
    assert await site.reads(site.values)  # and the next value is sealed with a new version
    await destroy(site.keystore, Doomed(QUERY.name), nothing_is_under_it, settle=0)


async def test_killed_between_its_steps_it_is_finished_by_the_next() -> None:
    site = await lived_in()
    before = site.keystore.records

    class Killed(Exception):
        pass

    for step in range(2):
        site.keystore.records = before
        updates = site.keystore.update
        done = 0

        async def dies(change: object, step: int = step) -> object:
            nonlocal done
            if done == step:
                raise Killed
            done += 1
            return await updates(change)  # type: ignore[arg-type]  # noqa: B023

        site.keystore.update = dies  # type: ignore[method-assign, assignment]
        with pytest.raises(Killed):
            await destroy(site.keystore, Doomed(QUERY.name), nothing_is_under_it, settle=0)
        site.keystore.update = updates  # type: ignore[method-assign]
        assert await site.reads(site.values)
        await destroy(site.keystore, Doomed(QUERY.name), nothing_is_under_it, settle=0)
        assert states(site, QUERY.name) == [KeyState.DESTROYED]


async def test_what_is_not_there_cannot_be_destroyed() -> None:
    site = await lived_in()
    await destroy(site.keystore, Doomed(QUERY.name), nothing_is_under_it, settle=0)
    for doomed in (Doomed(QUERY.name), Doomed("public.users.none"), Doomed(EMAIL.name, 7)):
        with pytest.raises(KeystoreError, match=r"^memory: has no key of '"):
            await destroy(site.keystore, doomed, nothing_is_under_it, settle=0)


async def test_every_step_is_told() -> None:
    site = await lived_in()
    told: list[tuple[KeyEvent, int, KeyState]] = []

    def observe(event: KeyEvent, record: KeyRecord | None, details: object) -> None:
        assert record is not None
        told.append((event, record.version, record.state))

    await destroy(site.keystore, Doomed(QUERY.name), nothing_is_under_it, settle=0, observe=observe)
    assert told == [(KeyEvent.STATE, 1, KeyState.RETIRING), (KeyEvent.STATE, 1, KeyState.DESTROYED)]
    assert {need.name for need in NEEDS} > {QUERY.name}
