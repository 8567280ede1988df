"""The key of a chain of records: from a DEK of its own, which the manager makes once."""

from __future__ import annotations

import copy
import hashlib
import hmac

import pytest

from crypto.chain_key import ChainKey
from crypto.errors import KeystoreError
from crypto.events import KeyEvent
from crypto.hierarchy import open_dek
from crypto.keyset import KeyType
from crypto.manager import KeyManager
from crypto.rotation import Rotator
from tests.crypto.stores import CountingProvider, MemoryKeystore

NAME = "pgveil.audit"


def test_hmac_sha256() -> None:
    key = ChainKey("0a0b0c0d", 1, b"k" * 32)
    mac = key.mac(b"data")
    assert mac == hmac.new(b"k" * 32, b"data", hashlib.sha256).hexdigest()
    assert key.verify(mac, b"data")
    assert not key.verify(mac.upper(), b"data")
    assert not key.verify(mac, b"date")
    assert not key.verify("é", b"data")


def test_it_does_not_show_itself() -> None:
    key = ChainKey("0a0b0c0d", 1, b"k" * 32)
    assert repr(key) == "<ChainKey 0a0b0c0d version 1>"
    with pytest.raises(TypeError):
        copy.copy(key)


async def test_two_processes_make_one() -> None:
    keystore, provider = MemoryKeystore(), CountingProvider()
    one, other = KeyManager(keystore, provider), KeyManager(keystore, provider)
    await one.create()
    assert one.chain_keys(NAME) == ()
    await one.ensure_chain(NAME)
    await other.ensure_chain(NAME)
    await one.ensure_chain(NAME)
    assert [record.name for record in keystore.records if record.key_type is KeyType.DEK] == [NAME]
    [mine], [theirs] = one.chain_keys(NAME), other.chain_keys(NAME)
    assert (mine.id, mine.mac(b"x")) == (theirs.id, theirs.mac(b"x"))


async def test_versions_keep_their_keys_through_rotations() -> None:
    keystore, provider = MemoryKeystore(), CountingProvider()
    manager = KeyManager(keystore, provider)
    await manager.create()
    await manager.ensure_chain(NAME)
    [first] = manager.chain_keys(NAME)
    await Rotator(keystore, provider).table(NAME)
    await manager.refresh()
    old, new = manager.chain_keys(NAME)
    assert old.mac(b"x") == first.mac(b"x") != new.mac(b"x")
    assert (old.version, new.version) == (1, 2)


async def test_it_is_no_other_key_of_the_same_dek() -> None:
    keystore, provider = MemoryKeystore(), CountingProvider()
    manager = KeyManager(keystore, provider)
    await manager.create()
    await manager.ensure_chain(NAME)
    [record] = [record for record in keystore.records if record.key_type is KeyType.DEK]
    dek = await open_dek(record, provider)
    assert record.encrypted_key is not None
    key = await provider.unwrap(record.encrypted_key, record.identity)
    assert dek.chain_key(record).mac(b"x") != ChainKey("", 1, key).mac(b"x")


async def test_a_key_that_is_lost_is_not_made_anew() -> None:
    keystore, provider = MemoryKeystore(), CountingProvider()
    events: list[KeyEvent] = []
    manager = KeyManager(keystore, provider, observe=lambda event, record, details: events.append(event))
    await manager.create()
    await manager.ensure_chain(NAME)
    keystore.lose(*(record for record in keystore.records if record.name == NAME))
    await manager.refresh()
    await manager.ensure_chain(NAME)
    assert len(manager.chain_keys(NAME)) == 1
    assert KeyEvent.MISSING in events
    other = KeyManager(keystore, provider)
    keystore.away = True
    with pytest.raises(KeystoreError):
        await other.ensure_chain(NAME)
