"""A session: bytes of either side in, bytes for either side out. No sockets, no clock.

The two directions stand in `frontend.py` and `backend.py`, with the rules that each keeps; what they share
is in `state.py`. The shell drains `to_frontend`, `to_backend` and `events` after every call.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy.errors import ServerError, Shutdown
from proxy.session.backend import Backend
from proxy.session.frontend import OUTSTANDING, Frontend
from proxy.session.requests import Request
from proxy.session.state import SessionContext, State
from proxy.wire.errors import ProtocolError

__all__ = ["Session", "SessionContext"]

_IDLE = ord("I")


class Session:
    """One client's session, from the end of authentication on."""

    def __init__(self, context: SessionContext) -> None:
        self._state = State(context)
        self._frontend = Frontend(self._state)
        self._backend = Backend(self._state, self._progress)
        self._shutting_down = False
        self.to_frontend = self._state.to_frontend
        self.to_backend = self._state.to_backend
        self.events = self._state.events

    # --- what the shell looks at ------------------------------------------------------------------------

    @property
    def request(self) -> Request | None:
        """What the shell has to do before it calls `resume`."""
        return self._state.requests[0][0] if self._state.requests else None

    @property
    def reading(self) -> bool:
        """Whether the session takes more of the client's bytes."""
        return self._frontend.reading

    @property
    def waiting(self) -> bool:
        """Whether something that the client has sent is still to be sent on."""
        state = self._state
        return self._frontend.waiting or (state.script is not None and not state.taking_copy)

    @property
    def closing(self) -> bool:
        """Whether the session ends, once `to_frontend` is sent."""
        return self._state.closing

    @property
    def announce_ddl(self) -> bool:
        return self._state.announce_ddl

    @announce_ddl.setter
    def announce_ddl(self, value: bool) -> None:
        self._state.announce_ddl = value

    @property
    def idle(self) -> bool:
        """Outside a transaction, nothing outstanding, no part of a message held."""
        return (
            self._state.status == _IDLE
            and not self._state.replies
            and not self._frontend.partial
            and not self._backend.partial
        )

    @property
    def alert(self) -> bool:
        """Whether the shell has to look at the above: one question for each chunk, in the place of four."""
        state = self._state
        return (
            state.closing
            or state.announce_ddl
            or bool(state.events)
            or self._frontend.waiting
            or len(state.replies) >= OUTSTANDING
            or bool(state.requests)
        )

    # --- what the shell calls ---------------------------------------------------------------------------

    def frontend_received(self, data: bytes) -> None:
        """Bytes of the client."""
        if self._state.closing:
            return
        try:
            self._frontend.received(data)
        except ServerError as error:
            self._state.fail(error)

    def backend_received(self, data: bytes) -> None:
        """Bytes of the server."""
        if self._state.closing:
            return
        try:
            self._backend.received(data)
        except ServerError as error:
            self._state.fail(error)
        except ProtocolError:
            self._state.fail(_lost())

    def resume(self, error: Exception | None) -> None:
        """The shell has done what `request` asked for, or failed."""
        _, resume = self._state.requests.popleft()
        known = error if isinstance(error, ServerError) or error is None else _unavailable()
        self._guarded(lambda: resume(known))

    def shutdown(self) -> None:
        """End at the next moment between two transactions."""
        self._shutting_down = True
        self._end_if_idle()

    def fail(self, error: ServerError) -> None:
        """End now, with a FATAL error."""
        self._state.fail(error)

    # --- inside -----------------------------------------------------------------------------------------

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except ServerError as error:
            self._state.fail(error)
        except ProtocolError:
            self._state.fail(_lost())

    def _progress(self) -> None:
        """The backend has answered: what waited for replies may go on."""
        state = self._state
        if state.replies and not state.taking_copy:
            return
        if not state.replies:
            state.barrier = state.uncommitted is not None and state.status == _IDLE  # a Sync ends it
            state.names.replaced.clear()
        if (self._frontend.waiting or state.script is not None) and not state.requests:
            self._guarded(self._frontend.resume)
        if self._shutting_down and not state.replies:
            self._end_if_idle()

    def _end_if_idle(self) -> None:
        if self.idle and not self._state.closing:
            self._state.fail(Shutdown("terminating connection due to administrator command"))


def _lost() -> ServerError:
    return ServerError("the server's replies cannot be followed", sqlstate="08P01")


def _unavailable() -> ServerError:
    return ServerError("pgveil cannot do what the statement needs now", sqlstate="58000")
