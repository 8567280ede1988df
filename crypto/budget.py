"""How much field keys may still encrypt: reserved in the keystore before it is used (crypto/nonces.py).

The keystore's number of a key version is never lower than what all processes together have encrypted with it,
but for the debts of the last moments of processes that crashed: each has reserved a part of the number for
itself. Rarely used keys are reserved little of, so that starts do not eat their budget.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from functools import partial
from uuid import UUID

from crypto.events import KeyEvent, Observer
from crypto.keyring import FieldKey
from crypto.keystore import KeyRecord, Keystore
from crypto.nonces import ADVICE, WARN_AT, NonceSource

_log = logging.getLogger("pgveil.keys")


class Budget:
    """The reservations of one process. `low` is set when some key needs a new one: then `reserve`."""

    def __init__(self, keystore: Keystore, observe: Observer) -> None:
        self._keystore = keystore
        self._observe = observe
        self._records: dict[NonceSource, KeyRecord] = {}
        self._low: dict[NonceSource, None] = {}  # in the order in which they ran low
        self.low = asyncio.Event()

    def follow(self, keys: Iterable[tuple[KeyRecord, FieldKey]]) -> None:
        """These are the keys now. Of each that encrypts, or soon will, something is reserved beforehand."""
        now: dict[NonceSource, KeyRecord] = {}
        for record, key in keys:
            if (source := key.nonces) is not None:
                now[source] = record
                if source not in self._records:
                    source.on_low = partial(self._ran_low, source)
                if source.wanted and key.state.encrypts_soon:
                    self._ran_low(source)
        # Debts of keys that are gone are still to be counted.
        self._records = {s: record for s, record in self._records.items() if s.left < 0} | now

    async def reserve(self) -> bool:
        """Reserve what is wanted; whether the keystore knows all of these keys. Raises KeystoreError."""
        wanted = {source: count for source in self._low if (count := self._wanted(source))}
        self._low.clear()
        self.low.clear()
        try:
            return await self._count(wanted)
        except BaseException:
            for source in wanted:
                self._ran_low(source)
            raise

    async def give_back(self) -> None:
        """Return what was reserved and not used, and count every debt. Raises KeystoreError."""
        self._low.clear()
        self.low.clear()
        await self._count({source: -source.left for source in self._records if source.left})

    def _wanted(self, source: NonceSource) -> int:
        record = self._records.get(source)
        if record is not None and record.state.encrypts_soon:
            return source.wanted
        return 0 if record is None else max(0, -source.left)

    def _ran_low(self, source: NonceSource) -> None:
        self._low[source] = None
        self.low.set()

    async def _count(self, counts: dict[NonceSource, int]) -> bool:
        if not counts:
            return True
        by_id: dict[UUID, int] = {}
        for source, count in counts.items():
            id_ = self._records[source].id
            by_id[id_] = by_id.get(id_, 0) + count
        totals = await self._keystore.count(by_id)
        now = asyncio.get_running_loop().time()
        for source, count in counts.items():
            record = self._records[source]
            if (total := totals.get(record.id)) is not None:
                source.reserved(count, total, now)
                if total >= WARN_AT and count > 0:
                    _log.warning("%s has encrypted %d values: %s", record, total, ADVICE)
                    self._observe(KeyEvent.EXHAUSTING, record, {"encryptions": total})
        return len(totals) == len(by_id)
