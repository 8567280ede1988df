"""The key manager: reads the keystore, opens the keys, makes missing ones, and counts what they encrypt.

Rule 1: the data path reads `keyring`, an immutable snapshot; it never waits for anything here.
Rule 2: an outage of the keystore or of the provider never takes away keys that are already open; it only
        keeps new ones from being opened. It is logged, and tried again.
Rule 3: a key whose record was altered is left out, never replaced: `ensure` makes a key only where the
        keystore has no active one.
Rule 4: a key that vanishes from the keystore is not replaced either. It is kept, for reading only, and no key
        at all is made until it is back: what is written under a key that the keystore lacks, or is made in
        an older copy of the keystore, would be lost with the next restart or the next restore.
Rule 5: records change only in `Keystore.update`, which lets one process in at a time and shows it what the
        others have done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from crypto.envelope import SUITES
from crypto.errors import CryptoError, KeystoreError, KeystoreOutdated, ProviderUnavailable
from crypto.hierarchy import DEK_ALGORITHM, DataKey, create_dek, new_record, open_dek
from crypto.keyring import FieldKey, Keyring
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord, Keystore, Records
from crypto.nonces import ADVICE, WARN_AT
from crypto.providers import Provider
from crypto.secret import Secret

FLUSH_INTERVAL = 30.0  # seconds between two reports of encryptions to the keystore
LOOK_UP_INTERVAL = 1.0  # seconds in which unknown keys of envelopes cause one refresh at most

_log = logging.getLogger("pgveil.keys")


@dataclass(frozen=True)
class KeyNeed:
    """A field key that somebody is about to encrypt with: its name, the name of its DEK, its algorithm."""

    name: str
    dek: str
    algorithm: str


class KeyManager(Secret):
    """Owns the keys of one process. `load` first; `close` at the end."""

    def __init__(self, keystore: Keystore, provider: Provider, *, cache_ttl: float = 300.0) -> None:
        if cache_ttl <= 0:
            raise ValueError("cache_ttl must be positive")
        self._keystore = keystore
        self._provider = provider
        self._cache_ttl = cache_ttl
        self._keyring = Keyring()
        self._field_keys: dict[UUID, tuple[KeyRecord, FieldKey]] = {}
        self._data_keys: dict[UUID, tuple[KeyRecord, DataKey]] = {}
        self._seen: dict[UUID, KeyRecord] = {}  # every DEK and FEK that the keystore has ever shown
        self._problems: dict[UUID, str] = {}
        self._lock = asyncio.Lock()
        self._upkeep: asyncio.Task[None] | None = None
        self._looked_up = float("-inf")

    @property
    def keyring(self) -> Keyring:
        """The current snapshot."""
        return self._keyring

    @property
    def keystore(self) -> Keystore:
        return self._keystore

    @property
    def provider(self) -> Provider:
        return self._provider

    @property
    def problems(self) -> dict[UUID, str]:
        """Keys that do not open, or are missing from the keystore, and why."""
        return dict(self._problems)

    async def create(self) -> None:
        """Set the keystore up for this provider's master key. Raises KeystoreError if it has another's."""
        await self._keystore.create()
        await self._keystore.update(self._refer_to_master)

    async def load(self) -> Keyring:
        """Read and open every key, and keep them up to date from then on.

        Raises KeystoreError or ProviderError if that is not possible at all. A single record that does not
        open is left out, with an error in the log.
        """
        await self.refresh()
        if self._upkeep is None:
            self._upkeep = asyncio.create_task(self._keep_up(), name="pgveil keys")
        return self._keyring

    async def refresh(self) -> Keyring:
        """Read the keystore now. Raises KeystoreError or ProviderError; keys that are open stay so."""
        async with self._lock:
            await self._take_from(self._keystore.read())
            return self._keyring

    async def look_up(self, key_id: bytes) -> FieldKey | None:
        """The key that an envelope names, after an UnknownKey: another process may have just made it.

        Reads the keystore at most once in LOOK_UP_INTERVAL, whatever envelopes name: anybody can make up
        a key id. Raises KeystoreError or ProviderError.
        """
        now = asyncio.get_running_loop().time()
        if self._keyring.find(key_id) is None and now - self._looked_up >= LOOK_UP_INTERVAL:
            self._looked_up = now
            await self.refresh()
        return self._keyring.find(key_id)

    async def ensure(self, needs: Iterable[KeyNeed]) -> Keyring:
        """The snapshot, with an active key for each need; missing ones are made, each by one process only.

        Costs nothing where nothing is missing. Raises KeystoreError or ProviderError.
        """
        if missing := self._missing(needs):
            async with self._lock:
                if missing := self._missing(missing):  # another task may have made them meanwhile
                    await self._make(missing)
        return self._keyring

    async def flush(self) -> None:
        """Report what was encrypted to the keystore, and learn what others have reported.

        A key that the keystore does not know any more is missed here first.
        """
        sources = {id_: key.nonces for id_, (_, key) in self._field_keys.items() if key.nonces is not None}
        counts = {id_: source.unreported for id_, source in sources.items() if source.unreported}
        if not counts:
            return
        totals = await self._keystore.count(counts)
        for id_, total in totals.items():
            source = sources[id_]
            source.reported(counts[id_], total)
            if source.used >= WARN_AT:
                _log.warning("%s has encrypted %d values: %s", self._field_keys[id_][0], source.used, ADVICE)
        if len(totals) < len(counts):
            await self.refresh()

    async def close(self) -> None:
        """Report the last encryptions, and let go of keystore and provider. The snapshot stays usable."""
        if self._upkeep is not None:
            self._upkeep.cancel()
            with suppress(asyncio.CancelledError):
                await self._upkeep
            self._upkeep = None
        await _logged(self.flush(), "the last encryptions could not be counted")
        await self._keystore.close()
        await self._provider.close()

    async def _keep_up(self) -> None:
        """Flush and refresh for ever; errors are logged, and tried again."""
        pause = min(self._cache_ttl, FLUSH_INTERVAL)
        since_refresh = 0.0
        while True:
            await asyncio.sleep(pause)
            since_refresh += pause
            await _logged(self.flush(), "encryptions could not be counted, and will be later")
            if since_refresh >= self._cache_ttl and await _logged(
                self.refresh(), "keys could not be read again, those in memory stay in use"
            ):
                since_refresh = 0.0

    def _missing(self, needs: Iterable[KeyNeed]) -> list[KeyNeed]:
        return [need for need in needs if self._keyring.active(need.name, need.algorithm) is None]

    async def _make(self, needs: list[KeyNeed]) -> None:
        """Make what the keystore lacks of these keys, then take over all that it has."""

        async def create_missing(records: Records) -> list[KeyRecord]:
            made: list[KeyRecord] = []
            if self._lost(records):
                return made
            for need in needs:
                known = (*records, *made)
                if _active(known, KeyType.FEK, need.name, need.algorithm) is None:
                    made.extend(await self._make_one(known, need))
            return made

        try:
            records = await self._take_from(self._keystore.update(create_missing))
        except ProviderUnavailable:
            if self._missing(needs):
                raise
            return
        for need in self._missing(needs):
            for lost in sorted(self._lost(records), key=lambda record: record.name != need.name):
                raise KeystoreError(self._problems[lost.id])
            raise KeystoreError(f"the {need.algorithm} key of {need.name!r} does not open")

    async def _make_one(self, records: Records, need: KeyNeed) -> list[KeyRecord]:
        """The new record of one FEK, behind that of its DEK if this is new too."""
        made: list[KeyRecord] = []
        dek = _active(records, KeyType.DEK, need.dek, DEK_ALGORITHM)
        if dek is None:
            blank = new_record(records, KeyType.DEK, need.dek, DEK_ALGORITHM, self._master(records))
            dek, data_key = await create_dek(blank, self._provider)
            made.append(dek)
            self._data_keys[dek.id] = (dek, data_key)
        else:
            data_key = await self._data_key(dek)
        blank = new_record((*records, *made), KeyType.FEK, need.name, need.algorithm, dek)
        fek, _ = data_key.create(blank)
        _log.info("made a key for %r, version %d, %s", fek.name, fek.version, fek.algorithm)
        return [*made, fek]

    async def _refer_to_master(self, records: Records) -> list[KeyRecord]:
        if any(record.key_type is KeyType.MASTER for record in records):
            self._master(records)
            return []
        return [new_record(records, KeyType.MASTER, self._provider.reference, "local", None)]

    def _master(self, records: Records) -> KeyRecord:
        """The reference to this provider's master key. Raises KeystoreError if there is none."""
        masters = [record for record in records if record.key_type is KeyType.MASTER]
        for record in masters:
            if record.name == self._provider.reference and record.state.opens:
                return record
        if not masters:
            raise KeystoreError(f"{self._keystore.location}: is not set up: run pgveil keys init")
        raise KeystoreError(
            f"{self._keystore.location}: belongs to master key {masters[-1].name},"
            f" not to {self._provider.reference}"
        )

    async def _take_from(self, reading: Awaitable[Records]) -> Records:
        """Take over what the keystore has. An older copy of it shows, too, which keys are missing."""
        try:
            records = await reading
        except KeystoreOutdated as error:
            await self._take(error.records)
            raise
        await self._take(records)
        return records

    def _lost(self, records: Records) -> list[KeyRecord]:
        """The keys that the keystore has shown before, and lacks now."""
        present = {record.id for record in records}
        return [record for id_, record in self._seen.items() if id_ not in present]

    async def _take(self, records: Records) -> None:
        """Open what is new among the records, and put a new snapshot in place.

        Raises ProviderUnavailable, after that, if a DEK could not be opened now.
        """
        lost = {record.id: record for record in self._lost(records)}
        if not lost:  # otherwise that is what is wrong
            self._master(records)
        self._seen.update((record.id, record) for record in records if record.key_type is not KeyType.MASTER)
        problems, outage = await self._open_data_keys(records)
        field_keys: dict[UUID, tuple[KeyRecord, FieldKey]] = {}
        for record in (*records, *lost.values()):
            if record.key_type is KeyType.FEK and record.state.opens:
                try:
                    key = self._field_key(record)
                except KeystoreError as error:
                    problems[record.id] = str(error)
                else:
                    reads_only = record.id in lost or record.parent_id in lost
                    field_keys[record.id] = (record, key.for_reading() if reads_only else key)
        for record in lost.values():
            problems[record.id] = (
                f"{record} is missing from {self._keystore.location}: restore the keystore from its backup"
            )
        try:
            self._keyring = Keyring(key for _, key in field_keys.values())
        except ValueError as error:
            raise KeystoreError(f"{self._keystore.location}: {error}") from None
        self._field_keys = field_keys
        for id_ in problems.keys() - self._problems.keys():
            _log.error("%s", problems[id_])
        self._problems = problems
        if outage is not None:
            raise outage

    async def _open_data_keys(self, records: Records) -> tuple[dict[UUID, str], ProviderUnavailable | None]:
        """Open the DEKs that are new, all at once; returns those that do not open, and an outage."""
        deks = [record for record in records if record.key_type is KeyType.DEK and record.state.opens]
        opened = await asyncio.gather(*map(self._data_key, deks), return_exceptions=True)
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

    async def _data_key(self, record: KeyRecord) -> DataKey:
        known = self._data_keys.get(record.id)
        if known is not None and known[0].encrypted_key == record.encrypted_key:
            return known[1]
        opened = await open_dek(record, self._provider)
        self._data_keys[record.id] = (record, opened)
        return opened

    def _field_key(self, record: KeyRecord) -> FieldKey:
        known = self._field_keys.get(record.id)
        if known is not None and known[0].encrypted_key == record.encrypted_key:
            if known[1].nonces is not None:
                known[1].nonces.reported(0, record.encryptions)
            return known[1].in_state(record.state)
        parent = self._data_keys.get(record.parent_id) if record.parent_id else None
        if parent is None:
            raise KeystoreError(f"{record} waits for its dek")
        if record.algorithm not in SUITES:
            raise KeystoreError(f"{record} is of a later pgveil")
        return FieldKey(
            record.short_id,
            record.name,
            record.algorithm,
            record.version,
            record.state,
            parent[1].open(record),
            used=record.encryptions,
        )


async def _logged(work: Awaitable[object], failure: str) -> bool:
    """Await what must not end its caller; whether it succeeded. Unforeseen errors show their type only."""
    try:
        await work
    except CryptoError as error:
        _log.warning("%s: %s", failure, error)
    except Exception as error:
        _log.error("%s: %s", failure, type(error).__name__)
    else:
        return True
    return False


def _active(records: Iterable[KeyRecord], key_type: KeyType, name: str, algorithm: str) -> KeyRecord | None:
    for record in records:
        if (
            record.key_type is key_type
            and record.name == name
            and record.algorithm == algorithm
            and record.state is KeyState.ACTIVE
        ):
            return record
    return None
