"""What the trail is told of sessions."""

from __future__ import annotations

from typing import Any

from proxy.audit.record import Event
from proxy.audit.sessions import note_event, note_login_failed
from proxy.audit.trail import Trail
from proxy.metrics import Metrics
from proxy.session.events import StatementRefused, ValueNotOpened
from proxy.session.startup import SessionRequest

REQUEST = SessionRequest(b"", 0, {"user": "app", "database": "shop"})


class Noting(Trail):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(None, Metrics())
        self.noted: list[tuple[Event, str | None, dict[str, Any]]] = []

    def note(self, event: Any, *, actor: str | None = None, **fields: Any) -> None:
        self.noted.append((event, actor, fields))


def test_who_where_from_and_what() -> None:
    trail = Noting()
    note_event(trail, REQUEST, "10.0.0.3", StatementRefused("0A000", "public.users.email", "ORDER BY", None))
    note_event(trail, REQUEST, "local", ValueNotOpened("public.users.email", "0a0b0c0d"))
    who = {"origin": "session", "database": "shop"}
    field = {"field": "public.users.email"}
    refused = {"sqlstate": "0A000", "construct": "ORDER BY", "reason": None, "client": "10.0.0.3"}
    assert trail.noted == [
        (Event.REFUSED, "app", {**who, **field, **refused}),
        (Event.NOT_OPENED, "app", {**who, **field, "key": "0a0b0c0d", "client": "local"}),
    ]


def test_logins_of_somebody_and_of_nobody() -> None:
    trail = Noting()
    note_login_failed(trail, REQUEST, "10.0.0.3", "28P01")
    note_login_failed(trail, None, "10.0.0.3", "28000")
    [(_, actor, fields), (_, nobody, unknown)] = trail.noted
    assert (actor, fields["database"], fields["sqlstate"]) == ("app", "shop", "28P01")
    assert (nobody, unknown["database"], unknown["sqlstate"]) == ("", None, "28000")
