"""A DEK under two master keys at once, for as long as one of them takes the other's place.

A DEK's record holds one wrapping in `encrypted_key`, with the master key that made it as its parent. While
the master key is rotated the metadata holds more of them, by the id of their master's record:

    metadata: {"wrappings": {<id of a master record>: {"key": base64, "hash": base64}}}

So that processes with the old master key and processes with the new one open the same DEK, and nothing has
to happen to all of them at one moment. Each wrapping is bound to the identity that the record has under its
own master (docs/envelope.md).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from crypto.errors import KeystoreError
from crypto.keyset import KeyState
from crypto.keystore import KeyRecord

_FIELD = "wrappings"


def masters_of(record: KeyRecord) -> frozenset[UUID]:
    """The masters that can open a DEK."""
    others = {UUID(id_) for id_ in _others(record)}
    return frozenset(others if record.parent_id is None else {record.parent_id, *others})


def under(record: KeyRecord, master: UUID) -> KeyRecord:
    """A DEK's record with the wrapping of this master as its own. Raises KeystoreError if it has none."""
    if record.parent_id == master:
        return record
    try:
        wrapping = _others(record)[str(master)]
        key, hash_ = (base64.b64decode(wrapping[name], validate=True) for name in ("key", "hash"))
    except (KeyError, TypeError, ValueError):
        raise KeystoreError(f"{record} is not wrapped by this master key") from None
    return replace(record, parent_id=master, encrypted_key=key, key_hash=hash_)


def also(record: KeyRecord, other: KeyRecord) -> KeyRecord:
    """The record with one wrapping more: that which `other`, the same record, has as its own."""
    assert other.id == record.id
    if other.parent_id == record.parent_id:
        return record
    return _with(record, {**_others(record), str(other.parent_id): _wrapping(other)})


def promoted(record: KeyRecord, master: UUID) -> KeyRecord:
    """The record with the wrapping of this master as its own; the one that it had stays beside it."""
    if record.parent_id == master:
        return record
    own = under(record, master)
    others = {id_: wrapping for id_, wrapping in _others(record).items() if id_ != str(master)}
    return _with(own, {**others, str(record.parent_id): _wrapping(record)})


def only(record: KeyRecord, master: UUID) -> KeyRecord:
    """The record with the wrapping of this master, and no other."""
    return _with(under(record, master), {})


def destroyed(record: KeyRecord) -> KeyRecord:
    """A DEK's record without any wrapping: nobody can open it any more."""
    return _with(record.advanced(KeyState.DESTROYED), {})


def _others(record: KeyRecord) -> Mapping[str, Any]:
    others: Mapping[str, Any] = record.metadata.get(_FIELD, {})
    return others


def _wrapping(record: KeyRecord) -> dict[str, str]:
    assert record.encrypted_key is not None
    assert record.key_hash is not None
    return {
        name: base64.b64encode(data).decode()
        for name, data in (("key", record.encrypted_key), ("hash", record.key_hash))
    }


def _with(record: KeyRecord, others: Mapping[str, Any]) -> KeyRecord:
    rest = {name: value for name, value in record.metadata.items() if name != _FIELD}
    return replace(record, metadata={**rest, _FIELD: dict(others)} if others else rest)
