"""Keys of an export in a keystore: under another master key, whole, and never over what is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crypto.canary import canary_of
from crypto.errors import KeystoreError, ProviderUnavailable
from crypto.events import KeyEvent
from crypto.key_check import verify
from crypto.key_import import Imported, restore
from crypto.keyset import KeyType
from crypto.keystore import KeyRecord, Keystore
from crypto.keystore_file import FileKeystore
from crypto.keystore_table import TableKeystore
from crypto.manager import KeyManager
from crypto.plain_keys import PlainKey, gather
from crypto.rotation import FieldVersion, Rotator
from tests.crypto.exports import EMAIL, NEEDS, NEW, QUERY, Site, lived_in
from tests.crypto.stores import CountingProvider
from tests.postgres import Database


async def test_an_empty_keystore_under_another_master_key_reads_every_value() -> None:
    old, new = await lived_in(), await Site(provider=NEW).begin()
    done = await restore(new.keystore, NEW, await old.exported())
    assert done == Imported(added=7, present=0, advanced=0)
    assert await new.reads(old.values)
    for name, before in old.keys().items():
        after = new.keys()[name]
        for attribute in ("id", "version", "state", "algorithm", "created_at", "metadata", "rotation_count"):
            assert getattr(after, attribute) == getattr(before, attribute), attribute
    await new.write()
    assert await new.reads(new.values)


@pytest.mark.parametrize("kind", ["file", "table"])
async def test_into_a_real_keystore(kind: str, tmp_path: Path, database18: Database) -> None:
    old = await lived_in()
    old.destroy(QUERY.name)
    keystore: Keystore = (
        FileKeystore(tmp_path / "keystore.json", NEW) if kind == "file" else TableKeystore(database18.dsn)
    )
    manager = KeyManager(keystore, NEW)
    await manager.create()
    keys = await old.exported()
    for _ in range(2):
        await restore(keystore, NEW, keys)
    assert {key.record.id: key for key in await gather(await keystore.read(), NEW, "")} == {
        key.record.id: replace(key, record=replace(key.record, parent_id=_parent(key, await keystore.read())))
        for key in keys
    }
    assert (await verify(keystore, NEW)).problems == ()
    await manager.close()


def _parent(key: PlainKey, records: tuple[KeyRecord, ...]) -> object:
    """A DEK has a new parent: the master key that wraps it now."""
    masters = [record.id for record in records if record.key_type is KeyType.MASTER]
    return masters[0] if key.record.key_type is KeyType.DEK else key.record.parent_id


async def test_the_same_once_more_changes_nothing() -> None:
    site = await lived_in()
    before = site.keystore.records
    done = await restore(site.keystore, site.provider, await site.exported())
    assert (done, site.keystore.records) == (Imported(added=0, present=7, advanced=0), before)


async def test_a_keystore_that_went_on_keeps_what_is_newer() -> None:
    site = await lived_in()
    keys = await site.exported()
    await Rotator(site.keystore, site.provider, settle=0).field(FieldVersion(EMAIL.name, EMAIL.algorithm))
    await Rotator(site.keystore, site.provider, settle=0).table(EMAIL.dek)
    site.destroy(QUERY.name)
    before = site.keystore.records
    assert await restore(site.keystore, site.provider, keys) == Imported(added=0, present=7, advanced=0)
    assert site.keystore.records == before


async def test_an_older_copy_of_the_keystore_catches_up() -> None:
    site = await lived_in()
    copy = site.keystore.records
    await Rotator(site.keystore, site.provider, settle=0).field(FieldVersion(EMAIL.name, EMAIL.algorithm))
    await site.write()
    keys, newest = await site.exported(), site.keys()
    site.keystore.records = copy
    assert await restore(site.keystore, site.provider, keys) == Imported(added=1, present=7, advanced=1)
    assert {name: record.state for name, record in site.keys().items()} == {
        name: record.state for name, record in newest.items()
    }
    assert await site.reads(site.values)


async def test_an_import_destroys_nothing() -> None:
    site = await lived_in()
    copy = site.keystore.records
    site.destroy(EMAIL.name)
    keys = await site.exported()
    site.keystore.records = copy
    await restore(site.keystore, site.provider, keys)
    assert site.keystore.records == copy


async def test_another_key_under_the_same_id_is_refused() -> None:
    site, other = await lived_in(), await lived_in()
    keys = await site.exported()
    strange = [
        replace(mine, key=theirs.key) for mine, theirs in zip(keys, await other.exported(), strict=True)
    ]
    before = site.keystore.records
    for key in strange:
        bare = replace(key, record=replace(key.record, metadata={}))
        with pytest.raises(KeystoreError, match="with another content than in the export"):
            await restore(site.keystore, site.provider, [bare])
    renamed = replace(keys[0], record=replace(keys[0].record, name="public.other"))
    with pytest.raises(KeystoreError, match="with another content than in the export"):
        await restore(site.keystore, site.provider, [renamed])
    assert site.keystore.records == before


async def test_a_key_that_does_not_open_its_canary_is_refused() -> None:
    site, new = await lived_in(), await Site(provider=NEW).begin()
    keys = await site.exported()
    before = new.keystore.records
    swapped = [replace(key, key=bytes(len(key.key or b""))) for key in keys]
    with pytest.raises(KeystoreError, match="in the export does not open its canary"):
        await restore(new.keystore, NEW, swapped)
    assert new.keystore.records == before


async def test_a_keystore_with_keys_of_its_own_is_refused() -> None:
    """What was written there meanwhile is under other keys of the same names."""
    old, new = await lived_in(), await Site(provider=NEW).begin()
    await new.write()
    before = new.keystore.records
    with pytest.raises(KeystoreError, match="holds keys that the export does not know, and both have"):
        await restore(new.keystore, NEW, await old.exported())
    assert new.keystore.records == before


async def test_a_keystore_of_another_master_key_is_refused() -> None:
    old, new = await lived_in(), await Site(provider=NEW).begin()
    with pytest.raises(KeystoreError, match="belongs to master key"):
        await restore(new.keystore, old.provider, await old.exported())


async def test_a_field_key_without_its_data_key_is_refused() -> None:
    old, new = await lived_in(), await Site(provider=NEW).begin()
    feks = [key for key in await old.exported() if key.record.key_type is KeyType.FEK]
    with pytest.raises(KeystoreError, match="has no data key in the export"):
        await restore(new.keystore, NEW, feks)


async def test_a_provider_that_goes_away_half_way_leaves_nothing() -> None:
    """As a kill does: there is one update, and it is done whole or not at all."""
    old = await lived_in()
    provider = CountingProvider(bytes([2]) * 32)
    new = await Site(provider=provider).begin()
    before = new.keystore.records
    provider.away = True
    with pytest.raises(ProviderUnavailable):
        await restore(new.keystore, provider, await old.exported())
    assert new.keystore.records == before
    provider.away = False
    await restore(new.keystore, provider, await old.exported())
    assert await new.reads(old.values)


async def test_keys_of_an_earlier_release_get_their_canary() -> None:
    old, new = await lived_in(), await Site(provider=NEW).begin()
    keys = [replace(key, record=replace(key.record, metadata={})) for key in await old.exported()]
    await restore(new.keystore, NEW, keys)
    feks = [record for record in new.keystore.records if record.key_type is KeyType.FEK]
    assert all(canary_of(record) for record in feks)
    assert (await verify(new.keystore, NEW)).proved == len(feks)


async def test_every_key_is_told() -> None:
    old, new = await lived_in(), await Site(provider=NEW).begin()
    told: list[tuple[KeyEvent, str]] = []

    def observe(event: KeyEvent, record: KeyRecord | None, details: object) -> None:
        assert record is not None
        told.append((event, record.name))

    await restore(new.keystore, NEW, await old.exported(), observe=observe)
    assert {event for event, _ in told} == {KeyEvent.IMPORTED}
    assert {need.name for need in NEEDS} < {name for _, name in told}
