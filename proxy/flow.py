"""The flow of one session: two transports, and the session between them.

    Rule 1  What a chunk yields is written at once, with one write to each side at most.
    Rule 2  Each direction waits for its own receiver only: where the server takes no more the client is not
            read, and the other way round. Neither ever waits for a reply.
    Rule 3  A client that does not read is not read either, once pgveil has answers of its own for it.
    Rule 4  A client that closes its half has it closed on the server's side too, after all that it sent.
    Rule 5  At the end what was written is still delivered, for as long as LINGER.

This is the hot path: `data_received` of the two sides is as short as it can be; what does not happen every
time is in `settle`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from proxy.errors import ServerError
from proxy.session.events import SecurityEvent
from proxy.wire.frames import TERMINATE, frame

LINGER = 60.0  # seconds that a peer has to take what was written before the end
HIGH_WATER = 256 * 1024  # bytes not yet taken by a peer, above which the other one is not read
LOW_WATER = 64 * 1024

SHORT = 4096  # bytes of a chunk that may be an error and nothing else

_TERMINATE = frame(TERMINATE)
_LAST_WORDS = (b"\0VFATAL\0", b"\0VPANIC\0")


class Session(Protocol):
    """What the shell knows of a session (proxy/session/session.py is the one that matters)."""

    to_frontend: list[bytes]
    to_backend: list[bytes]
    events: list[SecurityEvent]  # for the audit trail
    announce_ddl: bool  # DDL was committed: tell everybody who has the catalog in mind

    @property
    def request(self) -> Any: ...  # what the shell has to do before it calls `resume`; or None
    @property
    def reading(self) -> bool: ...  # whether it takes more of the client
    @property
    def closing(self) -> bool: ...  # whether the session ends, once `to_frontend` is sent
    @property
    def alert(self) -> bool: ...  # whether one of the above may ask for something
    @property
    def waiting(self) -> bool: ...  # whether something that the client sent is still to be sent on
    @property
    def idle(self) -> bool: ...  # outside a transaction, nothing outstanding, no part of a message

    def frontend_received(self, data: bytes) -> None: ...
    def backend_received(self, data: bytes) -> None: ...
    def resume(self, error: Exception | None) -> None: ...
    def shutdown(self) -> None: ...
    def fail(self, error: ServerError) -> None: ...


class Flow:
    """One session at work, from `start` until both transports are gone.

    fulfil   does what `session.request` asks for; what it raises is handed to the session
    announce called when `session.announce_ddl` is set
    note     told of each of `session.events`
    crashed  told of an exception that nobody expected; returns the ErrorResponse for the client
    ended    called at the very end
    """

    def __init__(
        self,
        session: Session,
        frontend: asyncio.Transport,
        backend: asyncio.Transport,
        *,
        fulfil: Callable[[Any], Awaitable[None]],
        announce: Callable[[], None],
        note: Callable[[SecurityEvent], None],
        crashed: Callable[[Exception], bytes],
        ended: Callable[[], None],
    ) -> None:
        self.session = session
        self.frontend = frontend
        self.backend = backend
        self.frontend_paused = False  # whether the client is not read
        self.from_frontend = b""  # the last bytes that came from there, a few
        self.from_backend = b""  # the last chunk, if it was short
        self._fulfil = fulfil
        self._announce = announce
        self._note = note
        self._crashed = crashed
        self._ended = ended
        self._errand: asyncio.Task[None] | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._frontend_full = False  # whether the client does not read
        self._answered = False  # whether pgveil itself had answers for it since then
        self._backend_full = False
        self.eof = False  # whether the client closed its half
        self._eof_forwarded = False
        self._finished = False
        self._open = 2

    def start(self, from_frontend: bytes, from_backend: bytes) -> None:
        """Take over both transports, beginning with what was already read of them."""
        for transport in (self.frontend, self.backend):
            transport.set_write_buffer_limits(HIGH_WATER, LOW_WATER)
        frontend, backend = _FrontendSide(self), _BackendSide(self)
        self.frontend.set_protocol(frontend)
        self.backend.set_protocol(backend)
        if from_backend:
            backend.data_received(from_backend)
        if from_frontend and not self._finished:
            frontend.data_received(from_frontend)

    def shutdown(self) -> None:
        """End the session as soon as it is idle."""
        self._call(self.session.shutdown)

    def fail(self, error: ServerError) -> None:
        """End the session now."""
        self._call(lambda: self.session.fail(error))

    def abort(self) -> None:
        """Drop both connections, whatever is still to be sent."""
        self._finish()
        self.frontend.abort()
        self.backend.abort()

    def settle(self) -> None:
        """Everything that a call of the session may have left to do."""
        session = self.session
        if session.events:
            for event in session.events:
                self._note(event)
            session.events.clear()
        self._write_backend()
        if session.to_frontend:
            self._answered = self._frontend_full
            self._write_frontend()
        if session.announce_ddl:
            session.announce_ddl = False
            self._announce()
        if session.closing:
            self._finish()
            return
        if session.request is not None and self._errand is None:
            self._errand = asyncio.ensure_future(self._run_errand(session.request))
        self._forward_eof()
        self.regulate()

    def regulate(self) -> None:
        """Read the client, or do not."""
        blocked = self._backend_full or (self._frontend_full and self._answered)
        pause = blocked or not self.session.reading
        if pause is self.frontend_paused or self._finished or self.frontend.is_closing():
            return
        self.frontend_paused = pause
        if pause:
            self.frontend.pause_reading()
        else:
            self.frontend.resume_reading()

    def crash(self, error: Exception) -> None:
        """An exception came out of the session, which cannot go on."""
        self._finish(self._crashed(error))

    def frontend_eof(self) -> None:
        self.eof = True
        self._forward_eof()

    def backend_eof(self) -> None:
        """The server is gone: the client hears of it, unless it is gone itself or was told why."""
        if self._finished:
            return
        if not (self.eof or self.session.closing or self._said_goodbye()):
            self.fail(ServerError("the server closed the connection unexpectedly", sqlstate="08006"))
        self._finish()

    def _said_goodbye(self) -> bool:
        """Whether the client has sent Terminate, or the server its own last words.

        A guess by how the last bytes look; where it is wrong the client merely gets no error before the end.
        """
        return self.from_frontend == _TERMINATE or any(word in self.from_backend for word in _LAST_WORDS)

    def lost(self, *, backend: bool) -> None:
        """One of the two connections is closed."""
        self._open -= 1
        if backend:
            self.backend_eof()
        self._finish()
        if self._open == 0:
            if self._linger is not None:
                self._linger.cancel()
            self._ended()

    def frontend_full(self, full: bool) -> None:
        self._frontend_full = full
        self._answered = False
        if self._finished or self.backend.is_closing():
            return
        if full:
            self.backend.pause_reading()
        else:
            self.backend.resume_reading()
            self.regulate()

    def backend_full(self, full: bool) -> None:
        self._backend_full = full
        self.regulate()

    def _call(self, step: Callable[[], None]) -> None:
        if self._finished:
            return
        try:
            step()
        except Exception as error:
            self.crash(error)
        else:
            self.settle()

    async def _run_errand(self, request: Any) -> None:
        error: Exception | None = None
        try:
            await self._fulfil(request)
        except Exception as raised:
            error = raised
        self._errand = None
        self._call(lambda: self.session.resume(error))

    def _forward_eof(self) -> None:
        held = self._errand is not None or self.session.waiting
        if self.eof and not self._eof_forwarded and not self._finished and not held:
            self._eof_forwarded = True
            if self.backend.can_write_eof():
                self.backend.write_eof()
            else:
                self._finish()

    def _write_backend(self) -> None:
        if (pieces := self.session.to_backend) and not self._eof_forwarded:
            self.backend.write(b"".join(pieces))
        pieces.clear()

    def _write_frontend(self) -> None:
        if pieces := self.session.to_frontend:
            self.frontend.write(b"".join(pieces))
            pieces.clear()

    def _finish(self, last_words: bytes = b"") -> None:
        """Close both connections after what is still to be sent; happens once."""
        if self._finished:
            return
        self._finished = True
        if self._errand is not None:
            self._errand.cancel()
        if not self.frontend.is_closing():
            self._write_frontend()
            if last_words:
                self.frontend.write(last_words)
        if not self.backend.is_closing():
            self._write_backend()
            if not last_words and self.session.idle and not self._eof_forwarded:
                self.backend.write(_TERMINATE)
        self.frontend.set_protocol(_Ending(self))
        self.backend.set_protocol(_Ending(self))
        self.frontend.close()
        self.backend.close()
        self._linger = asyncio.get_running_loop().call_later(LINGER, self._drop)

    def _drop(self) -> None:
        self.frontend.abort()
        self.backend.abort()


class _FrontendSide(asyncio.Protocol):
    """What the client's transport calls."""

    __slots__ = ("_flow", "_session")

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._session = flow.session

    def data_received(self, data: bytes) -> None:
        session = self._session
        try:
            session.frontend_received(data)
        except Exception as error:
            self._flow.crash(error)
            return
        flow = self._flow
        if pieces := session.to_backend:
            flow.backend.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            pieces.clear()
        flow.from_frontend = data[-5:]
        if session.to_frontend or session.alert:
            flow.settle()

    def eof_received(self) -> bool:
        self._flow.frontend_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._flow.lost(backend=False)

    def pause_writing(self) -> None:
        self._flow.frontend_full(True)

    def resume_writing(self) -> None:
        self._flow.frontend_full(False)


class _BackendSide(asyncio.Protocol):
    """What the server's transport calls."""

    __slots__ = ("_flow", "_session")

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._session = flow.session

    def data_received(self, data: bytes) -> None:
        session = self._session
        try:
            session.backend_received(data)
        except Exception as error:
            self._flow.crash(error)
            return
        flow = self._flow
        if pieces := session.to_frontend:
            flow.frontend.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            pieces.clear()
        flow.from_backend = data if len(data) < SHORT else b""
        if session.to_backend or session.alert or flow.frontend_paused or flow.eof:
            flow.settle()

    def eof_received(self) -> bool:
        self._flow.backend_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._flow.lost(backend=True)

    def pause_writing(self) -> None:
        self._flow.backend_full(True)

    def resume_writing(self) -> None:
        self._flow.backend_full(False)


class _Ending(asyncio.Protocol):
    """Either side after the end: waits for the connection to be gone."""

    __slots__ = ("_flow",)

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def connection_lost(self, exc: Exception | None) -> None:
        self._flow.lost(backend=False)
