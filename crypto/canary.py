"""A mark that a field key leaves in its own record, by which the key is known again later.

    metadata: {"canary": <ASCII envelope of TEXT>, "fingerprint": <32 hexadecimal digits>}

The canary was sealed by the key, as values are: whatever opens it is the key that has sealed them. The
fingerprint says the same to whoever has no key, such as a database that knows which keys it was written with.
Neither tells anything of the key.
"""

from __future__ import annotations

from dataclasses import replace

from crypto.envelope import length_prefixed
from crypto.errors import DecryptionError
from crypto.kdf import hkdf_sha256
from crypto.keyring import FieldKey
from crypto.keyset import KeyState
from crypto.keystore import KeyRecord

FAMILY = "pgveil.canary"  # no logical type is called so: no canary opens as a value, and no value as one
TEXT = b"pgveil canary"
FINGERPRINT_BYTES = 16


def marked(record: KeyRecord, key: bytes) -> KeyRecord:
    """A FEK's record with canary and fingerprint; one that it has already stays."""
    marks = {"fingerprint": fingerprint(record, key)}
    if canary_of(record) is None:
        marks["canary"] = _field_key(record, key).ascii_sealer(FAMILY)(TEXT).decode()
    return replace(record, metadata={**record.metadata, **marks})


def fingerprint(record: KeyRecord, key: bytes) -> str:
    """Names the key of a FEK's record, whatever wraps it."""
    info = length_prefixed(b"pgveil v1 fek fingerprint", record.name.encode(), record.algorithm.encode())
    return hkdf_sha256(key, salt=record.id.bytes, info=info, length=FINGERPRINT_BYTES).hex()


def canary_of(record: KeyRecord) -> str | None:
    """The canary that a record holds."""
    found = record.metadata.get("canary")
    return found if isinstance(found, str) else None


def fingerprint_of(record: KeyRecord) -> str | None:
    """The fingerprint that a record holds."""
    found = record.metadata.get("fingerprint")
    return found if isinstance(found, str) else None


def opens(canary: str, record: KeyRecord, key: bytes) -> bool:
    """Whether this key has sealed a canary."""
    return known_by(canary, _field_key(record, key))


def known_by(canary: str, key: FieldKey) -> bool:
    """Whether this open key has sealed a canary."""
    try:
        return key.ascii_opener(FAMILY)(canary.encode()) == TEXT
    except DecryptionError:
        return False


def _field_key(record: KeyRecord, key: bytes) -> FieldKey:
    return FieldKey(record.short_id, record.name, record.algorithm, record.version, KeyState.ACTIVE, key)
