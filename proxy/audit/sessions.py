"""What the trail is told of sessions: who, from where, and what happened."""

from __future__ import annotations

from dataclasses import asdict

from proxy.audit.record import Event
from proxy.audit.trail import Trail
from proxy.session.events import SecurityEvent, StatementRefused
from proxy.session.startup import SessionRequest


def note_event(trail: Trail, request: SessionRequest, client: str, event: SecurityEvent) -> None:
    """An event of a session."""
    kind = Event.REFUSED if isinstance(event, StatementRefused) else Event.NOT_OPENED
    trail.note(
        kind, actor=request.user, origin="session", database=request.database, client=client, **asdict(event)
    )


def note_login_failed(trail: Trail, request: SessionRequest | None, client: str, sqlstate: str) -> None:
    """A login that failed; `request` None: before it was known whose."""
    trail.note(
        Event.LOGIN_FAILED,
        actor="" if request is None else request.user,
        origin="session",
        database=None if request is None else request.database,
        client=client,
        sqlstate=sqlstate or None,
    )
