"""A session that looks at nothing: bytes go through as they come.

For physical replication, on which the server takes no SQL.
"""

from __future__ import annotations

from proxy.errors import ServerError
from proxy.session.events import SecurityEvent


class Pipe:
    """Has the surface of a session; the shell cannot tell the difference."""

    request = None
    reading = True
    waiting = False
    idle = False

    def __init__(self) -> None:
        self.to_frontend: list[bytes] = []
        self.to_backend: list[bytes] = []
        self.events: list[SecurityEvent] = []
        self.closing = False
        self.announce_ddl = False

    @property
    def alert(self) -> bool:
        return self.closing

    def frontend_received(self, data: bytes) -> None:
        self.to_backend.append(data)

    def backend_received(self, data: bytes) -> None:
        self.to_frontend.append(data)

    def resume(self, error: Exception | None) -> None:
        raise AssertionError("a pipe asks for nothing")

    def shutdown(self) -> None:
        """End at once: a standby connects again and goes on where it was."""
        self.closing = True

    def fail(self, error: ServerError) -> None:
        """End; no error can be told where nobody knows the boundaries of messages."""
        self.closing = True
