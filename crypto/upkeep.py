"""Does what is due with the keys: by one process of all that share a keystore, whichever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar

from crypto.errors import KeystoreError, KeystoreUnavailable
from crypto.keystore import Keystore
from crypto.manager import KeyManager
from crypto.master_rotation import renew
from crypto.providers import Versioned
from crypto.rotation import FieldVersion
from crypto.schedule import Schedule, Turn, Work, turns

_POLL = 0.1  # seconds

_Key = TypeVar("_Key")


def planned(manager: KeyManager, schedule: Schedule, now: datetime) -> list[Turn]:
    """When which key is to be rotated, by what the manager knows of them."""
    return turns(manager.records, schedule, now, versioned=isinstance(manager.provider, Versioned))


async def keep_up(manager: KeyManager, schedule: Schedule) -> list[Turn]:
    """Do what is due; returns what was done, which is nothing where another process is doing it.

    Raises KeystoreError or ProviderError; what was done before that stays done.
    """
    now = datetime.now(UTC)
    if manager.missing or not _due(planned(manager, schedule, now), now):
        return []
    async with manager.keystore.alone() as alone:
        if not alone:
            return []
        await manager.refresh()  # another one may have been here before
        if manager.missing:
            return []
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
    if of(Work.MASTER):
        assert isinstance(manager.provider, Versioned)
        await renew(manager.keystore, manager.provider, observe=manager.observe)
    tables = [turn.record.name for turn in of(Work.TABLE)]
    fields = [FieldVersion(turn.record.name, turn.record.algorithm) for turn in of(Work.FIELD)]
    retired = [turn.record.id for turn in of(Work.DESTROY)]
    failures = [
        *await _all_or_each(tables, rotator.tables),
        *await _all_or_each(fields, rotator.fields),
        *await _all_or_each(retired, rotator.destroy_retired),
    ]
    for failure in failures:
        raise failure


async def _all_or_each(
    keys: Sequence[_Key], work: Callable[[Sequence[_Key]], Awaitable[object]]
) -> list[KeystoreError]:
    """All at once; one by one, if that fails: a key that does not open must not hold up the others."""
    if not keys:
        return []
    try:
        await work(keys)
    except KeystoreUnavailable:
        raise
    except KeystoreError as error:
        if len(keys) == 1:
            return [error]
        return [failure for key in keys for failure in await _all_or_each([key], work)]
    return []


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
