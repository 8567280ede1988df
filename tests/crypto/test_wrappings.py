"""A DEK under two master keys: either opens it, through every step of the exchange."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crypto.errors import KeystoreError
from crypto.hierarchy import DEK_ALGORITHM, DataKey, create_dek, open_dek
from crypto.keyset import KeyType
from crypto.keystore import KeyRecord
from crypto.providers.local import LocalProvider
from crypto.wrappings import also, masters_of, only, promoted, under
from tests.crypto.stores import new_record

OLD, NEW = LocalProvider(bytes(32)), LocalProvider(bytes([1]) * 32)
OLD_MASTER, NEW_MASTER = (new_record([], KeyType.MASTER, p.reference, "local", None) for p in (OLD, NEW))
STRANGER = new_record([], KeyType.MASTER, "local:0", "local", None)


async def new_dek() -> tuple[KeyRecord, DataKey]:
    blank = new_record([], KeyType.DEK, "public.users", DEK_ALGORITHM, OLD_MASTER)
    return await create_dek(replace(blank, metadata={"other": 1}), OLD)


async def shared_dek() -> tuple[KeyRecord, KeyRecord]:
    """A DEK's record before, and with a second wrapping."""
    record, key = await new_dek()
    return record, also(record, await key.wrapped_by(NEW, replace(record, parent_id=NEW_MASTER.id)))


def fek_of(record: KeyRecord, key: DataKey) -> KeyRecord:
    return key.create(new_record([], KeyType.FEK, "public.users.email", "aes-siv", record))[0]


async def test_either_master_opens_the_same_key() -> None:
    record, key = await new_dek()
    fek = fek_of(record, key)
    shared = also(record, await key.wrapped_by(NEW, replace(record, parent_id=NEW_MASTER.id)))
    assert masters_of(shared) == {OLD_MASTER.id, NEW_MASTER.id}
    assert under(shared, OLD_MASTER.id) is shared
    opened = [
        (await open_dek(under(shared, master.id), provider)).open(fek)
        for master, provider in ((OLD_MASTER, OLD), (NEW_MASTER, NEW))
    ]
    assert opened == [key.open(fek)] * 2


async def test_they_change_places_and_change_back() -> None:
    record, shared = await shared_dek()
    after = promoted(shared, NEW_MASTER.id)
    assert after.parent_id == NEW_MASTER.id
    assert masters_of(after) == masters_of(shared)
    assert promoted(after, NEW_MASTER.id) is after
    assert promoted(after, OLD_MASTER.id) == shared
    assert only(shared, OLD_MASTER.id) == record
    alone = only(after, NEW_MASTER.id)
    assert masters_of(alone) == {NEW_MASTER.id}
    assert alone.metadata == {"other": 1}
    await open_dek(alone, NEW)


async def test_a_wrapping_that_is_not_there_or_is_no_wrapping() -> None:
    record, shared = await shared_dek()
    for broken in (
        record,
        replace(shared, metadata={"wrappings": {str(NEW_MASTER.id): {"key": "!", "hash": ""}}}),
        replace(shared, metadata={"wrappings": {str(NEW_MASTER.id): None}}),
    ):
        with pytest.raises(KeystoreError, match="not wrapped by this master key"):
            under(broken, NEW_MASTER.id)
    with pytest.raises(KeystoreError):
        only(shared, STRANGER.id)


async def test_a_wrapping_belongs_to_its_record_and_its_master() -> None:
    _, shared = await shared_dek()
    other, _ = await new_dek()
    moved = replace(other, metadata=shared.metadata)
    with pytest.raises(KeystoreError, match="does not open"):
        await open_dek(under(moved, NEW_MASTER.id), NEW)
    renamed = {str(STRANGER.id): shared.metadata["wrappings"][str(NEW_MASTER.id)]}
    with pytest.raises(KeystoreError, match="does not open"):
        await open_dek(under(replace(shared, metadata={"wrappings": renamed}), STRANGER.id), NEW)
