"""Proves every key of a keystore: it opens, and it is the key that sealed its canary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from crypto.canary import canary_of, fingerprint, fingerprint_of, marked, opens
from crypto.keyset import KeyType
from crypto.keystore import KeyRecord, Keystore, Records
from crypto.plain_keys import Opened, open_all
from crypto.providers import Provider

UNMARKED = "has no canary yet: run pgveil keys verify --repair"


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found: the records, how many field keys are proved, and what is wrong with others."""

    records: Records
    proved: int
    problems: tuple[str, ...]


async def verify(keystore: Keystore, provider: Provider) -> Proof:
    """Open every key and its canary. Raises KeystoreError or ProviderError where none can be had."""
    records = await keystore.read()
    opened = await open_all(records, provider, keystore.location)
    faults = [_fault(record, key) for record, key in _field_keys(opened)]
    found = [fault for fault in faults if fault is not None]
    return Proof(records, len(faults) - len(found), (*opened.problems.values(), *found))


async def repair(keystore: Keystore, provider: Provider) -> int:
    """Give a canary to each field key that has none, from an earlier release; returns how many."""
    repaired: list[KeyRecord] = []

    async def change(records: Records) -> Iterable[KeyRecord]:
        opened = await open_all(records, provider, keystore.location)
        known = {record.id: record for record in records}
        repaired[:] = [
            marked(known[record.id], key)
            for record, key in _field_keys(opened)
            if canary_of(record) is None or fingerprint_of(record) is None
        ]
        return repaired

    await keystore.update(change)
    return len(repaired)


def _field_keys(opened: Opened) -> list[tuple[KeyRecord, bytes]]:
    return [
        (key.record, key.key)
        for key in opened.keys
        if key.key is not None and key.record.key_type is KeyType.FEK
    ]


def _fault(record: KeyRecord, key: bytes) -> str | None:
    canary, noted = canary_of(record), fingerprint_of(record)
    if canary is None or noted is None:
        return f"{record} {UNMARKED}"
    if not opens(canary, record, key):
        return f"{record} does not open its canary: its record was altered"
    if noted != fingerprint(record, key):
        return f"{record} has another fingerprint than its record says: its record was altered"
    return None
