"""The key manager: reads the keystore, has the keys opened, makes missing ones, and counts what they encrypt.

Rule 1: the data path reads `keyring`, an immutable snapshot; it never waits for anything here.
Rule 2: an outage of the keystore or of the provider takes away no key that is open before `cache_ttl` and
        `grace` are over; it keeps new ones from being opened. It is logged, and tried again. After that every
        key is let go of, until somebody can be asked again.
Rule 3: a key whose record was altered is left out, never replaced: `ensure` makes a key only where the
        keystore has no active one.
Rule 4: a key that vanishes from the keystore is not replaced either. It is kept, for reading only, and no key
        at all is made until it is back: what is written under a key that the keystore lacks, or is made in
        an older copy of the keystore, would be lost with the next restart or the next restore.
Rule 5: records change only in `Keystore.update`, which lets one process in at a time and shows it what the
        others have done.
Rule 6: what others change is taken over as soon as the keystore tells of it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from uuid import UUID

from crypto.budget import Budget
from crypto.chain_key import ChainKey
from crypto.errors import (
    CryptoError,
    KeystoreError,
    KeystoreOutdated,
    KeystoreUnavailable,
    ProviderUnavailable,
)
from crypto.events import KeyEvent, Observer, unobserved
from crypto.hierarchy import DEK_ALGORITHM, DataKey, create_dek
from crypto.keyring import FieldKey, Keyring
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord, Keystore, Records
from crypto.opening import DEFAULT_LIMIT, OpenKeys, master_of
from crypto.providers import Provider
from crypto.record_index import RecordIndex
from crypto.rotation import Rotator
from crypto.secret import Secret
from crypto.trust import Trust

RETRY_INTERVAL = 2.0  # seconds between two tries while keystore or provider is away
LOOK_UP_INTERVAL = 1.0  # seconds in which unknown keys of envelopes cause one refresh at most

_log = logging.getLogger("pgveil.keys")


@dataclass(frozen=True)
class KeyNeed:
    """A field key that somebody is about to encrypt with: its name, the name of its DEK, its algorithm."""

    name: str
    dek: str
    algorithm: str


class KeyManager(Secret):
    """Owns the keys of one process. `load` first; `close` at the end.

    cache_ttl   seconds after which keystore and provider are asked again whether the keys are still good
    grace       seconds that keys are used beyond that while neither answers
    cache_size  how many field keys may be open at a time
    """

    def __init__(
        self,
        keystore: Keystore,
        provider: Provider,
        *,
        cache_ttl: float = 300.0,
        grace: float = math.inf,
        cache_size: int = DEFAULT_LIMIT,
        observe: Observer = unobserved,
    ) -> None:
        if cache_ttl <= 0:
            raise ValueError("cache_ttl must be positive")
        self._keystore = keystore
        self._provider = provider
        self._observe = observe
        self._keyring = Keyring()
        self._keys = OpenKeys(provider, keystore.location, observe, limit=cache_size)
        self._budget = Budget(keystore, observe)
        self._records: Records = ()
        self._lock = asyncio.Lock()
        self._upkeep: tuple[asyncio.Task[None], ...] = ()
        self._looked_up = -math.inf
        self.trust = Trust(cache_ttl, grace)

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
    def observe(self) -> Observer:
        """Who is told what happens to the keys."""
        return self._observe

    @property
    def records(self) -> Records:
        """What the keystore held when it was read the last time."""
        return self._records

    @property
    def problems(self) -> dict[UUID, str]:
        """Keys that do not open, or are missing from the keystore, and why."""
        return dict(self._keys.problems)

    @property
    def missing(self) -> bool:
        """Whether the keystore lacks a key that it has shown before: no key may be made in it then."""
        return bool(self._keys.lost(self._records))

    @property
    def outage(self) -> str | None:
        """Why the keys could not be read again the last time; None if they could."""
        return self.trust.outage

    def rotator(self) -> Rotator:
        """What rotates the keys of this keystore."""
        return Rotator(self._keystore, self._provider, observe=self._observe)

    async def create(self) -> None:
        """Set the keystore up for this provider's master key. Raises KeystoreError if it has another's."""
        await self._keystore.create()
        await self._keystore.update(self._refer_to_master)

    async def load(self, *, patient: bool = False) -> Keyring:
        """Read and open every key, and keep them up to date from then on.

        Raises KeystoreError or ProviderError if that is not possible at all; with `patient`, not where a
        later try may help: this one will be made. A single record that does not open is left out, with an
        error in the log.
        """
        try:
            await self.refresh()
        except (KeystoreUnavailable, ProviderUnavailable) as error:
            if not patient:
                raise
            _log.warning("keys cannot be read yet: %s", error)
        else:
            await self.reserve()
        if not self._upkeep:
            self._upkeep = (
                asyncio.create_task(self._keep_up(), name="pgveil keys"),
                asyncio.create_task(self._follow(), name="pgveil keystore"),
                asyncio.create_task(self._keep_reserves(), name="pgveil budget"),
            )
        return self._keyring

    async def refresh(self) -> Keyring:
        """Read the keystore now. Raises KeystoreError or ProviderError; keys that are open stay so."""
        async with self._lock:
            await self._take_from(self._keystore.read())
            return self._keyring

    async def look_up(self, key_id: bytes) -> FieldKey | None:
        """The key that an envelope names, after an UnknownKey: another process may have just made it.

        Reads the keystore at most once in LOOK_UP_INTERVAL, whatever envelopes name: anybody can make up
        a key id. Who comes within it waits for the next time. Raises KeystoreError or ProviderError.
        """
        if self._keys.want(lambda record: record.short_id == key_id):  # closed, since others were asked for
            await self.refresh()
        while (found := self._keyring.find(key_id)) is None:
            pause = self._looked_up + LOOK_UP_INTERVAL - _now()
            if pause <= 0:
                self._looked_up = _now()
                await self.refresh()
                return self._keyring.find(key_id)
            asked = self._looked_up
            await asyncio.sleep(pause)
            if self._looked_up != asked:  # somebody else has asked meanwhile
                async with self._lock:  # and has the answer by now
                    return self._keyring.find(key_id)
        return found

    async def ensure(self, needs: Iterable[KeyNeed]) -> Keyring:
        """The snapshot, with an active key for each need; missing ones are made, each by one process only.

        Costs nothing where nothing is missing. Raises KeystoreError or ProviderError.
        """
        if missing := self._missing(needs):
            async with self._lock:
                if missing := self._missing(missing):  # another task may have made them meanwhile
                    wanted = {(need.name, need.algorithm) for need in missing}
                    self._keys.want(lambda record: (record.name, record.algorithm) in wanted)
                    await self._make(missing)
            await self.reserve()
        return self._keyring

    def chain_keys(self, name: str) -> tuple[ChainKey, ...]:
        """The keys of a chain of records, by the name of its DEK: the versions that are open, newest last."""
        return self._keys.chain_keys(name)

    async def ensure_chain(self, name: str) -> None:
        """Make the DEK of a chain of records if it is missing. Raises KeystoreError or ProviderError."""
        if self._keys.chain_keys(name):
            return

        async def create_missing(records: Records) -> list[KeyRecord]:
            index = RecordIndex(records)
            known = index.find(KeyType.DEK, name, DEK_ALGORITHM, KeyState.ACTIVE)
            if known is not None or self._keys.lost(records):
                return []
            master = master_of(records, self._provider, self._keystore.location)
            return [(await self._make_data_key(index, master, name))[0]]

        async with self._lock:
            await self._take_from(self._keystore.update(create_missing))
        if not self._keys.chain_keys(name):
            raise KeystoreError(f"the data key {name!r} does not open")

    async def reserve(self) -> bool:
        """Reserve what keys may encrypt next; whether that could be done. If not, they go on in debt.

        A key that the keystore does not know any more may be missed here first.
        """

        async def work() -> None:
            if not await self._budget.reserve():
                await self.refresh()

        return await _logged(work(), "encryptions could not be counted, and will be later")

    async def close(self) -> None:
        """Give back what was reserved, and let go of keystore and provider. The snapshot stays usable."""
        for task in self._upkeep:
            task.cancel()
        await asyncio.gather(*self._upkeep, return_exceptions=True)
        self._upkeep = ()
        await _logged(self._budget.give_back(), "the last encryptions could not be counted")
        await self._keystore.close()
        await self._provider.close()

    async def _keep_up(self) -> None:
        """Refresh for ever; errors are logged, and tried again."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.trust.ttl):
                    await self.trust.troubled.wait()
                    await asyncio.sleep(RETRY_INTERVAL)
            if not await self._refreshed():
                await self._expire_if_due()

    async def _keep_reserves(self) -> None:
        """Reserve for ever, whenever a key runs low."""
        while True:
            await self._budget.low.wait()
            if not await self.reserve():
                await asyncio.sleep(RETRY_INTERVAL)

    async def _follow(self) -> None:
        """Refresh whenever the keystore tells of a change."""
        while True:
            try:
                async with aclosing(self._keystore.changes()) as changes:
                    async for _ in changes:
                        await self._refreshed()
            except Exception as error:
                _log.error("the keystore cannot be followed: %s", type(error).__name__)
            await asyncio.sleep(LOOK_UP_INTERVAL)

    async def _refreshed(self) -> bool:
        """Whether the keys could be read again. An outage is logged when it begins, changes and ends."""
        before = self.outage
        try:
            await self.refresh()
        except Exception as error:
            if not isinstance(error, CryptoError):
                self.trust.note(type(error).__name__)
            if self.outage != before:
                _log.warning("keys could not be read again, those in memory stay in use: %s", self.outage)
            return False
        if before is not None:
            _log.info("keys can be read again")
        return True

    async def _expire_if_due(self) -> None:
        """Let go of all keys that nobody could be asked about for too long."""
        if self.trust.over and len(self._keyring):
            age = self.trust.age
            await _logged(self._budget.give_back(), "encryptions could not be counted, and will be later")
            self._keyring = Keyring()
            self._keys.close()
            self._budget.follow(())
            _log.error("keys are let go of: neither keystore nor provider could be asked for %d s", age)
            self._observe(KeyEvent.EXPIRED, None, {"seconds": int(age)})

    def _missing(self, needs: Iterable[KeyNeed]) -> list[KeyNeed]:
        return [need for need in needs if self._keyring.active(need.name, need.algorithm) is None]

    async def _make(self, needs: list[KeyNeed]) -> None:
        """Make what the keystore lacks of these keys, then take over all that it has."""

        async def create_missing(records: Records) -> list[KeyRecord]:
            made: list[KeyRecord] = []
            if self._keys.lost(records):
                return made
            master = master_of(records, self._provider, self._keystore.location)
            index = RecordIndex(records)
            for need in needs:
                if index.find(KeyType.FEK, need.name, need.algorithm, KeyState.ACTIVE) is None:
                    made.extend(await self._make_one(index, master, need))
            return made

        try:
            records = await self._take_from(self._keystore.update(create_missing))
        except ProviderUnavailable:
            if self._missing(needs):
                raise
            return
        for need in self._missing(needs):
            for lost in sorted(self._keys.lost(records), key=lambda record: record.name != need.name):
                raise KeystoreError(self._keys.problems[lost.id])
            raise KeystoreError(f"the {need.algorithm} key of {need.name!r} does not open")

    async def _make_one(self, index: RecordIndex, master: KeyRecord, need: KeyNeed) -> list[KeyRecord]:
        """The new record of one FEK, behind that of its DEK if this is new too."""
        made: list[KeyRecord] = []
        dek = index.find(KeyType.DEK, need.dek, DEK_ALGORITHM, KeyState.ACTIVE)
        if dek is None:
            dek, data_key = await self._make_data_key(index, master, need.dek)
            made.append(dek)
        else:
            data_key = await self._keys.data_key(dek, master)
        fek, _ = data_key.create(index.blank(KeyType.FEK, need.name, need.algorithm, dek))
        index.add(fek)
        self._observe(KeyEvent.MADE, fek, {})
        _log.info("made a key for %r, version %d, %s", fek.name, fek.version, fek.algorithm)
        return [*made, fek]

    async def _make_data_key(
        self, index: RecordIndex, master: KeyRecord, name: str
    ) -> tuple[KeyRecord, DataKey]:
        """The new record of a DEK, and the key."""
        dek, data_key = await create_dek(
            index.blank(KeyType.DEK, name, DEK_ALGORITHM, master), self._provider
        )
        index.add(dek)
        self._keys.keep(dek, data_key)
        self._observe(KeyEvent.MADE, dek, {"provider": self._provider.reference})
        return dek, data_key

    async def _refer_to_master(self, records: Records) -> list[KeyRecord]:
        if any(record.key_type is KeyType.MASTER for record in records):
            master_of(records, self._provider, self._keystore.location)
            return []
        reference = self._provider.reference
        kind = reference.partition(":")[0]
        return [RecordIndex(records).blank(KeyType.MASTER, reference, kind, None)]

    async def _take_from(self, reading: Awaitable[Records]) -> Records:
        """Take over what the keystore has. An older copy of it shows, too, which keys are missing."""
        try:
            await self._provider.refresh()
            try:
                records = await reading
            except KeystoreOutdated as error:
                await self._take(error.records)
                raise
            await self._take(records)
        except CryptoError as error:
            self.trust.note(str(error))
            raise
        self.trust.note(None)
        return records

    async def _take(self, records: Records) -> None:
        """Open what is new among the records, and put a new snapshot in place.

        Raises ProviderError, after that, if the provider does not do its part.
        """
        asked = self._keys.asked
        self._keyring, outage = await self._keys.take(records)
        self._records = records
        self._budget.follow(self._keys.field_keys)
        if outage is not None:
            raise outage
        if self._keys.asked == asked:
            if self.trust.age < self.trust.ttl:
                return
            await self._keys.probe()
        self.trust.renew()


def _now() -> float:
    return asyncio.get_running_loop().time()


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
