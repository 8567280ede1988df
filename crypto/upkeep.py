"""Does what is due with the keys: by one process of all that share a keystore, whichever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from crypto.errors import KeystoreError
from crypto.keystore import Keystore
from crypto.manager import KeyManager
from crypto.master_rotation import renew
from crypto.providers import Versioned
from crypto.rotation import FieldVersion
from crypto.schedule import Schedule, Turn, Work, turns

_POLL = 0.1  # seconds


def planned(manager: KeyManager, schedule: Schedule, now: datetime) -> list[Turn]:
    """When which key is to be rotated, by what the manager knows of them."""
    return turns(manager.records, schedule, now, versioned=isinstance(manager.provider, Versioned))


async def keep_up(manager: KeyManager, schedule: Schedule) -> list[Turn]:
    """Do what is due; returns what was done, which is nothing where another process is doing it.

    Raises KeystoreError or ProviderError; what was done before that stays done.
    """
    now = datetime.now(UTC)
    if not _due(planned(manager, schedule, now), now):
        return []
    async with manager.keystore.alone() as alone:
        if not alone:
            return []
        await manager.refresh()  # another one may have been here before
        due = _due(planned(manager, schedule, now), now)
        await _carry_out(due, manager)
    await manager.refresh()
    return due


def _due(found: Sequence[Turn], now: datetime) -> list[Turn]:
    return [turn for turn in found if turn.automatic and turn.due(now)]


async def _carry_out(due: Sequence[Turn], manager: KeyManager) -> None:
    def of(work: Work) -> list[Turn]:
        return [turn for turn in due if turn.work is work]

    rotator = manager.rotator()
    if masters := of(Work.MASTER):
        assert isinstance(manager.provider, Versioned)
        assert len(masters) == 1
        await renew(manager.keystore, manager.provider, observe=manager.observe)
    if tables := of(Work.TABLE):
        await rotator.tables([turn.record.name for turn in tables])
    if fields := of(Work.FIELD):
        await rotator.fields([FieldVersion(turn.record.name, turn.record.algorithm) for turn in fields])
    if retired := of(Work.DESTROY):
        await rotator.destroy_retired([turn.record.id for turn in retired])


@asynccontextmanager
async def alone_with(keystore: Keystore, *, patience: float = 10.0) -> AsyncIterator[None]:
    """Let no other process be at work with the keys meanwhile. Raises KeystoreError after so many seconds."""
    for _ in range(max(1, int(patience / _POLL))):
        async with keystore.alone() as alone:
            if alone:
                yield
                return
        await asyncio.sleep(_POLL)
    raise KeystoreError(f"{keystore.location}: another pgveil is at work with its keys")
