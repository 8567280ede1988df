"""When which key is to be rotated: the records of a keystore, what the policy wants, and the time. Pure.

    a field key (FEK)        a new version after its class's time, or before its budget runs out
    a data key (DEK)         exchanged after its time; when it was replaced, destroyed after the window
    the master key           renewed after its time, where its provider can do that by itself

A deterministic field key is not rotated by time: its values have to move first. The data key of the audit
trail is never destroyed: old files of the trail are verified by it.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from crypto.chain_key import AUDIT
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord, Records
from crypto.master_rotation import RENEWED_AT
from crypto.nonces import ROTATE_AT
from crypto.record_index import RecordIndex
from crypto.rotation import RETIRED_AT, FieldVersion

OVERDUE_AFTER = timedelta(hours=1)  # what has been due for so long, nobody seems to care for


class Work(enum.Enum):
    """What is to be done with a key."""

    FIELD = "new version of a field key"
    TABLE = "new data key"
    MASTER = "new version of the master key"
    DESTROY = "destroy a data key that was replaced"


@dataclass(frozen=True)
class Schedule:
    """What the policy wants, in seconds; inf is never. `fields` are the field keys that it knows."""

    fields: Mapping[FieldVersion, float]
    tables: float
    master: float
    window: float
    automatic: bool


@dataclass(frozen=True)
class Turn:
    """What is to be done with a key version, and when (None: never).

    `automatic`: by whatever pgveil runs; otherwise somebody has to do it. `possible`: it can be done at all.
    """

    work: Work
    record: KeyRecord
    at: datetime | None
    automatic: bool
    possible: bool = True

    def due(self, now: datetime) -> bool:
        return self.possible and self.at is not None and self.at <= now

    def overdue(self, now: datetime) -> bool:
        return self.due(now - OVERDUE_AFTER)


def turns(records: Records, schedule: Schedule, now: datetime, *, versioned: bool) -> list[Turn]:
    """One for every key that is in use. `versioned`: the provider can make new versions of the master key."""
    index = RecordIndex(records)
    parents = {record.parent_id for record in records if record.state.opens}
    found = list(_fields(index, schedule, now))
    for record in records:
        if record.key_type is KeyType.DEK and record.state is KeyState.ACTIVE:
            found.append(
                Turn(Work.TABLE, record, _after(record.created_at, schedule.tables), schedule.automatic)
            )
        elif record.key_type is KeyType.DEK and record.state is KeyState.RETIRING:
            if (
                record.id not in parents
                and record.name != AUDIT
                and (since := _noted(record, RETIRED_AT)) is not None
            ):
                at = _after(since, schedule.window)
                found.append(Turn(Work.DESTROY, record, at, schedule.automatic))
        elif record.key_type is KeyType.MASTER and record.state is KeyState.ACTIVE:
            at = _after(_noted(record, RENEWED_AT) or record.created_at, schedule.master)
            found.append(Turn(Work.MASTER, record, at, schedule.automatic and versioned))
    return found


def _fields(index: RecordIndex, schedule: Schedule, now: datetime) -> Iterator[Turn]:
    for field, seconds in schedule.fields.items():
        if (record := field.find(index, KeyState.ACTIVE)) is None:
            continue
        if field.counted and record.encryptions >= ROTATE_AT:
            # Also where nothing else is automatic: without budget nothing could be written any more.
            yield Turn(Work.FIELD, record, now, automatic=True)
        else:
            at = _after(record.created_at, seconds)
            possible = not field.deterministic
            yield Turn(Work.FIELD, record, at, schedule.automatic and possible, possible)


def _after(start: datetime, seconds: float) -> datetime | None:
    try:
        return None if seconds == math.inf else start + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _noted(record: KeyRecord, name: str) -> datetime | None:
    try:
        return datetime.fromisoformat(record.metadata[name])
    except (KeyError, TypeError, ValueError):
        return None
