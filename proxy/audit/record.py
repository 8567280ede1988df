"""What a record of the trail says: an event, who caused it, and a few names and numbers. Pure."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from crypto.events import KeyEvent
from crypto.keystore import KeyRecord

LONGEST = 256  # bytes of a text as JSON: what clients name themselves is theirs to choose, and may be long

Scalar = str | int
Fields = tuple[tuple[str, Scalar], ...]


class Event(enum.Enum):
    """What can happen, beside what happens to keys (crypto/events.py)."""

    STARTED = "started"
    STOPPED = "stopped"
    COMMAND = "command run"
    RELOADED = "policy reloaded"
    NOT_RELOADED = "policy not reloaded"
    LOGIN_FAILED = "login failed"
    REFUSED = "statement refused"
    NOT_OPENED = "value not opened"
    # of the trail itself
    OPENED = "trail opened"
    SEALED = "trail sealed"
    TORN = "line torn"
    DAMAGED = "trail damaged"
    LOST = "records lost"


EVENTS = tuple(event.value for event in (*Event, *KeyEvent))


@dataclass(frozen=True, slots=True)
class Entry:
    """One event, before it has its place in a chain; `count` of them, if they were all alike until `last`.

    Times are seconds since 1970.
    """

    event: str
    time: float
    actor: str
    fields: Fields = ()
    count: int = 1
    last: float = 0.0


def fields_of(given: Mapping[str, Scalar | None]) -> Fields:
    """Those that are there, with long texts cut short."""
    return tuple(
        (name, clipped(value) if isinstance(value, str) else value)
        for name, value in given.items()
        if value is not None
    )


def key_fields(record: KeyRecord) -> dict[str, Scalar]:
    """What names a key version, and says nothing of the key."""
    return {
        "key": record.short_id.hex(),
        "key_type": record.key_type.value,
        "key_name": record.name,
        "key_version": record.version,
        "algorithm": record.algorithm,
    }


def timestamp(seconds: float) -> str:
    """ISO 8601 in UTC, to the microsecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def clipped(text: str) -> str:
    """The text, or the beginning of it that is not longer than LONGEST bytes as JSON."""
    if len(text) * 12 + 2 <= LONGEST or len(json.dumps(text)) <= LONGEST:
        return text
    text = text[:LONGEST]
    while len(json.dumps(text)) > LONGEST - 3:
        text = text[: -max(1, len(text) // 16)]
    return text + "..."
