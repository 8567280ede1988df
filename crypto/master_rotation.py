"""Rotation of the master key: DEKs are wrapped anew; no other key changes, and no row.

By another master key, of the same provider or another one:

    exchange    every DEK is wrapped by the new master key, too, which is the active one from now on.
                Processes with either of them work.
    conclude    when no process has the old master key any more: its wrappings are taken away.

By a new version of the same master key, where its holder has versions: `renew`.

Each of them does nothing where it was done before, and finishes what was killed half-way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from crypto.concurrency import each
from crypto.errors import KeystoreError
from crypto.events import KeyEvent, Observer, unobserved
from crypto.hierarchy import open_dek
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord, Keystore, Records
from crypto.opening import master_of
from crypto.providers import Provider, Versioned
from crypto.record_index import RecordIndex
from crypto.wrappings import also, masters_of, only, promoted, under

RENEWED_AT = "renewed_at"  # in a master reference's metadata: when its key got its newest version


async def exchange(
    keystore: Keystore, old: Provider, new: Provider, *, observe: Observer = unobserved
) -> int:
    """Let `new` take the place of `old`; returns how many DEKs it wraps.

    Raises KeystoreError or ProviderError, and then nothing has changed but that both open the keystore.
    """
    if old.reference == new.reference:
        raise KeystoreError(f"the new master key is the old one: {new.reference}")
    await keystore.admit(new)
    wrapped: list[KeyRecord] = []

    async def change(records: Records) -> Iterable[KeyRecord]:
        current = master_of(records, old, keystore.location)
        following = _following(records, new)
        wrapped[:] = await each(
            _open(records, KeyType.DEK), lambda dek: _wrapped_by(dek, (current, old), (following, new))
        )
        retiring = [] if current.state is KeyState.RETIRING else [current.advanced(KeyState.RETIRING)]
        active = following if following.state is KeyState.ACTIVE else following.advanced(KeyState.ACTIVE)
        # The new reference first, for the DEKs that name it.
        return [*retiring, active, *(promoted(dek, following.id) for dek in wrapped)]

    await keystore.update(change)
    for dek in wrapped:
        observe(KeyEvent.REWRAPPED, dek, {"provider": new.reference})
    return len(wrapped)


async def conclude(
    keystore: Keystore, new: Provider, old: Provider | None = None, *, observe: Observer = unobserved
) -> int:
    """Take away what other master keys than `new` have wrapped; returns how many DEKs remain under it.

    `old`, if it is given, opens DEKs that a process with the old master key has made meanwhile. Raises
    KeystoreError, and nothing has changed, if there is a DEK that `new` does not open.
    """

    async def change(records: Records) -> Iterable[KeyRecord]:
        master = master_of(records, new, keystore.location)
        if master.state is not KeyState.ACTIVE:
            raise KeystoreError(f"{new.reference} is {master.state.value}: rotate the master key first")
        deks = _open(records, KeyType.DEK)
        if old is not None and any(master.id not in masters_of(dek) for dek in deks):
            current = master_of(records, old, keystore.location)
            deks = await each(deks, lambda dek: _wrapped_by(dek, (current, old), (master, new)))
        for dek in deks:
            await open_dek(under(dek, master.id), new)  # what does not open now never would again
        gone = [other for other in _open(records, KeyType.MASTER) if other.id != master.id]
        return [*(only(dek, master.id) for dek in deks), *map(_destroyed, gone)]

    records = await keystore.update(change)
    await keystore.dismiss_others(new)
    for record in records:
        if record.key_type is KeyType.MASTER and record.state is KeyState.DESTROYED:
            observe(KeyEvent.STATE, record, {"state": record.state.value})
    return len(_open(records, KeyType.DEK))


async def renew(keystore: Keystore, provider: Versioned, *, observe: Observer = unobserved) -> int:
    """Make a new version of the master key, and have every DEK wrapped by it; returns how many."""
    await provider.rotate()
    await keystore.admit(provider)
    rewrapped: list[KeyRecord] = []

    async def change(records: Records) -> Iterable[KeyRecord]:
        master = master_of(records, provider, keystore.location)

        async def rewrap(dek: KeyRecord) -> KeyRecord:
            own = under(dek, master.id)
            assert own.encrypted_key is not None
            key = await provider.rewrap(own.encrypted_key, own.identity)
            fresh = replace(own, encrypted_key=key, rotation_count=dek.rotation_count + 1)
            await open_dek(fresh, provider)
            return fresh if dek.parent_id == master.id else also(dek, fresh)

        rewrapped[:] = await each(_open(records, KeyType.DEK), rewrap)
        return [_renewed(master), *rewrapped]

    await keystore.update(change)
    for dek in rewrapped:
        observe(KeyEvent.REWRAPPED, dek, {"provider": provider.reference})
    return len(rewrapped)


async def _wrapped_by(
    dek: KeyRecord, old: tuple[KeyRecord, Provider], new: tuple[KeyRecord, Provider]
) -> KeyRecord:
    """A DEK's record with a wrapping by the new master beside those that it has."""
    (current, holder), (following, provider) = old, new
    if following.id in masters_of(dek):
        return dek
    key = await open_dek(under(dek, current.id), holder)
    mine = replace(dek, parent_id=following.id, rotation_count=dek.rotation_count + 1)
    return replace(also(dek, await key.wrapped_by(provider, mine)), rotation_count=mine.rotation_count)


def _following(records: Records, new: Provider) -> KeyRecord:
    """The reference to the new master key; made, if a rotation to it has not begun yet."""
    for record in records:
        if (
            record.key_type is KeyType.MASTER
            and record.name == new.reference
            and record.state in (KeyState.PENDING, KeyState.ACTIVE)
        ):
            return record
    kind = new.reference.partition(":")[0]
    return RecordIndex(records).blank(KeyType.MASTER, new.reference, kind, None, KeyState.PENDING)


def _renewed(master: KeyRecord) -> KeyRecord:
    metadata = {**master.metadata, RENEWED_AT: datetime.now(UTC).isoformat(timespec="seconds")}
    return replace(master, rotation_count=master.rotation_count + 1, metadata=metadata)


def _open(records: Records, key_type: KeyType) -> list[KeyRecord]:
    return [record for record in records if record.key_type is key_type and record.state.opens]


def _destroyed(record: KeyRecord) -> KeyRecord:
    if record.state is KeyState.ACTIVE:
        record = record.advanced(KeyState.RETIRING)
    return record.advanced(KeyState.DESTROYED)
