"""What a worker shows of its keys, and rotates by itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from crypto.errors import KeystoreUnavailable
from crypto.keyset import KeyState, KeyType
from crypto.manager import KeyManager, KeyNeed
from policy.loader import load
from policy.model import Policy
from proxy import key_watch
from proxy.key_watch import KeyWatch
from proxy.metrics import Metrics
from tests.crypto.stores import CountingProvider, MemoryKeystore
from tests.policy.samples import policy_of

NOTE = KeyNeed("public.users.note", "public.users", "aes-256-gcm")


@pytest.fixture
def keystore(monkeypatch: pytest.MonkeyPatch) -> MemoryKeystore:
    monkeypatch.setattr(key_watch, "SECOND", 0.01)
    monkeypatch.setattr(key_watch, "FIRST", 0.01)
    monkeypatch.setattr(key_watch, "PAUSE", 0.01)
    return MemoryKeystore()


@pytest.fixture
async def keys(keystore: MemoryKeystore) -> AsyncIterator[KeyManager]:
    manager = KeyManager(keystore, CountingProvider(), cache_ttl=0.02, grace=0.1)
    await manager.create()
    await manager.ensure([NOTE])
    await manager.load()
    yield manager
    await manager.close()


def policy_with(directory: Path, rotation: str) -> Policy:
    path = directory / "policy.yaml"
    policy_of(directory, "  users: {note: random}\n")
    path.write_text(path.read_text() + rotation)
    return load(path)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def states(keystore: MemoryKeystore) -> list[KeyState]:
    feks = [record for record in keystore.records if record.key_type is KeyType.FEK]
    return [record.state for record in sorted(feks, key=lambda record: record.version)]


async def test_what_is_due_is_rotated_and_told(
    tmp_path: Path, keystore: MemoryKeystore, keys: KeyManager, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    metrics = Metrics()
    watch = KeyWatch(keys, metrics, lambda: policy_with(tmp_path, "rotation: {fields: 30d}\n"))
    watch.start()
    await eventually(lambda: metrics.total("keys_open") == 1)
    keystore.age(31)
    await eventually(lambda: states(keystore) == [KeyState.RETIRING, KeyState.ACTIVE])
    await eventually(lambda: metrics.total("keys_rotated_total") == 1)
    await eventually(lambda: metrics.total("keys_open") == 2)
    await watch.close()
    assert metrics.total("keys_overdue") == 0
    assert "key rotated by schedule" in caplog.text


async def test_what_may_not_be_rotated_is_overdue(
    tmp_path: Path, keystore: MemoryKeystore, keys: KeyManager, caplog: pytest.LogCaptureFixture
) -> None:
    """Until the policy says otherwise."""
    metrics, rotation = Metrics(), ["rotation: {fields: 30d, automatic: false}\n"]
    watch = KeyWatch(keys, metrics, lambda: policy_with(tmp_path, rotation[0]))
    watch.start()
    keystore.age(31)
    await eventually(lambda: metrics.total("keys_overdue") == 1)
    assert states(keystore) == [KeyState.ACTIVE]
    rotation[0] = "rotation: {fields: 30d}\n"
    await eventually(lambda: metrics.total("keys_overdue") == 0)
    await watch.close()
    assert states(keystore) == [KeyState.RETIRING, KeyState.ACTIVE]
    assert caplog.text.count("key overdue for rotation") == 1


async def test_an_outage_shows_until_it_is_over(
    tmp_path: Path, keystore: MemoryKeystore, keys: KeyManager
) -> None:
    metrics = Metrics()
    watch = KeyWatch(keys, metrics, lambda: policy_with(tmp_path, ""))
    watch.start()
    assert keys.trust.unready is None
    keystore.away = True
    await eventually(lambda: metrics.total("key_outage") == 1)
    await eventually(lambda: keys.trust.unready is not None)
    assert keys.trust.unready == "nobody could be asked about the keys for too long: memory: does not answer"
    await eventually(lambda: metrics.total("keys_open") == 0)
    keystore.away = False
    await eventually(lambda: metrics.total("key_outage") == 0)
    await eventually(lambda: metrics.total("keys_open") == 1)
    assert keys.trust.unready is None
    await watch.close()


async def test_keys_that_could_never_be_read(keystore: MemoryKeystore) -> None:
    keystore.away = True
    manager = KeyManager(keystore, CountingProvider(), grace=1e9)
    with pytest.raises(KeystoreUnavailable):
        await manager.load()
    await manager.load(patient=True)
    assert manager.trust.unready == "the keys could not be read yet: memory: does not answer"
    await manager.close()
