"""The master key of a provider that is no file."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from crypto.keyset import KeyState, KeyType
from crypto.manager import KeyManager, KeyNeed
from crypto.master_rotation import RENEWED_AT
from proxy.master_key import MasterKey
from tests.crypto.stores import CountingProvider, MemoryKeystore, VersionedProvider

NEED = KeyNeed("public.users.note", "public.users", "aes-256-gcm")


def master_key(manager: KeyManager, *, dry_run: bool = False) -> MasterKey:
    local = SimpleNamespace(file=Path("unused"), passphrase_file=None)
    config = cast(Any, SimpleNamespace(keys=SimpleNamespace(provider="vault", local=local)))
    return MasterKey(config, manager, lambda: b"", dry_run=dry_run)


async def manager_of(provider: CountingProvider) -> tuple[KeyManager, MemoryKeystore]:
    keystore = MemoryKeystore()
    manager = KeyManager(keystore, provider)
    await manager.create()
    await manager.ensure([NEED])
    return manager, keystore


async def test_a_provider_with_versions_makes_a_new_one() -> None:
    provider = VersionedProvider()
    manager, keystore = await manager_of(provider)
    before = keystore.records
    assert await master_key(manager, dry_run=True).rotate(None) == (provider, "would be rotated")
    assert (provider.versions, keystore.records) == (1, before)
    assert await master_key(manager).rotate(None) == (provider, "1 data keys wrapped by its new version")
    assert provider.versions == 2
    (master,) = [record for record in keystore.records if record.key_type is KeyType.MASTER]
    assert RENEWED_AT in master.metadata


async def test_a_provider_without_versions_needs_another_one() -> None:
    old, new = CountingProvider(), CountingProvider(bytes([1] * 32))
    manager, keystore = await manager_of(old)
    with pytest.raises(ValueError, match="has no versions: name the configuration of another with --to"):
        await master_key(manager).rotate(None)
    provider, note = await master_key(manager).rotate(new)
    assert provider is new
    assert note.startswith("1 data keys wrapped by it, too")
    successor = KeyManager(keystore, new)
    assert await master_key(successor).finish(old) == (new, "1 data keys are wrapped by it alone")
    assert await master_key(successor).finish(None) == (new, "1 data keys are wrapped by it alone")
    states = {r.name: r.state for r in keystore.records if r.key_type is KeyType.MASTER}
    assert states == {old.reference: KeyState.DESTROYED, new.reference: KeyState.ACTIVE}
