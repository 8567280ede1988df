"""Compares a keystore with what a database remembers of the keys that it was written with.

    the database knows a key that the keystore lacks      another keystore, or an older copy of it
    both know it, and it is not the same key              the keystore of another database
    the keystore has a key that the database lacks        an older dump of the database, or a new database

The first two must not be written with: what is sealed there would be lost with the next restore, or what is
there cannot be read. The third may be as it should be.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from crypto.canary import canary_of, fingerprint_of, known_by
from crypto.keyring import Keyring
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord


@dataclass(frozen=True, slots=True)
class Known:
    """What a database remembers of a key."""

    id: UUID
    name: str
    version: int
    fingerprint: str
    canary: str

    def __str__(self) -> str:
        return f"fek {self.name!r} version {self.version}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Where database and keystore differ."""

    missing: tuple[Known, ...]  # the keystore lacks them
    strange: tuple[Known, ...]  # the keystore has another key in their place
    unknown: tuple[KeyRecord, ...]  # the database has never heard of them
    known: int  # how many keys the database remembers


def compare(records: Iterable[KeyRecord], ring: Keyring, remembered: Iterable[Known]) -> Comparison:
    """What of the two does not fit. A canary counts where its key is open, the fingerprint always."""
    feks = {record.id: record for record in records if record.key_type is KeyType.FEK}
    known = {one.id: one for one in remembered}
    shared = [(one, feks[id_]) for id_, one in known.items() if id_ in feks]
    return Comparison(
        missing=tuple(one for id_, one in known.items() if id_ not in feks),
        strange=tuple(one for one, record in shared if not _is_same(one, record, ring)),
        unknown=tuple(
            record
            for id_, record in feks.items()
            if id_ not in known and record.state in (KeyState.ACTIVE, KeyState.RETIRING)
        ),
        known=len(known),
    )


def remember(record: KeyRecord) -> Known | None:
    """What a database is to remember of a FEK; None where the key has no marks, from an earlier release."""
    fingerprint, canary = fingerprint_of(record), canary_of(record)
    if record.key_type is not KeyType.FEK or fingerprint is None or canary is None:
        return None
    return Known(record.id, record.name, record.version, fingerprint, canary)


def _is_same(one: Known, record: KeyRecord, ring: Keyring) -> bool:
    if (noted := fingerprint_of(record)) is not None and noted != one.fingerprint:
        return False
    key = ring.find(record.short_id)
    return record.name == one.name and (key is None or known_by(one.canary, key))
