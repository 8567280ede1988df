"""The keys of a keystore's records, opened: what is open stays open, what does not open is named.

Pure but for the provider, which unwraps DEKs. The key manager decides when to open what.

At most `limit` field keys are open at a time: those that somebody asked for, the last one first, then those
that encrypt, then the newest of those that only decrypt. The others are opened when they are asked for.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

from crypto.chain_key import ChainKey
from crypto.envelope import SUITES
from crypto.errors import CryptoError, KeystoreError, ProviderError, ProviderUnavailable
from crypto.events import KeyEvent, Observer
from crypto.hierarchy import DataKey, open_dek
from crypto.keyring import Destroyed, FieldKey, Keyring
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord, Records
from crypto.providers import Provider
from crypto.secret import Secret
from crypto.wrappings import under

DEFAULT_LIMIT = 100_000  # open field keys

_log = logging.getLogger("pgveil.keys")


class OpenKeys(Secret):
    """The open DEKs and FEKs of one process, and every record that its keystore has ever shown.

    `problems` says of keys that do not open, or are missing from the keystore, why.
    """

    def __init__(
        self, provider: Provider, location: str, observe: Observer, *, limit: int = DEFAULT_LIMIT
    ) -> None:
        self._provider = provider
        self._limit = limit
        self._wanted: dict[UUID, None] = {}  # in the order in which they were asked for
        self._location = location
        self._observe = observe
        self._field_keys: dict[UUID, tuple[KeyRecord, FieldKey]] = {}
        self._data_keys: dict[UUID, tuple[KeyRecord, DataKey]] = {}
        self._seen: dict[UUID, KeyRecord] = {}  # every DEK and FEK that the keystore has ever shown
        self.problems: dict[UUID, str] = {}
        self.asked = 0  # how often the provider has unwrapped a DEK

    @property
    def field_keys(self) -> Iterable[tuple[KeyRecord, FieldKey]]:
        return self._field_keys.values()

    def want(self, matches: Callable[[KeyRecord], bool]) -> bool:
        """Have the keys of these records open by the next `take`; whether one of them is closed now."""
        found = [
            id_ for id_, record in self._seen.items() if record.key_type is KeyType.FEK and matches(record)
        ]
        for id_ in found:
            self._wanted.pop(id_, None)
            self._wanted[id_] = None
        while len(self._wanted) > self._limit:
            del self._wanted[next(iter(self._wanted))]
        return any(id_ not in self._field_keys and self._seen[id_].state.opens for id_ in found)

    def chain_keys(self, name: str) -> tuple[ChainKey, ...]:
        """The chain keys of the open versions of a DEK that the keystore has shown, the active one last."""
        mine = [
            (seen.state is KeyState.ACTIVE, seen.version, key.chain_key(record))
            for id_, (record, key) in self._data_keys.items()
            if record.name == name and (seen := self._seen.get(id_)) is not None
        ]
        return tuple(key for _, _, key in sorted(mine, key=lambda found: found[:2]))

    def lost(self, records: Records) -> list[KeyRecord]:
        """The keys that the keystore has shown before, and lacks now."""
        present = {record.id for record in records}
        return [record for id_, record in self._seen.items() if id_ not in present]

    async def take(self, records: Records) -> tuple[Keyring, ProviderError | None]:
        """Open what is new among the records: the snapshot, and why the provider did not do its part.

        Raises KeystoreError where the records cannot be those of one keystore of this master key.
        """
        lost = {record.id: record for record in self.lost(records)}
        # Where keys are missing, that is what is wrong with the keystore.
        master = None if lost else master_of(records, self._provider, self._location)
        self._seen.update((record.id, record) for record in records if record.key_type is not KeyType.MASTER)
        problems, outage = await self._open_data_keys(records, master)
        field_keys = self._open_field_keys(records, lost, problems)
        for record in lost.values():
            problems[record.id] = (
                f"{record} is missing from {self._location}: restore the keystore from its backup"
            )
        try:
            ring = Keyring((key for _, key in field_keys.values()), _destroyed(records))
        except ValueError as error:
            raise KeystoreError(f"{self._location}: {error}") from None
        self._field_keys = field_keys
        for id_ in problems.keys() - self.problems.keys():
            _log.error("%s", problems[id_])
            event = KeyEvent.MISSING if id_ in lost else KeyEvent.UNOPENED
            self._observe(event, self._seen[id_], {"reason": problems[id_]})
        self.problems = problems
        return ring, outage

    async def data_key(self, record: KeyRecord, master: KeyRecord | None) -> DataKey:
        """An open DEK. Raises KeystoreError, ProviderUnavailable."""
        own = record if master is None else under(record, master.id)
        known = self._data_keys.get(record.id)
        if known is not None and known[0].encrypted_key == own.encrypted_key:
            return known[1]
        opened = await open_dek(own, self._provider)
        self.asked += 1
        self.keep(own, opened)
        self._observe(KeyEvent.OPENED, record, {"provider": self._provider.reference})
        return opened

    def keep(self, record: KeyRecord, key: DataKey) -> None:
        """A DEK that is open."""
        self._data_keys[record.id] = (record, key)

    async def probe(self) -> None:
        """Have the provider unwrap a DEK that is open: may it still do so? Raises ProviderError."""
        for record, _ in self._data_keys.values():
            if record.encrypted_key is not None:
                await self._provider.unwrap(record.encrypted_key, record.identity)
                return
        await self._provider.health()

    def close(self) -> None:
        """Let go of every key."""
        self._field_keys.clear()
        self._data_keys.clear()

    async def _open_data_keys(
        self, records: Records, master: KeyRecord | None
    ) -> tuple[dict[UUID, str], ProviderError | None]:
        """Open the DEKs that are new, all at once; returns those that do not open, and an outage."""
        deks = [record for record in records if record.key_type is KeyType.DEK and record.state.opens]
        # Others are gone, or were destroyed: nobody may be asked about them any more.
        kept = {record.id for record in deks} | {record.id for record in self.lost(records)}
        self._data_keys = {id_: known for id_, known in self._data_keys.items() if id_ in kept}
        opened = await asyncio.gather(*(self.data_key(dek, master) for dek in deks), return_exceptions=True)
        problems: dict[UUID, str] = {}
        outage = None
        for record, result in zip(deks, opened, strict=True):
            if isinstance(result, ProviderUnavailable):
                outage = result
            elif isinstance(result, CryptoError):
                problems[record.id] = str(result)
            elif isinstance(result, BaseException):
                raise result
        return problems, outage

    def _open_field_keys(
        self, records: Records, lost: dict[UUID, KeyRecord], problems: dict[UUID, str]
    ) -> dict[UUID, tuple[KeyRecord, FieldKey]]:
        field_keys: dict[UUID, tuple[KeyRecord, FieldKey]] = {}
        for record in self._chosen((*records, *lost.values())):
            try:
                key = self._field_key(record)
            except KeystoreError as error:
                problems[record.id] = str(error)
            else:
                reads_only = record.id in lost or record.parent_id in lost
                field_keys[record.id] = (record, key.for_reading() if reads_only else key)
        return field_keys

    def _chosen(self, records: Iterable[KeyRecord]) -> list[KeyRecord]:
        """The FEKs to open: all of them, or as many as may be open, the most useful first."""
        feks = [record for record in records if record.key_type is KeyType.FEK and record.state.opens]
        if len(feks) <= self._limit:
            return feks
        asked = {id_: turn for turn, id_ in enumerate(self._wanted, start=1)}

        def use(record: KeyRecord) -> tuple[int, bool, datetime]:
            return asked.get(record.id, 0), record.state is not KeyState.RETIRING, record.created_at

        return heapq.nlargest(self._limit, feks, key=use)

    def _field_key(self, record: KeyRecord) -> FieldKey:
        known = self._field_keys.get(record.id)
        if known is not None and known[0].encrypted_key == record.encrypted_key:
            return self._as_recorded(known[1], record)
        parent = self._data_keys.get(record.parent_id) if record.parent_id else None
        if parent is None:
            raise KeystoreError(f"{record} waits for its dek")
        if record.algorithm not in SUITES:
            raise KeystoreError(f"{record} is of a later pgveil")
        key = parent[1].open(record)
        if known is not None:
            # Wrapped anew, by another DEK: a key never changes under its id. Its nonces and counts go on.
            return self._as_recorded(known[1], record)
        self._observe(KeyEvent.OPENED, record, {})
        return FieldKey(
            record.short_id,
            record.name,
            record.algorithm,
            record.version,
            record.state,
            key,
            used=record.encryptions,
        )

    @staticmethod
    def _as_recorded(key: FieldKey, record: KeyRecord) -> FieldKey:
        if key.nonces is not None:
            key.nonces.told(record.encryptions)
        return key.in_state(record.state)


def _destroyed(records: Records) -> dict[bytes, Destroyed]:
    """The FEKs that are gone, by their short id."""
    return {
        record.short_id: Destroyed(record.name, str(record.metadata.get("destroyed_at", "a time not known")))
        for record in records
        if record.key_type is KeyType.FEK and not record.state.opens
    }


def master_of(records: Records, provider: Provider, location: str) -> KeyRecord:
    """The reference to this provider's master key. Raises KeystoreError if there is none."""
    masters = [record for record in records if record.key_type is KeyType.MASTER]
    alive = [record for record in masters if record.state.opens]
    mine = [record for record in alive if record.name == provider.reference]
    if mine:  # two of them, if a rotation went to and fro
        return max(mine, key=lambda record: record.version)
    if not masters:
        raise KeystoreError(f"{location}: is not set up: run pgveil keys init")
    active = [record for record in alive if record.state is KeyState.ACTIVE] or masters
    raise KeystoreError(f"{location}: belongs to master key {active[-1].name}, not to {provider.reference}")
