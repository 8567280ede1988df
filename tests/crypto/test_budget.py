"""Encryptions reserved in one keystore by several processes that share its keys."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from crypto import nonces
from crypto.errors import KeyExhausted
from crypto.events import KeyEvent
from crypto.keystore import KeyRecord, Keystore
from crypto.keystore_file import FileKeystore
from crypto.keystore_table import TableKeystore
from crypto.manager import KeyManager, KeyNeed
from crypto.nonces import BLOCK, FIRST
from crypto.providers.local import LocalProvider
from tests.crypto.stores import MemoryKeystore
from tests.postgres import Database

EMAIL = KeyNeed("public.users.email", "public.users", "aes-256-gcm")
PROVIDER = LocalProvider(bytes(32))


def encrypt(manager: KeyManager, count: int) -> None:
    key = manager.keyring.active(EMAIL.name, EMAIL.algorithm)
    assert key is not None
    for _ in range(count):
        key.sealer("text")(b"value")


async def counted(keystore: Keystore) -> int:
    return sum(record.encryptions for record in await keystore.read() if record.name == EMAIL.name)


async def crowd(*keystores: Keystore) -> None:
    """Processes that encrypt at the same time; half of them end as they should, the others crash."""
    managers = [KeyManager(keystore, PROVIDER) for keystore in keystores]
    await managers[0].create()
    for manager in managers:
        await manager.load()

    async def work(manager: KeyManager, rounds: int) -> None:
        await manager.ensure([EMAIL])
        for _ in range(rounds):
            encrypt(manager, FIRST // 4)
            await manager.reserve()

    await asyncio.gather(*(work(manager, number * 4) for number, manager in enumerate(managers, 1)))
    used = sum(number * FIRST for number in range(1, len(managers) + 1))
    assert await counted(keystores[0]) >= used
    ended = managers[::2]
    for manager in ended:
        await manager.close()
    left = await counted(keystores[0])
    assert used <= left <= 17 * used  # a reservation goes by what was used of the one before
    for manager in managers[1::2]:
        await manager.close()
    assert await counted(keystores[0]) == used


async def test_processes_with_one_file(tmp_path: Path) -> None:
    await crowd(*(FileKeystore(tmp_path / "keystore.json", PROVIDER) for _ in range(4)))


async def test_processes_with_one_table(database18: Database) -> None:
    await crowd(*(TableKeystore(database18.dsn) for _ in range(4)))


async def test_together_they_keep_to_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a budget of ten reservations: warned, then refused, and never more than that."""
    monkeypatch.setattr(nonces, "REFUSE_AT", 10 * FIRST)
    monkeypatch.setattr(nonces, "OVERDRAFT", FIRST)
    monkeypatch.setattr("crypto.budget.WARN_AT", 5 * FIRST)
    told: list[KeyEvent] = []

    def observe(event: KeyEvent, record: KeyRecord | None, details: object) -> None:
        told.append(event)

    keystore = MemoryKeystore()
    managers = [KeyManager(keystore, PROVIDER, observe=observe) for _ in range(3)]
    await managers[0].create()
    await managers[0].ensure([EMAIL])
    used = 0
    for manager in managers:
        await manager.load()
    for _ in range(40):
        for manager in managers:
            try:
                encrypt(manager, BLOCK * 4)
                used += BLOCK * 4
            except KeyExhausted:
                pass
            await manager.reserve()
            await manager.refresh()
    assert KeyEvent.EXHAUSTING in told
    assert used <= await counted(keystore) <= 10 * FIRST + 3 * FIRST
    assert used >= 9 * FIRST
    with pytest.raises(KeyExhausted):
        encrypt(managers[0], FIRST)
    for manager in managers:
        await manager.close()
