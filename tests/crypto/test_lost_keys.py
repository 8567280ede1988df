"""A key that vanishes from the keystore is missed, kept for reading, and never silently replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from crypto.errors import KeystoreError, KeystoreOutdated
from crypto.keyset import KeyState, KeyType
from crypto.keystore_file import FileKeystore
from crypto.keystore_table import TableKeystore
from crypto.manager import KeyManager, KeyNeed
from crypto.nonces import FIRST
from tests.crypto.stores import CountingProvider, MemoryKeystore
from tests.postgres import Database

EMAIL = KeyNeed("public.users.email", "public.users", "aes-256-gcm")
PHONE = KeyNeed("public.users.phone", "public.users", "aes-siv")
QUERY = KeyNeed("public.conversations.user_query", "public.conversations", "chacha20-poly1305")
MISSING = (
    r"^fek 'public\.users\.email' version 1 is missing from memory: restore the keystore from its backup$"
)


@dataclass
class Process:
    """A process that has written a value of EMAIL, and knows PHONE."""

    keystore: MemoryKeystore
    manager: KeyManager
    sealed: bytes

    @property
    def reads(self) -> bool:
        opener = self.manager.keyring.opener(EMAIL.name, EMAIL.algorithm, "text")
        return opener(self.sealed) == b"value"

    def writes(self, need: KeyNeed) -> bool:
        return self.manager.keyring.active(need.name, need.algorithm) is not None


async def started(keystore: MemoryKeystore) -> Process:
    manager = KeyManager(keystore, CountingProvider())
    await manager.create()
    ring = await manager.ensure([EMAIL, PHONE])
    key = ring.active(EMAIL.name, EMAIL.algorithm)
    assert key is not None
    return Process(keystore, manager, key.sealer("text")(b"value"))


@pytest.fixture
async def process() -> Process:
    return await started(MemoryKeystore())


async def test_a_key_that_vanishes_is_for_reading_only_until_it_is_back(process: Process) -> None:
    (fek,) = [record for record in process.keystore.records if record.name == EMAIL.name]
    process.keystore.lose(fek)
    await process.manager.refresh()
    assert process.reads
    assert not process.writes(EMAIL)
    assert process.writes(PHONE)  # the keystore has its key still
    before = process.keystore.records
    for _ in range(2):
        with pytest.raises(KeystoreError, match=MISSING):
            await process.manager.ensure([EMAIL])
    assert process.keystore.records == before
    process.keystore.put(fek)
    await process.manager.ensure([EMAIL])
    assert process.reads
    assert process.writes(EMAIL)
    assert process.manager.problems == {}
    assert len(process.manager.keyring.versions(EMAIL.name, EMAIL.algorithm)) == 1


async def test_a_keystore_that_lost_keys_gets_no_new_ones(process: Process) -> None:
    """What is made in an older copy would be lost again when the newest is put back."""
    (fek,) = [record for record in process.keystore.records if record.name == EMAIL.name]
    process.keystore.lose(fek)
    with pytest.raises(KeystoreError, match=MISSING):
        await process.manager.ensure([QUERY])
    assert not process.writes(QUERY)
    assert not process.writes(EMAIL)  # found out while it was at it
    assert [record.name for record in process.keystore.records if record.key_type is KeyType.DEK] == [
        EMAIL.dek
    ]


async def test_a_dek_that_vanishes_takes_its_feks_with_it(process: Process) -> None:
    (dek,) = [record for record in process.keystore.records if record.key_type is KeyType.DEK]
    process.keystore.lose(dek)
    await process.manager.refresh()
    assert process.reads
    assert not process.writes(EMAIL)
    with pytest.raises(KeystoreError, match=r"^dek 'public\.users' version 1 is missing"):
        await process.manager.ensure([EMAIL])


@pytest.mark.parametrize("created", [False, True])
async def test_an_empty_keystore_in_its_place(process: Process, created: bool) -> None:
    process.keystore.records = ()
    if created:  # by pgveil keys init
        await KeyManager(process.keystore, CountingProvider()).create()
    before = process.keystore.records
    await process.manager.refresh()
    assert process.reads
    assert not process.writes(EMAIL)
    with pytest.raises(KeystoreError, match="is missing from memory"):
        await process.manager.ensure([EMAIL])
    assert process.keystore.records == before


async def test_the_loss_is_told_once_for_each_key(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    process.keystore.lose(*(record for record in process.keystore.records if record.key_type is KeyType.FEK))
    for _ in range(3):
        await process.manager.refresh()
    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(lines) == 2
    assert all("is missing from memory: restore the keystore from its backup" in line for line in lines)


async def test_a_loss_is_found_when_encryptions_are_counted(process: Process) -> None:
    """However long cache_ttl is."""
    (fek,) = [record for record in process.keystore.records if record.name == EMAIL.name]
    process.keystore.lose(fek)
    key = process.manager.keyring.active(EMAIL.name, EMAIL.algorithm)
    assert key is not None
    for _ in range(FIRST):
        key.sealer("text")(b"value")
    await process.manager.reserve()
    assert not process.writes(EMAIL)


async def test_a_key_that_another_process_has_made_in_its_place(process: Process) -> None:
    """A process that was started after the loss knows of none. Who knows both reads with both."""
    (fek,) = [record for record in process.keystore.records if record.name == EMAIL.name]
    process.keystore.lose(fek)
    await KeyManager(process.keystore, CountingProvider()).ensure([EMAIL])
    ring = await process.manager.refresh()
    assert process.reads
    states = {key.id == fek.short_id: key.state for key in ring.versions(EMAIL.name, EMAIL.algorithm)}
    assert states == {True: KeyState.RETIRING, False: KeyState.ACTIVE}
    assert fek.id in process.manager.problems


async def test_rows_deleted_from_a_table_and_put_back(database: Database) -> None:
    manager = KeyManager(TableKeystore(database.dsn), CountingProvider())
    await manager.create()
    ring = await manager.ensure([EMAIL, PHONE])
    database.execute(
        "CREATE TABLE backup AS SELECT * FROM pgveil.encryption_keys;"
        "DELETE FROM pgveil.encryption_keys WHERE key_type = 'fek'"
    )
    await manager.refresh()
    for need in (EMAIL, PHONE, QUERY):
        with pytest.raises(KeystoreError, match=r"is missing from table pgveil\.encryption_keys: restore"):
            await manager.ensure([need])
    database.execute(
        "INSERT INTO pgveil.encryption_keys SELECT * FROM backup ON CONFLICT DO NOTHING; DROP TABLE backup"
    )
    again = await manager.ensure([EMAIL, PHONE, QUERY])
    for need in (EMAIL, PHONE):
        before, after = (each.active(need.name, need.algorithm) for each in (ring, again))
        assert before is not None
        assert after is not None
        assert before.id == after.id


async def test_an_older_copy_of_a_file_stops_writing_under_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "keystore.json"
    new: Callable[[], KeyManager] = lambda: KeyManager(  # noqa: E731
        FileKeystore(path, CountingProvider()), CountingProvider()
    )
    manager = new()
    await manager.create()
    await manager.ensure([PHONE])
    older = path.read_bytes()
    await manager.ensure([EMAIL])
    newest = path.read_bytes()
    path.write_bytes(older)
    with pytest.raises(KeystoreOutdated, match="is an older copy of the keystore"):
        await manager.refresh()
    assert manager.keyring.active(EMAIL.name, EMAIL.algorithm) is None
    assert len(manager.keyring.versions(EMAIL.name, EMAIL.algorithm)) == 1
    assert manager.keyring.active(PHONE.name, PHONE.algorithm) is not None
    for process in (manager, new()):  # one that knew the keys, and one that was started after the loss
        with pytest.raises(KeystoreOutdated):
            await process.ensure([EMAIL])
    with pytest.raises(KeystoreOutdated):
        await new().load()
    assert path.read_bytes() == older
    path.write_bytes(newest)
    await manager.refresh()
    assert manager.keyring.active(EMAIL.name, EMAIL.algorithm) is not None
