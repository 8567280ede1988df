"""Keys out of their wrappings: what an export is made of. They exist in memory only.

Dangerous by design, and so in a module of its own: whoever holds a PlainKey holds the key.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from crypto.errors import KeystoreError
from crypto.hierarchy import DataKey, unwrap_dek
from crypto.keyset import KeyType
from crypto.keystore import KeyRecord, Records
from crypto.opening import master_of
from crypto.providers import Provider
from crypto.record_json import from_json, to_json
from crypto.secret import Secret
from crypto.wrappings import only, under

_AT_ONCE = 16  # calls of a provider


@dataclass(frozen=True, slots=True, repr=False)
class PlainKey(Secret):
    """A DEK or FEK: its record, with nothing wrapped in it, and the key; None once it is destroyed."""

    record: KeyRecord
    key: bytes | None


@dataclass(frozen=True, slots=True, repr=False)
class Opened(Secret):
    """What of a keystore opens, and of what does not, why."""

    keys: tuple[PlainKey, ...]
    problems: Mapping[UUID, str]


async def open_all(records: Records, provider: Provider, location: str) -> Opened:
    """Every DEK and FEK of a keystore. Raises KeystoreError, ProviderUnavailable where none can be had."""
    master = master_of(records, provider, location)
    keys: list[PlainKey] = []
    problems: dict[UUID, str] = {}
    data_keys: dict[UUID, DataKey] = {}
    turns = asyncio.Semaphore(_AT_ONCE)

    async def unwrap(dek: KeyRecord) -> bytes | KeystoreError:
        async with turns:
            try:
                return await unwrap_dek(under(dek, master.id), provider)
            except KeystoreError as error:
                return error

    alive = [record for record in records if record.key_type is KeyType.DEK and record.state.opens]
    for dek, found in zip(alive, await asyncio.gather(*map(unwrap, alive)), strict=True):
        if isinstance(found, KeystoreError):
            problems[dek.id] = str(found)
        else:
            keys.append(PlainKey(_bare(only(dek, master.id)), found))
            data_keys[dek.id] = DataKey(dek.id, found)
    for record in records:
        if record.key_type is KeyType.FEK and record.state.opens:
            parent = data_keys.get(record.parent_id) if record.parent_id else None
            try:
                if parent is None:
                    raise KeystoreError(f"{record} waits for its dek")
                keys.append(PlainKey(_bare(record), parent.open(record)))
            except KeystoreError as error:
                problems[record.id] = str(error)
        elif record.key_type is not KeyType.MASTER and not record.state.opens:
            keys.append(PlainKey(_bare(record), None))
    return Opened(tuple(keys), problems)


async def gather(records: Records, provider: Provider, location: str) -> tuple[PlainKey, ...]:
    """The same, all of them. Raises KeystoreError if one does not open: a backup lacks nothing."""
    opened = await open_all(records, provider, location)
    for problem in opened.problems.values():
        raise KeystoreError(f"{location}: {problem}")
    return opened.keys


def to_bytes(keys: tuple[PlainKey, ...]) -> bytes:
    """The content of an export, in clear (docs/envelope.md)."""
    return json.dumps({"keys": [_to_json(key) for key in keys]}, separators=(",", ":")).encode()


def from_bytes(content: bytes) -> tuple[PlainKey, ...]:
    """Read it again. Raises ValueError where it is none."""
    try:
        return tuple(_from_json(fields) for fields in json.loads(content)["keys"])
    except (KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError from None


def _to_json(key: PlainKey) -> dict[str, Any]:
    fields = to_json(key.record)
    del fields["encrypted_key"], fields["key_hash"]
    return {**fields, "key": None if key.key is None else base64.b64encode(key.key).decode()}


def _from_json(fields: Mapping[str, Any]) -> PlainKey:
    key = None if fields["key"] is None else base64.b64decode(fields["key"], validate=True)
    record = from_json({**fields, "encrypted_key": None, "key_hash": None})
    if record.key_type is KeyType.MASTER or record.state.opens == (key is None):
        raise ValueError
    return PlainKey(record, key)


def _bare(record: KeyRecord) -> KeyRecord:
    return replace(record, encrypted_key=None, key_hash=None)
