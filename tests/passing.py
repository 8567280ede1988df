"""A session that passes everything on and sees only what it must, to test the shell without the analysis."""

from __future__ import annotations

from typing import Any

from proxy.errors import ServerError, Shutdown
from proxy.session.authentication import error_response
from proxy.session.events import SecurityEvent
from proxy.session.startup import SessionRequest


class PassingSession:
    """Passes bytes on; follows the server's frames, to know when it is idle."""

    def __init__(self) -> None:
        self.to_frontend: list[bytes] = []
        self.to_backend: list[bytes] = []
        self.events: list[SecurityEvent] = []
        self.request: Any = None
        self.reading = True
        self.closing = False
        self.waiting = False
        self.announce_ddl = False
        self.idle = False
        self.shutting_down = False
        self.resumed_with: list[Exception | None] = []

    @property
    def alert(self) -> bool:
        asked = self.request is not None or bool(self.events)
        return self.closing or self.announce_ddl or not self.reading or asked

    def frontend_received(self, data: bytes) -> None:
        self.idle = False
        self.to_backend.append(data)

    def backend_received(self, data: bytes) -> None:
        self.to_frontend.append(data)
        if len(data) < 1024:
            self._follow(data)

    def _follow(self, data: bytes) -> None:
        """Good enough for tests: the last frame of a small chunk tells."""
        self.idle = data[-6:] == b"Z\0\0\0\x05I"
        if self.shutting_down and self.idle:
            self.fail(Shutdown("terminating connection due to administrator command"))

    def resume(self, error: Exception | None) -> None:
        self.request = None
        self.resumed_with.append(error)

    def shutdown(self) -> None:
        self.shutting_down = True
        if self.idle:
            self.fail(Shutdown("terminating connection due to administrator command"))

    def fail(self, error: ServerError) -> None:
        if not self.closing:
            self.to_frontend.append(error_response(error))
            self.closing = True


class PassingSessions:
    """Makes passing sessions, and has no secrets unless it is given some."""

    def __init__(self, secrets: dict[str, str] | None = None) -> None:
        self.secrets = secrets
        self.opened: list[SessionRequest] = []
        self.has_secrets = secrets is not None

    async def open(self, request: SessionRequest) -> PassingSession:
        self.opened.append(request)
        return PassingSession()

    def closed(self, request: SessionRequest) -> None:
        self.opened.remove(request)

    async def secret(self, user: str) -> str | None:
        assert self.secrets is not None
        return self.secrets.get(user)

    async def fulfil(self, database: str, request: Any) -> None:
        raise AssertionError("a passing session asks for nothing")

    def announce(self, database: str) -> None:
        raise AssertionError("a passing session announces nothing")
