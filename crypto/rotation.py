"""Rotation of field keys and data keys: new versions in the keystore's records; no row is rewritten.

A field key (FEK) gets a new version in two steps, so that processes may learn of it before it encrypts:

    active ─ begin ─▶ active, pending ─ activate ─▶ retiring, active

A data key (DEK) is exchanged in one step: its FEKs are wrapped by the new one, all of them or none. The
old one is destroyed later, when nothing is under it any more.

Each step is one update of the keystore for any number of keys, which is done whole or not at all, and does
nothing where it was done before. So a rotation that was killed at any moment is finished by running it again.

A deterministic FEK stops before `activate`: equal values must have one ciphertext in a column, so that its
values have to move to the new version before it may become the active one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from crypto.aead import NONCE_BYTES
from crypto.concurrency import each
from crypto.envelope import SUITES
from crypto.errors import KeystoreError
from crypto.events import KeyEvent, Observer, unobserved
from crypto.hierarchy import DEK_ALGORITHM, DataKey, create_dek, open_dek
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord, Keystore, Records
from crypto.opening import master_of
from crypto.providers import Provider
from crypto.record_index import RecordIndex
from crypto.wrappings import destroyed, under

RETIRED_AT = "retired_at"  # in the metadata of a version: since when it only decrypts
SETTLE = 0.2  # seconds between two steps: processes that are told of the first one know the key by the second

Step = Callable[[Records], Awaitable[list[KeyRecord]]]


@dataclass(frozen=True)
class FieldVersion:
    """The FEK of one name and algorithm, of whatever version."""

    name: str
    algorithm: str

    @property
    def deterministic(self) -> bool:
        return SUITES[self.algorithm].deterministic

    @property
    def counted(self) -> bool:
        """Whether a version has a budget of encryptions."""
        return SUITES[self.algorithm].nonce_bytes == NONCE_BYTES

    def find(self, index: RecordIndex, state: KeyState) -> KeyRecord | None:
        return index.find(KeyType.FEK, self.name, self.algorithm, state)


class Rotator:
    """Rotates keys of one keystore. Methods raise KeystoreError or ProviderError, and can be repeated."""

    def __init__(
        self,
        keystore: Keystore,
        provider: Provider,
        *,
        observe: Observer = unobserved,
        settle: float = SETTLE,
    ) -> None:
        self._keystore = keystore
        self._provider = provider
        self._observe = observe
        self._settle = settle

    async def field(self, field: FieldVersion, *, compromised: bool = False) -> KeyRecord:
        """A new version of a field's key; returns it: active, or if it is deterministic pending.

        `compromised`: the old version and its DEK are marked so, and the new one is made from a new DEK; it
        encrypts at once.
        """
        (record,) = await self.fields([field], compromised=compromised)
        return record

    async def fields(self, fields: Collection[FieldVersion], *, compromised: bool = False) -> list[KeyRecord]:
        """The same for several fields at once, in as many updates."""
        if compromised:
            index = RecordIndex(await self._keystore.read())
            names = {_dek_of(index, _active(index, field)).name for field in fields}
            await self.tables(sorted(names), compromised=True)
        records = await self._update(self.begin(*fields, compromised=compromised))
        if ready := [field for field in fields if not field.deterministic]:
            if not compromised:
                await asyncio.sleep(self._settle)
            records = await self._update(self.activate(*ready))
        index = RecordIndex(records)
        return [
            index.require(KeyType.FEK, field.name, field.algorithm, state)
            for field in fields
            for state in [KeyState.PENDING if field.deterministic else KeyState.ACTIVE]
        ]

    async def table(self, name: str, *, compromised: bool = False) -> KeyRecord:
        """A new version of a DEK, which wraps all FEKs of the old one; returns it."""
        (record,) = await self.tables([name], compromised=compromised)
        return record

    async def tables(self, names: Collection[str], *, compromised: bool = False) -> list[KeyRecord]:
        """The same for several DEKs at once, in one update."""
        index = RecordIndex(await self._update(self.exchange(*names, compromised=compromised)))
        return [index.require(KeyType.DEK, name, DEK_ALGORITHM, KeyState.ACTIVE) for name in names]

    async def destroy_retired(self, deks: Collection[UUID]) -> None:
        """Destroy retired DEKs under which there is no key any more; others stay."""
        await self._update(self.destroy(*deks))

    def begin(self, *fields: FieldVersion, compromised: bool = False) -> Step:
        """Makes the next version of fields' keys, pending."""

        async def step(records: Records) -> list[KeyRecord]:
            index = RecordIndex(records)
            actives = {field: _active(index, field) for field in fields}
            parents = {field: _dek_of(index, active) for field, active in actives.items()}
            data_keys = await self._open(records, parents.values())
            changed = []
            for field, active in actives.items():
                pending = field.find(index, KeyState.PENDING)
                if compromised:
                    changed.append(_compromised(active))
                    # A version that has encrypted nothing is given up: its key may be known, too.
                    changed += [pending.advanced(KeyState.DESTROYED)] if pending else []
                if compromised or pending is None:
                    dek = parents[field]
                    blank = index.blank(KeyType.FEK, field.name, field.algorithm, dek, KeyState.PENDING)
                    index.add(blank)
                    changed.append(data_keys[dek.id].create(blank)[0])
            return changed

        return step

    def activate(self, *fields: FieldVersion) -> Step:
        """Lets the pending version of fields' keys encrypt; the active one only decrypts from now on."""

        async def step(records: Records) -> list[KeyRecord]:
            index = RecordIndex(records)
            changed = []
            for field in fields:
                if (pending := field.find(index, KeyState.PENDING)) is not None:
                    active = field.find(index, KeyState.ACTIVE)
                    changed += [] if active is None else [_retired(active)]
                    changed.append(pending.advanced(KeyState.ACTIVE))
            return changed

        return step

    def exchange(self, *names: str, compromised: bool = False) -> Step:
        """Makes new DEKs, and wraps the FEKs of the old ones by them."""

        async def step(records: Records) -> list[KeyRecord]:
            index = RecordIndex(records)
            old = [_dek(index, name) for name in names]
            old_keys = await self._open(records, old)
            master = self._master(records)
            blanks = []
            for name in names:
                blanks.append(index.blank(KeyType.DEK, name, DEK_ALGORITHM, master))
                index.add(blanks[-1])
            made = await each(blanks, lambda blank: create_dek(blank, self._provider))
            successors = {dek.id: key for dek, (_, key) in zip(old, made, strict=True)}
            return [
                *(_retired(_compromised(dek) if compromised else dek) for dek in old),
                *(record for record, _ in made),
                *(
                    successors[fek.parent_id].adopt(fek, old_keys[fek.parent_id])
                    for fek in records
                    if fek.parent_id in successors and fek.key_type is KeyType.FEK and fek.state.opens
                ),
            ]

        return step

    def destroy(self, *deks: UUID) -> Step:
        """Destroys those of these DEKs that are retired and have nothing under them."""

        async def step(records: Records) -> list[KeyRecord]:
            used = {record.parent_id for record in records if record.state.opens}
            return [
                destroyed(record)
                for record in records
                if record.id in deks and record.state is KeyState.RETIRING and record.id not in used
            ]

        return step

    async def _update(self, step: Step) -> Records:
        told: list[tuple[KeyEvent, KeyRecord]] = []

        async def change(records: Records) -> Iterable[KeyRecord]:
            known = {record.id: record for record in records}
            changed = await step(records)
            told[:] = [(_event(known.get(record.id), record), record) for record in changed]
            return changed

        records = await self._keystore.update(change)
        for event, record in told:
            self._observe(event, record, {"state": record.state.value})
        return records

    async def _open(self, records: Records, deks: Iterable[KeyRecord]) -> dict[UUID, DataKey]:
        master = self._master(records)
        wanted = {dek.id: under(dek, master.id) for dek in deks}
        opened = await each(wanted.values(), lambda dek: open_dek(dek, self._provider))
        return {key.id: key for key in opened}

    def _master(self, records: Records) -> KeyRecord:
        return master_of(records, self._provider, self._keystore.location)


