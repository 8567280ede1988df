"""A keystore with a history, for the tests of exports: two tables, three algorithms, a rotation."""

from __future__ import annotations

from dataclasses import dataclass, field

from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord
from crypto.manager import KeyManager, KeyNeed
from crypto.plain_keys import PlainKey, gather
from crypto.providers.local import LocalProvider
from crypto.rotation import FieldVersion, Rotator
from tests.crypto.stores import CountingProvider, MemoryKeystore

EMAIL = KeyNeed("public.users.email", "public.users", "aes-256-gcm")
PHONE = KeyNeed("public.users.phone", "public.users", "aes-siv")
QUERY = KeyNeed("public.conversations.user_query", "public.conversations", "chacha20-poly1305")
NEEDS = (EMAIL, PHONE, QUERY)
OLD, NEW = CountingProvider(bytes(32)), LocalProvider(bytes([1]) * 32)


@dataclass
class Site:
    """A keystore and its master key, and values under its keys."""

    keystore: MemoryKeystore = field(default_factory=MemoryKeystore)
    provider: LocalProvider = OLD
    values: dict[KeyNeed, list[bytes]] = field(default_factory=dict)

    @property
    def manager(self) -> KeyManager:
        """Another process that comes along."""
        return KeyManager(self.keystore, self.provider)

    async def begin(self) -> Site:
        await self.manager.create()
        return self

    async def write(self) -> None:
        ring = await self.manager.ensure(NEEDS)
        for need in NEEDS:
            key = ring.active(need.name, need.algorithm)
            assert key is not None
            self.values.setdefault(need, []).append(key.sealer("text")(b"value"))

    async def exported(self) -> tuple[PlainKey, ...]:
        return await gather(self.keystore.records, self.provider, "memory")

    async def reads(self, values: dict[KeyNeed, list[bytes]]) -> bool:
        manager = self.manager
        ring = await manager.refresh()
        assert manager.problems == {}
        openers = {need: ring.opener(need.name, need.algorithm, "text") for need in values}
        return all(openers[need](sealed) == b"value" for need in values for sealed in values[need])

    def keys(self) -> dict[tuple[str, int], KeyRecord]:
        return {(r.name, r.version): r for r in self.keystore.records if r.key_type is not KeyType.MASTER}

    def destroy(self, *names: str) -> None:
        """Take FEKs away, whatever is under them."""
        for record in self.keystore.records:
            if record.key_type is KeyType.FEK and record.name in names:
                if record.state is KeyState.ACTIVE:
                    record = record.advanced(KeyState.RETIRING)
                self.keystore.put(record.advanced(KeyState.DESTROYED))


async def lived_in() -> Site:
    """EMAIL has two versions, the users' data key too; everything has values."""
    site = await Site().begin()
    await site.write()
    rotator = Rotator(site.keystore, site.provider, settle=0)
    await rotator.field(FieldVersion(EMAIL.name, EMAIL.algorithm))
    await rotator.table(EMAIL.dek)
    await site.write()
    return site
