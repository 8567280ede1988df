"""Destroys field keys: what they have sealed cannot be read any more, wherever a copy of it is.

    active ─ retire ─▶ retiring ─ destroy ─▶ destroyed

First nobody may seal with a key any more, then it is looked whether anything is sealed with it, and only then
the wrapped key is taken out of the keystore. Each step is one update of the keystore, and does nothing where
it was done before: a destruction that was killed at any moment is finished by the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from crypto.errors import KeystoreError
from crypto.events import KeyEvent, Observer, unobserved
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord, Keystore, Records

SETTLE = 1.5  # seconds in which every process hears of a change, by polling too


@dataclass(frozen=True, slots=True)
class Doomed:
    """The key of a name: every version of it, or one."""

    name: str
    version: int | None = None

    def find(self, records: Records) -> list[KeyRecord]:
        """Its versions that are not destroyed yet, oldest first."""
        found = [
            record
            for record in records
            if record.key_type is KeyType.FEK
            and record.name == self.name
            and self.version in (None, record.version)
            and record.state.opens
        ]
        return sorted(found, key=lambda record: record.version)


async def destroy(
    keystore: Keystore,
    doomed: Doomed,
    may_go: Callable[[list[KeyRecord]], Awaitable[None]],
    *,
    observe: Observer = unobserved,
    settle: float = SETTLE,
) -> list[KeyRecord]:
    """Destroy a key; returns what was destroyed.

    `may_go` is asked before anything changes, and again when nobody seals with the key any more; it raises
    what keeps the key from being destroyed. Raises KeystoreError.
    """
    found = doomed.find(await keystore.read())
    if not found:
        which = "" if doomed.version is None else f" version {doomed.version}"
        raise KeystoreError(f"{keystore.location}: has no key of {doomed.name!r}{which}")
    await may_go(found)
    if any(record.state is KeyState.ACTIVE for record in found):
        await _update(keystore, lambda records: map(_retired, _active(doomed.find(records))), observe)
        await asyncio.sleep(settle)
        await may_go(found)
    chosen = {record.id for record in found}
    return await _update(
        keystore,
        lambda records: [_destroyed(r) for r in doomed.find(records) if r.id in chosen],
        observe,
    )


async def _update(
    keystore: Keystore, step: Callable[[Records], Iterable[KeyRecord]], observe: Observer
) -> list[KeyRecord]:
    changed: list[KeyRecord] = []

    async def change(records: Records) -> Iterable[KeyRecord]:
        changed[:] = step(records)
        return changed

    await keystore.update(change)
    for record in changed:
        observe(KeyEvent.STATE, record, {"state": record.state.value})
    return changed


def _active(records: Iterable[KeyRecord]) -> list[KeyRecord]:
    return [record for record in records if record.state is KeyState.ACTIVE]


def _retired(record: KeyRecord) -> KeyRecord:
    return replace(record.advanced(KeyState.RETIRING), metadata={**record.metadata, "retired_at": _now()})


def _destroyed(record: KeyRecord) -> KeyRecord:
    if record.state is KeyState.ACTIVE:  # made active meanwhile by a rotation that had begun before
        record = _retired(record)
    metadata = {**record.metadata, "destroyed_at": _now()}
    return replace(record.advanced(KeyState.DESTROYED), metadata=metadata)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
