"""What a rotation of the master key has to do with every holder that has versions."""

from __future__ import annotations

from crypto.keyset import KeyType
from crypto.manager import KeyManager, KeyNeed
from crypto.master_rotation import renew
from crypto.providers.service import ServiceProvider
from tests.crypto.stores import MemoryKeystore

EMAIL = KeyNeed("public.users.email", "public.users", "aes-256-gcm")
QUERY = KeyNeed("public.queries.text", "public.queries", "aes-256-gcm")


async def renews(provider: ServiceProvider) -> None:
    """A new version wraps every data key, and a process that starts then reads what was written before."""
    keystore = MemoryKeystore()
    manager = KeyManager(keystore, provider)
    await manager.create()
    await manager.ensure([EMAIL, QUERY])
    key = manager.keyring.active(EMAIL.name, EMAIL.algorithm)
    assert key is not None
    sealed = key.sealer("text")(b"value")
    before = {record.id: record.encrypted_key for record in keystore.records}
    assert await renew(keystore, provider) == 2
    for record in keystore.records:
        assert (record.encrypted_key != before[record.id]) is (record.key_type is KeyType.DEK)
    another = KeyManager(keystore, provider)
    ring = await another.refresh()
    assert another.problems == {}
    assert ring.opener(EMAIL.name, EMAIL.algorithm, "text")(sealed) == b"value"
