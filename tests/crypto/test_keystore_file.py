"""The sealed file: nothing in it can be changed unnoticed, and processes take turns."""

# ruff: noqa: ASYNC240  these tests have their event loop to themselves, and may block it

from __future__ import annotations

import asyncio
import fcntl
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crypto import keystore_file
from crypto.durable import replace_file
from crypto.errors import KeystoreError, KeystoreOutdated, KeystoreUnavailable, ProviderUnavailable
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord, Records
from crypto.keystore_file import FileKeystore
from crypto.providers.local import LocalProvider
from tests.crypto.stores import CountingProvider, new_record

PROVIDER = LocalProvider(bytes(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keystore.json"


def new_fek(records: Records, name: str = "users.email") -> KeyRecord:
    blank = new_record(records, KeyType.FEK, name, "aes-siv", None)
    return replace(blank, encrypted_key=b"wrapped", key_hash=b"hash")


async def adding_one(records: Records) -> list[KeyRecord]:
    return [new_fek(records)]


async def created(path: Path) -> FileKeystore:
    """A keystore that holds one record."""
    keystore = FileKeystore(path, PROVIDER)
    await keystore.create()
    await keystore.update(adding_one)
    return keystore


async def test_records_come_back_as_they_were(path: Path) -> None:
    keystore = FileKeystore(path, PROVIDER)
    await keystore.create()
    master = new_record([], KeyType.MASTER, "local:1", "local", None)
    full = replace(
        new_fek((master,), 'Zoë."E-mail"'),
        parent_id=master.id,
        state=KeyState.RETIRING,
        expires_at=datetime(2030, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        rotation_count=3,
        metadata={"encryptions": 64, "note": "é"},
    )

    async def add(records: Records) -> list[KeyRecord]:
        assert records == ()
        return [master, full]

    assert await keystore.update(add) == (master, full)
    assert await FileKeystore(path, PROVIDER).read() == (master, full)
    await keystore.close()


async def test_creating_again_leaves_the_keys_alone(path: Path) -> None:
    keystore = await created(path)
    records = await keystore.read()
    await FileKeystore(path, PROVIDER).create()
    assert await keystore.read() == records


async def test_the_file_is_its_owners_alone(path: Path) -> None:
    await created(path)
    assert {entry.name: entry.stat().st_mode & 0o777 for entry in path.parent.iterdir()} == {
        "keystore.json": 0o600,
        "keystore.json.lock": 0o600,
    }


async def test_a_change_that_fails_changes_nothing(path: Path) -> None:
    keystore = await created(path)
    before = path.read_bytes()

    async def fail(records: Records) -> list[KeyRecord]:
        raise ProviderUnavailable("away")

    with pytest.raises(ProviderUnavailable):
        await keystore.update(fail)
    assert path.read_bytes() == before
    await keystore.update(adding_one)  # and the lock is free


async def test_a_change_of_nothing_does_not_write(path: Path) -> None:
    keystore = await created(path)
    before = path.stat().st_ino

    async def nothing(records: Records) -> list[KeyRecord]:
        return []

    assert len(await keystore.update(nothing)) == 1
    assert path.stat().st_ino == before


async def test_counts_are_added_to_those_of_others(path: Path) -> None:
    keystore = await created(path)
    (record,) = await keystore.read()
    other = FileKeystore(path, PROVIDER)
    assert await keystore.count({record.id: 64}) == {record.id: 64}
    assert await other.count({record.id: 128}) == {record.id: 192}
    assert (await keystore.read())[0].encryptions == 192


def tampered(document: dict[str, Any], what: str) -> dict[str, Any]:
    keys = document["keys"]
    match what:
        case "state":
            keys[0]["state"] = "retiring"
        case "count":
            keys[0]["metadata"]["encryptions"] = 0
        case "removed":
            keys.clear()
        case "added":
            keys.append({**keys[0], "id": "00000000-0000-0000-0000-000000000000"})
        case "changes":
            document["changes"] += 1
        case "field":
            keys[0]["more"] = 1
        case "top":
            document["more"] = 1
        case "mac":
            document["seal"]["mac"] = "AAAA"
    return document


@pytest.mark.parametrize("what", ["state", "count", "removed", "added", "changes", "field", "top", "mac"])
async def test_whatever_is_altered_breaks_the_seal(path: Path, what: str) -> None:
    keystore = await created(path)
    path.write_text(json.dumps(tampered(json.loads(path.read_bytes()), what)))
    for reader in (keystore, FileKeystore(path, PROVIDER)):
        with pytest.raises(KeystoreError, match="its seal is broken: the file was altered"):
            await reader.read()
        with pytest.raises(KeystoreError, match="seal is broken"):
            await reader.update(adding_one)


async def test_an_older_copy_in_its_place_is_told_apart(path: Path) -> None:
    keystore = await created(path)
    older = path.read_bytes()
    records = await keystore.update(adding_one)
    newest = path.read_bytes()
    path.write_bytes(older)
    for reader in (keystore, FileKeystore(path, PROVIDER)):  # also one that never saw the newest
        for work in (reader.read(), reader.update(adding_one), reader.count({records[0].id: 1})):
            with pytest.raises(KeystoreOutdated) as caught:
                await work
            assert str(caught.value) == (
                f"{path}: is an older copy of the keystore (change 2, after change 3 was made):"
                " restore the newest backup"
            )
            assert caught.value.records == records[:1]
    assert path.read_bytes() == older
    path.write_bytes(newest)
    assert await keystore.read() == records


async def test_a_copy_that_only_lacks_counts_is_good_enough(path: Path) -> None:
    """Otherwise every copy would be too old after half a minute."""
    keystore = await created(path)
    (record,) = await keystore.read()
    copy = path.read_bytes()
    await keystore.count({record.id: 64})
    path.write_bytes(copy)
    assert await keystore.read() == (record,)


async def test_an_older_copy_can_be_made_to_do(path: Path) -> None:
    """Where there is no newer backup: pgveil is stopped, the lock file emptied, pgveil started."""
    keystore = await created(path)
    older = path.read_bytes()
    await keystore.update(adding_one)
    path.write_bytes(older)
    path.with_name("keystore.json.lock").write_bytes(b"")
    assert len(await FileKeystore(path, PROVIDER).read()) == 1
    with pytest.raises(KeystoreOutdated):
        await keystore.read()  # a process that was not stopped
    assert len(await FileKeystore(path, PROVIDER).update(adding_one)) == 2


async def test_no_new_keystore_in_the_place_of_a_lost_one(path: Path) -> None:
    await created(path)
    path.unlink()
    with pytest.raises(KeystoreError) as caught:
        await FileKeystore(path, PROVIDER).create()
    assert str(caught.value) == (
        f"{path}: is gone: restore it from its backup, or remove {path}.lock too if no value was encrypted"
    )
    assert not path.exists()
    path.with_name("keystore.json.lock").unlink()
    await FileKeystore(path, PROVIDER).create()


async def test_a_copy_needs_no_lock_file(path: Path, tmp_path: Path) -> None:
    keystore = await created(path)
    (elsewhere := tmp_path / "restored").mkdir()
    copy = elsewhere / "keystore.json"
    copy.write_bytes(path.read_bytes())
    assert await FileKeystore(copy, PROVIDER).read() == await keystore.read()
    assert len(await FileKeystore(copy, PROVIDER).update(adding_one)) == 2


async def test_a_lock_file_that_pgveil_has_not_written(path: Path) -> None:
    keystore = await created(path)
    path.with_name("keystore.json.lock").write_text("something else\n")
    for work in (keystore.read(), keystore.update(adding_one)):
        with pytest.raises(KeystoreError, match=r"keystore\.json\.lock: is not a lock file of pgveil"):
            await work


async def test_a_seal_of_another_file_does_not_fit(path: Path) -> None:
    await created(path)
    other = path.with_name("other.json")
    await created(other)
    document = json.loads(path.read_bytes())
    document["seal"]["key"] = json.loads(other.read_bytes())["seal"]["key"]
    path.write_text(json.dumps(document))
    with pytest.raises(KeystoreError, match="seal is broken"):
        await FileKeystore(path, PROVIDER).read()


async def test_another_master_key_does_not_open_it(path: Path) -> None:
    await created(path)
    with pytest.raises(KeystoreError, match=r"its seal does not open: .* another master key"):
        await FileKeystore(path, LocalProvider(bytes([1]) * 32)).read()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: '{"format":' * 20_000,
        lambda text: "{}",
        lambda text: text.replace("pgveil-keystore", "another"),
        lambda text: text.replace('"seal"', '"other"'),
        lambda text: text.replace('"mac": "', '"mac": "!'),
        lambda text: text.replace('"key": "', '"key": "!'),
    ],
)
async def test_a_malformed_file_is_one_line(path: Path, change: Callable[[str], str]) -> None:
    await created(path)
    path.write_text(change(path.read_text()))
    with pytest.raises(KeystoreError) as caught:
        await FileKeystore(path, PROVIDER).read()
    assert str(caught.value) == f"{path}: is not a keystore of pgveil"


async def test_a_later_versions_file(path: Path) -> None:
    await created(path)
    path.write_text(path.read_text().replace('"version": 1, "changes', '"version": 2, "changes'))
    with pytest.raises(KeystoreError, match="later version"):
        await FileKeystore(path, PROVIDER).read()


async def test_no_file_yet(path: Path) -> None:
    with pytest.raises(KeystoreError, match="there is no keystore: run pgveil keys init"):
        await FileKeystore(path, PROVIDER).read()


async def test_a_directory_in_its_place(path: Path) -> None:
    path.mkdir()
    with pytest.raises(KeystoreUnavailable, match="Is a directory"):
        await FileKeystore(path, PROVIDER).read()


async def test_the_provider_is_asked_once(path: Path) -> None:
    await created(path)
    provider = CountingProvider()
    keystore = FileKeystore(path, provider)
    await keystore.read()
    provider.away = True
    assert len(await keystore.read()) == 1
    await keystore.update(adding_one)
    assert provider.asked == 1


async def test_tasks_and_managers_take_turns(path: Path) -> None:
    await created(path)
    await asyncio.gather(*(FileKeystore(path, PROVIDER).update(adding_one) for _ in range(10)))
    versions = sorted(record.version for record in await FileKeystore(path, PROVIDER).read())
    assert versions == list(range(1, 12))


async def test_a_lock_held_by_another_process_is_waited_for_but_not_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keystore = await created(path)
    monkeypatch.setattr(keystore_file, "LOCK_TIMEOUT", 0.05)
    with path.with_name("keystore.json.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(KeystoreUnavailable, match="is locked by another process"):
            await keystore.update(adding_one)
        assert len(await keystore.read()) == 1  # readers need no lock
    await keystore.update(adding_one)


async def test_a_caller_who_gives_up_does_not_open_the_lock_too_early(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keystore = await created(path)
    events: list[str] = []
    writing = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(path: Path, content: bytes) -> None:
        loop.call_soon_threadsafe(writing.set)
        asyncio.run(asyncio.sleep(0.1))
        replace_file(path, content)
        events.append("written")

    monkeypatch.setattr(keystore_file, "replace_file", slow)
    impatient = asyncio.create_task(keystore.update(adding_one))
    await writing.wait()
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert events == ["written"]
    assert len(await keystore.read()) == 2


def test_several_processes_lose_no_change(path: Path) -> None:
    program = textwrap.dedent("""
        import asyncio, sys
        from pathlib import Path
        from tests.crypto.stores import new_record
        from crypto.keyset import KeyType
        from crypto.keystore_file import FileKeystore
        from crypto.providers.local import LocalProvider

        async def add(records):
            return [new_record(records, KeyType.FEK, "users.email", "aes-siv", None)]

        async def main():
            keystore = FileKeystore(Path(sys.argv[1]), LocalProvider(bytes(32)))
            await keystore.create()
            for _ in range(10):
                await keystore.update(add)

        asyncio.run(main())
    """)
    processes = [subprocess.Popen([sys.executable, "-c", program, str(path)]) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    records = asyncio.run(FileKeystore(path, PROVIDER).read())
    assert sorted(record.version for record in records) == list(range(1, 41))