def _active(index: RecordIndex, field: FieldVersion) -> KeyRecord:
    return _required(field.find(index, KeyState.ACTIVE), f"{field.name!r} has no active key")


def _dek(index: RecordIndex, name: str) -> KeyRecord:
    found = index.find(KeyType.DEK, name, DEK_ALGORITHM, KeyState.ACTIVE)
    return _required(found, f"{name!r} has no data key")


def _dek_of(index: RecordIndex, fek: KeyRecord) -> KeyRecord:
    """The active DEK of the name that a FEK's DEK has."""
    return _dek(index, _required(index.get(fek.parent_id), f"{fek} has no data key").name)


def _required(record: KeyRecord | None, otherwise: str) -> KeyRecord:
    if record is None:
        raise KeystoreError(otherwise)
    return record


def _retired(record: KeyRecord) -> KeyRecord:
    retired_at = datetime.now(UTC).isoformat(timespec="seconds")
    return replace(record.advanced(KeyState.RETIRING), metadata={**record.metadata, RETIRED_AT: retired_at})


def _compromised(record: KeyRecord) -> KeyRecord:
    return replace(record, metadata={**record.metadata, "compromised": True})


def _event(before: KeyRecord | None, after: KeyRecord) -> KeyEvent:
    if before is None:
        return KeyEvent.MADE
    if before.encrypted_key == after.encrypted_key or not after.state.opens:
        return KeyEvent.STATE
    return KeyEvent.REWRAPPED
