"""Stand-ins for the key manager's tests: a keystore in memory, and a provider that can go away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from crypto.errors import KeystoreUnavailable, ProviderUnavailable
from crypto.keyset import KeyType
from crypto.keystore import Change, KeyRecord, Records, merge
from crypto.master_rotation import RENEWED_AT
from crypto.providers import Provider
from crypto.providers.local import LocalProvider
from crypto.record_index import RecordIndex
from crypto.rotation import RETIRED_AT


def new_record(
    records: Iterable[KeyRecord], key_type: KeyType, name: str, algorithm: str, parent: KeyRecord | None
) -> KeyRecord:
    """A blank record of the next version of a key."""
    return RecordIndex(records).blank(key_type, name, algorithm, parent)


class MemoryKeystore:
    """A keystore that several managers may share, as if they were processes."""

    location = "memory"

    def __init__(self) -> None:
        self.records: Records = ()
        self.away = False
        self.reads = 0
        self._lock = asyncio.Lock()
        self._visited = False

    def put(self, *records: KeyRecord) -> None:
        """Change records behind the managers' backs."""
        self.records = merge(self.records, records)

    def lose(self, *records: KeyRecord) -> None:
        """Take records away behind the managers' backs."""
        gone = {record.id for record in records}
        self.records = tuple(record for record in self.records if record.id not in gone)

    def age(self, days: float) -> None:
        """Make every key older, and whatever happened to it longer ago."""
        past = timedelta(days=days)
        for record in self.records:
            times = {
                name: (datetime.fromisoformat(record.metadata[name]) - past).isoformat()
                for name in (RETIRED_AT, RENEWED_AT)
                if name in record.metadata
            }
            metadata = {**record.metadata, **times}
            self.put(replace(record, created_at=record.created_at - past, metadata=metadata))

    async def create(self) -> None:
        self._answer()

    async def read(self) -> Records:
        self._answer()
        self.reads += 1
        return self.records

    async def update(self, change: Change) -> Records:
        async with self._lock:
            self._answer()
            await asyncio.sleep(0)  # so that whoever else wants to come in between tries to
            changed = await change(self.records)
            self.records = merge(self.records, changed)
            return self.records

    async def count(self, encryptions: Mapping[UUID, int]) -> Mapping[UUID, int]:
        self._answer()
        known = [record for record in self.records if record.id in encryptions]
        counted = [record.counted(encryptions[record.id]) for record in known]
        self.put(*counted)
        return {record.id: record.encryptions for record in counted}

    async def admit(self, provider: Provider) -> None:
        self._answer()

    async def dismiss_others(self, provider: Provider) -> None:
        self._answer()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[bool]:
        self._answer()
        if self._visited:
            yield False
            return
        self._visited = True
        try:
            yield True
        finally:
            self._visited = False

    async def changes(self) -> AsyncGenerator[None]:
        seen: Records | None = None
        while True:
            if self.records is not seen:
                seen = self.records
                yield
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        pass

    def _answer(self) -> None:
        if self.away:
            raise KeystoreUnavailable("memory: does not answer")


class CountingProvider(LocalProvider):
    """A local provider that counts what it is asked, and can go away."""

    __slots__ = ("asked", "away")

    def __init__(self, master_key: bytes = bytes(32)) -> None:
        super().__init__(master_key)
        self.asked = 0
        self.away = False

    async def wrap(self, key: bytes, context: bytes) -> bytes:
        self._answer()
        return await super().wrap(key, context)

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        self._answer()
        return await super().unwrap(wrapped, context)

    def _answer(self) -> None:
        self.asked += 1
        if self.away:
            raise ProviderUnavailable("the provider does not answer")


class VersionedProvider(CountingProvider):
    """One whose master key has versions; all of them are the same bytes here."""

    __slots__ = ("versions",)

    def __init__(self) -> None:
        super().__init__()
        self.versions = 1

    async def rotate(self) -> None:
        self.versions += 1

    async def rewrap(self, wrapped: bytes, context: bytes) -> bytes:
        return await self.wrap(await self.unwrap(wrapped, context), context)
