"""What happens to keys, told to whoever wants to know (the audit trail). Never a key, never a value."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping

from crypto.keystore import KeyRecord


class KeyEvent(enum.Enum):
    """What can happen to a key."""

    MADE = "key made"
    OPENED = "key opened"  # a DEK that its provider unwrapped, or a FEK that its DEK did
    UNOPENED = "key does not open"
    MISSING = "key missing"
    STATE = "key state"  # the record is in its new state
    REWRAPPED = "key rewrapped"
    EXPIRED = "keys expired"  # of no one key: nobody could be asked about them for too long
    EXHAUSTING = "key nears its budget"
    EXPORTED = "keys exported"
    IMPORTED = "keys imported"


Details = Mapping[str, str | int]
Observer = Callable[[KeyEvent, KeyRecord | None, Details], None]


def unobserved(event: KeyEvent, record: KeyRecord | None, details: Details) -> None:
    """The observer where there is none."""
