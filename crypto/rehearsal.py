"""A keystore that only seems to change: what a rotation would do, without doing it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

from crypto.keystore import Change, Keystore, Records, merge
from crypto.providers import Provider


class Rehearsal:
    """See `keystore.Keystore`: reads another one once, and keeps every change to itself."""

    def __init__(self, keystore: Keystore) -> None:
        self._keystore = keystore
        self._records: Records | None = None

    @property
    def location(self) -> str:
        return self._keystore.location

    async def create(self) -> None:
        """Nothing to do: there is one to read."""

    async def read(self) -> Records:
        if self._records is None:
            self._records = await self._keystore.read()
        return self._records

    async def update(self, change: Change) -> Records:
        records = await self.read()
        self._records = merge(records, await change(records))
        return self._records

    async def count(self, encryptions: Mapping[UUID, int]) -> Mapping[UUID, int]:
        return {r.id: r.encryptions for r in await self.read() if r.id in encryptions}

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[bool]:
        yield True

    async def admit(self, provider: Provider) -> None:
        """Nothing to do: nothing is kept."""

    async def dismiss_others(self, provider: Provider) -> None:
        """Nothing to do: nothing is kept."""

    async def changes(self) -> AsyncGenerator[None]:
        yield

    async def close(self) -> None:
        """Nothing to close: the keystore is its owner's."""
