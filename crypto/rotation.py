"""Rotation of field keys and data keys: new versions in the keystore's records; no row is rewritten.

A field key (FEK) gets a new version in two steps, so that processes may learn of it before it encrypts:

    active ─ begin ─▶ active, pending ─ activate ─▶ retiring, active

A data key (DEK) is exchanged in one step: its FEKs are wrapped by the new one, all of them or none.

Each step is one update of the keystore, which is done whole or not at all, and does nothing where it was done
before. So a rotation that was killed at any moment is finished by running it again.

A deterministic FEK stops before `activate`: equal values must have one ciphertext in a column, so that its
values have to move to the new version before it may become the active one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from crypto.envelope import SUITES
from crypto.errors import KeystoreError
from crypto.events import KeyEvent, Observer, unobserved
from crypto.hierarchy import DEK_ALGORITHM, DataKey, create_dek, open_dek
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord, Keystore, Records
from crypto.opening import master_of
from crypto.providers import Provider
from crypto.record_index import RecordIndex
from crypto.wrappings import under

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
        if compromised:
            await self.table(await self._dek_name(field), compromised=True)
        records = await self._update(self.begin(field, compromised=compromised))
        if not field.deterministic:
            if not compromised:
                await asyncio.sleep(self._settle)
            records = await self._update(self.activate(field))
        state = KeyState.PENDING if field.deterministic else KeyState.ACTIVE
        found = field.find(RecordIndex(records), state)
        assert found is not None
        return found

    async def table(self, name: str, *, compromised: bool = False) -> KeyRecord:
        """A new version of a DEK, which wraps all FEKs of the old one; returns it."""
        records = await self._update(self.exchange(name, compromised=compromised))
        found = RecordIndex(records).find(KeyType.DEK, name, DEK_ALGORITHM, KeyState.ACTIVE)
        assert found is not None
        return found

    def begin(self, field: FieldVersion, *, compromised: bool = False) -> Step:
        """Makes the next version of a field's key, pending."""

        async def step(records: Records) -> list[KeyRecord]:
            index = RecordIndex(records)
            active = _required(field.find(index, KeyState.ACTIVE), f"{field.name!r} has no active key")
            changed = [_compromised(active)] if compromised else []
            if field.find(index, KeyState.PENDING) is None:
                dek = self._active_dek_of(records, active)
                data_key = await self._open(records, dek)
                blank = index.blank(KeyType.FEK, field.name, field.algorithm, dek, KeyState.PENDING)
                changed.append(data_key.create(blank)[0])
            return changed

        return step

    def activate(self, field: FieldVersion) -> Step:
        """Lets the pending version of a field's key encrypt; the active one only decrypts from now on."""

        async def step(records: Records) -> list[KeyRecord]:
            index = RecordIndex(records)
            pending = field.find(index, KeyState.PENDING)
            if pending is None:
                return []
            active = field.find(index, KeyState.ACTIVE)
            retiring = [] if active is None else [_retired(active)]
            return [*retiring, pending.advanced(KeyState.ACTIVE)]

        return step

    def exchange(self, name: str, *, compromised: bool = False) -> Step:
        """Makes a new DEK, and wraps the FEKs of the old one by it."""

        async def step(records: Records) -> list[KeyRecord]:
            index = RecordIndex(records)
            old = _required(
                index.find(KeyType.DEK, name, DEK_ALGORITHM, KeyState.ACTIVE), f"{name!r} has no data key"
            )
            old_key = await self._open(records, old)
            master = master_of(records, self._provider, self._keystore.location)
            new, new_key = await create_dek(
                index.blank(KeyType.DEK, name, DEK_ALGORITHM, master), self._provider
            )
            feks = [
                r for r in records if r.parent_id == old.id and r.key_type is KeyType.FEK and r.state.opens
            ]
            retired = _retired(_compromised(old) if compromised else old)
            return [retired, new, *(new_key.adopt(fek, old_key) for fek in feks)]

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

    async def _open(self, records: Records, dek: KeyRecord) -> DataKey:
        master = master_of(records, self._provider, self._keystore.location)
        return await open_dek(under(dek, master.id), self._provider)

    async def _dek_name(self, field: FieldVersion) -> str:
        records = await self._keystore.read()
        active = _required(
            field.find(RecordIndex(records), KeyState.ACTIVE), f"{field.name!r} has no active key"
        )
        return self._active_dek_of(records, active).name

    def _active_dek_of(self, records: Records, fek: KeyRecord) -> KeyRecord:
        parent = next((record for record in records if record.id == fek.parent_id), None)
        name = _required(parent, f"{fek} has no data key").name
        dek = RecordIndex(records).find(KeyType.DEK, name, DEK_ALGORITHM, KeyState.ACTIVE)
        return _required(dek, f"{name!r} has no data key")


def _required(record: KeyRecord | None, otherwise: str) -> KeyRecord:
    if record is None:
        raise KeystoreError(otherwise)
    return record


def _retired(record: KeyRecord) -> KeyRecord:
    retired_at = datetime.now(UTC).isoformat(timespec="seconds")
    return replace(record.advanced(KeyState.RETIRING), metadata={**record.metadata, "retired_at": retired_at})


def _compromised(record: KeyRecord) -> KeyRecord:
    return replace(record, metadata={**record.metadata, "compromised": True})


def _event(before: KeyRecord | None, after: KeyRecord) -> KeyEvent:
    if before is None:
        return KeyEvent.MADE
    return KeyEvent.STATE if before.encrypted_key == after.encrypted_key else KeyEvent.REWRAPPED
