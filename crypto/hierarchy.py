"""How keys are made and opened: master key -> data encryption key (DEK) -> field encryption key (FEK).

A DEK is 32 random bytes, wrapped by the master key's provider. A FEK is HKDF-SHA256 of its DEK and a random
salt, and then is stored wrapped by the DEK: to rotate a DEK is to wrap its FEKs anew, and rewrites no row.
A wrapped key is bound to its record's identity twice: by the wrap's associated data, and by the key hash,
which also holds where a provider cannot bind.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import replace
from uuid import UUID

from crypto.canary import marked
from crypto.chain_key import MAC_BYTES, ChainKey
from crypto.envelope import SUITES, length_prefixed
from crypto.errors import DecryptionError, KeystoreError, ProviderError, ProviderUnavailable
from crypto.kdf import hkdf_sha256
from crypto.keystore import KeyRecord
from crypto.providers import Provider
from crypto.secret import Secret
from crypto.wrapping import WrappingKey

DEK_BYTES = 32
SALT_BYTES = 32
DEK_ALGORITHM = "aes-256-gcm"  # what it wraps with


class DataKey(Secret):
    """An opened DEK: wraps FEKs, and derives new ones."""

    __slots__ = ("_key", "_wrapping", "id")

    def __init__(self, id: UUID, key: bytes) -> None:  # noqa: A002  the record's id
        self.id = id
        self._key = key
        self._wrapping = WrappingKey(key)

    def create(self, record: KeyRecord) -> tuple[KeyRecord, bytes]:
        """Make the key of a new FEK's record; returns the record with the key wrapped, and the key."""
        key = hkdf_sha256(
            self._key,
            salt=os.urandom(SALT_BYTES),
            info=length_prefixed(
                b"pgveil v1 fek",
                record.name.encode(),
                str(record.version).encode(),
                record.algorithm.encode(),
            ),
            length=SUITES[record.algorithm].key_bytes,
        )
        return self.sealed(marked(record, key), key), key

    def sealed(self, record: KeyRecord, key: bytes) -> KeyRecord:
        """A FEK's record, with its key wrapped by this DEK."""
        mine = replace(record, parent_id=self.id)
        return _sealed(mine, key, self._wrapping.wrap(key, mine.identity))

    def adopt(self, record: KeyRecord, parent: DataKey) -> KeyRecord:
        """A FEK's record, wrapped by this DEK instead of `parent`. Raises KeystoreError if it was altered."""
        key = parent.open(record)
        return self.sealed(replace(record, rotation_count=record.rotation_count + 1), key)

    async def wrapped_by(self, provider: Provider, record: KeyRecord) -> KeyRecord:
        """This DEK's record, with its key wrapped by a master key: that of the record's parent."""
        return _sealed(record, self._key, await provider.wrap(self._key, record.identity))

    def chain_key(self, record: KeyRecord) -> ChainKey:
        """The key of a chain of records; `record` is this DEK's own, and it wraps no FEK."""
        info = length_prefixed(b"pgveil v1 chain", record.name.encode())
        key = hkdf_sha256(self._key, salt=b"", info=info, length=MAC_BYTES)
        return ChainKey(record.short_id.hex(), record.version, key)

    def open(self, record: KeyRecord) -> bytes:
        """The key of a FEK's record. Raises KeystoreError if the record was altered."""
        if record.encrypted_key is None or record.parent_id != self.id:
            raise _altered(record)
        try:
            key = self._wrapping.unwrap(record.encrypted_key, record.identity)
        except DecryptionError:
            raise _altered(record) from None
        return _verified(record, key)


def is_key_of(record: KeyRecord, key: bytes) -> bool:
    """Whether a record was made for this key, whoever has wrapped it."""
    return record.key_hash is not None and hmac.compare_digest(record.key_hash, _key_hash(record, key))


async def create_dek(record: KeyRecord, provider: Provider) -> tuple[KeyRecord, DataKey]:
    """Make the key of a new DEK's record; returns the record with the key wrapped, and the key."""
    data_key = DataKey(record.id, os.urandom(DEK_BYTES))
    return await data_key.wrapped_by(provider, record), data_key


async def open_dek(record: KeyRecord, provider: Provider) -> DataKey:
    """An opened DEK. Raises KeystoreError, ProviderUnavailable, as `unwrap_dek` does."""
    return DataKey(record.id, await unwrap_dek(record, provider))


async def unwrap_dek(record: KeyRecord, provider: Provider) -> bytes:
    """Unwrap a DEK. Raises KeystoreError if it was altered, ProviderUnavailable if the provider is away."""
    if record.encrypted_key is None:
        raise _altered(record)
    try:
        key = await provider.unwrap(record.encrypted_key, record.identity)
    except ProviderUnavailable:
        raise
    except ProviderError as error:
        raise KeystoreError(f"{record} does not open: {error}") from None
    return _verified(record, key)


def _key_hash(record: KeyRecord, key: bytes) -> bytes:
    """HMAC-SHA256 of the record's identity under a key derived from the key itself: reveals nothing of it."""
    hash_key = hkdf_sha256(key, salt=b"", info=b"pgveil v1 key hash", length=32)
    return hmac.digest(hash_key, record.identity, hashlib.sha256)


def _sealed(record: KeyRecord, key: bytes, wrapped: bytes) -> KeyRecord:
    return replace(record, encrypted_key=wrapped, key_hash=_key_hash(record, key))


def _verified(record: KeyRecord, key: bytes) -> bytes:
    if not is_key_of(record, key):
        raise _altered(record)
    return key


def _altered(record: KeyRecord) -> KeystoreError:
    return KeystoreError(f"{record} does not open: its record was altered, or belongs elsewhere")
