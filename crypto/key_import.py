"""Puts exported keys into a keystore, under the master key that it has now: all of them, or none.

Rule 1: a key that is there stays as it is. It may only go on to a later state, if the export is newer than
        the keystore (an older copy that was put back, say).
Rule 2: nothing is destroyed by an import, and nothing that was destroyed is brought back.
Rule 3: what contradicts what is there is refused, and nothing is changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from crypto.canary import marked, opens
from crypto.chain_key import AUDIT
from crypto.errors import KeystoreError
from crypto.events import KeyEvent, Observer, unobserved
from crypto.hierarchy import DataKey, is_key_of, open_dek
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord, Keystore, Records, merge
from crypto.opening import master_of
from crypto.plain_keys import PlainKey
from crypto.providers import Provider
from crypto.wrappings import only, under

_AT_ONCE = 16  # calls of a provider
_ORDER = list(KeyState)
_TYPES = list(KeyType)


@dataclass(frozen=True, slots=True)
class Imported:
    """How many keys were added, were there already, and are now in a later state."""

    added: int
    present: int
    advanced: int


async def restore(
    keystore: Keystore, provider: Provider, keys: Sequence[PlainKey], *, observe: Observer = unobserved
) -> Imported:
    """Put keys into a keystore. Raises KeystoreError or ProviderError, and then nothing has changed."""
    added: list[KeyRecord] = []
    advanced: list[KeyRecord] = []

    async def change(records: Records) -> Iterable[KeyRecord]:
        master = master_of(records, provider, keystore.location)
        known = {record.id: record for record in records}
        for key in keys:
            _check(key, known.get(key.record.id))
        data_keys = {k.record.id: DataKey(k.record.id, k.key) for k in keys if k.key and _is_dek(k.record)}
        own = [
            record for record in records if record.name == AUDIT and _is_dek(record) and record.state.opens
        ]
        missing = _retired([key for key in keys if key.record.id not in known], own)
        moved = await _after(own, missing, master, provider)
        added[:] = await _wrapped(missing, master, provider, data_keys)
        advanced[:] = [
            later for key in keys if (later := _later(known.get(key.record.id), key.record)) is not None
        ]
        changed = [*advanced, *added]
        _check_whole(merge(records, [*moved, *changed]), keystore.location)
        # A parent before its children, and what retires before what becomes active in its place; versions
        # are made free before they are taken.
        changed.sort(key=lambda r: (_TYPES.index(r.key_type), r.state is KeyState.ACTIVE))
        return [*moved, *changed]

    await keystore.update(change)
    for record in added:
        observe(KeyEvent.IMPORTED, record, {"state": record.state.value})
    for record in advanced:
        observe(KeyEvent.STATE, record, {"state": record.state.value})
    return Imported(len(added), len(keys) - len(added), len(advanced))


def _retired(keys: Sequence[PlainKey], own: Sequence[KeyRecord]) -> list[PlainKey]:
    """The keys; those of another audit trail retire where the keystore has begun a trail of its own."""
    if not own:
        return list(keys)
    return [
        replace(key, record=replace(key.record, state=KeyState.RETIRING))
        if key.record.name == AUDIT and key.record.state is KeyState.ACTIVE
        else key
        for key in keys
    ]


async def _after(
    own: Sequence[KeyRecord], keys: Sequence[PlainKey], master: KeyRecord, provider: Provider
) -> list[KeyRecord]:
    """The keystore's own keys of the audit trail, as later versions than those that are imported.

    A trail goes on from one keystore to the next, and is verified by its keys in the order of their versions.
    """
    last = max((key.record.version for key in keys if key.record.name == AUDIT), default=0)
    if not own or min(record.version for record in own) > last:
        return []
    last = max(last, *(record.version for record in own))
    moved = []
    for number, record in enumerate(sorted(own, key=lambda record: record.version), start=last + 1):
        key = await open_dek(under(record, master.id), provider)
        moved.append(await key.wrapped_by(provider, replace(only(record, master.id), version=number)))
    return moved


def _check(key: PlainKey, present: KeyRecord | None) -> None:
    """Whether what is to be imported is what it says, and what is there already is the same."""
    record = key.record
    canary = record.metadata.get("canary")
    if key.key and not _is_dek(record) and isinstance(canary, str) and not opens(canary, record, key.key):
        raise KeystoreError(f"{record} in the export does not open its canary")
    if present is None:
        return
    versions = (0, 0) if record.name == AUDIT else (record.version, present.version)
    names = [
        (r.key_type, r.name, version, r.algorithm)
        for r, version in zip((record, present), versions, strict=True)
    ]
    same_key = key.key is None or present.encrypted_key is None or is_key_of(present, key.key)
    if names[0] != names[1] or not same_key:
        raise KeystoreError(f"{present} is in the keystore with another content than in the export")


async def _wrapped(
    keys: Sequence[PlainKey], master: KeyRecord, provider: Provider, data_keys: dict[UUID, DataKey]
) -> list[KeyRecord]:
    """The records of keys that are new in the keystore, wrapped for it."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def wrap(key: PlainKey) -> KeyRecord:
        record = replace(key.record, parent_id=master.id) if _is_dek(key.record) else key.record
        if key.key is None:
            return record
        if _is_dek(record):
            async with turns:
                return await data_keys[record.id].wrapped_by(provider, record)
        parent = data_keys.get(record.parent_id) if record.parent_id else None
        if parent is None:
            raise KeystoreError(f"{record} has no data key in the export")
        return parent.sealed(marked(record, key.key), key.key)

    return list(await asyncio.gather(*map(wrap, keys)))


def _later(present: KeyRecord | None, exported: KeyRecord) -> KeyRecord | None:
    """The record that is there, in the state that the export knows, where this is a later one."""
    if present is None or exported.state is KeyState.DESTROYED:
        return None
    if _ORDER.index(exported.state) <= _ORDER.index(present.state):
        return None
    record = present
    for state in _ORDER[_ORDER.index(present.state) + 1 : _ORDER.index(exported.state) + 1]:
        record = record.advanced(state)
    return record


def _check_whole(records: Records, location: str) -> None:
    """Whether the keystore would hold what a keystore may."""
    versions: dict[tuple[KeyType, str, int], KeyRecord] = {}
    active: dict[tuple[KeyType, str, str], KeyRecord] = {}
    short_ids: dict[bytes, KeyRecord] = {}
    for record in records:
        clash = versions.setdefault((record.key_type, record.name, record.version), record)
        if clash is record:
            clash = short_ids.setdefault(record.short_id, record)
        if clash is record and record.state is KeyState.ACTIVE:
            clash = active.setdefault((record.key_type, record.name, record.algorithm), record)
        if clash is not record:
            raise KeystoreError(
                f"{location}: holds keys that the export does not know, and both have {record}:"
                " import into an empty keystore"
            )


def _is_dek(record: KeyRecord) -> bool:
    return record.key_type is KeyType.DEK
