"""What of a session the audit trail has to know: names and codes, never a text of the client or a value."""

from __future__ import annotations

from dataclasses import dataclass

from proxy.errors import AuditUnavailable, CannotOpen, Outdated, Refused, ServerError


@dataclass(frozen=True, slots=True)
class StatementRefused:
    """pgveil has refused a statement. `reason` is its own message, where no construct is named."""

    sqlstate: str
    field: str | None
    construct: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class ValueNotOpened:
    """A stored value does not open. `key` is the id of the key that it names, in hexadecimal."""

    field: str | None
    key: str | None


SecurityEvent = StatementRefused | ValueNotOpened


def event_of(error: ServerError) -> SecurityEvent | None:
    """What an error is to the trail; None for one that is of no concern to it, such as a wrong value."""
    match error:
        case Outdated():  # how PostgreSQL has drivers prepare a statement anew
            return None
        case Refused():
            reason = error.message if error.construct is None else None
            return StatementRefused(error.sqlstate, error.field, error.construct, reason)
        case AuditUnavailable():
            return StatementRefused(error.sqlstate, None, None, error.message)
        case CannotOpen():
            return ValueNotOpened(error.field, error.key)
        case _:
            return None
