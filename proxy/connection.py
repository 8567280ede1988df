"""One client, from the accepted connection to its session, in order:

    the first packets (session/startup.py), TLS, the limit of connections, a connection to the upstream,
    authentication (session/authentication.py), the session's state; then proxy/flow.py takes over.

All of this runs in one task with a time limit; what goes wrong is told to the client as the server would.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from proxy import log
from proxy.audit.sessions import note_event, note_login_failed
from proxy.errors import ProtocolViolation, ServerError
from proxy.flow import Flow, Session
from proxy.inbox import Inbox
from proxy.session.authentication import Authentication, Legs, State, error_response
from proxy.session.pipe import Pipe
from proxy.session.startup import Answer, Begin, Cancel, SessionRequest, StartTLS, Startup
from proxy.sockets import is_local, is_unix, keep_alive, peer_host
from proxy.tls import TLSTransport
from proxy.upstream import Unreachable

if TYPE_CHECKING:
    from proxy.server import Server


class Gone(Exception):
    """The client went away; nobody is left to be told anything."""


class Connection:
    """One client connection. `run` sets it up; after that it lives in its Flow."""

    def __init__(self, server: Server, inbox: Inbox) -> None:
        self.inbox = inbox
        self.flow: Flow | None = None
        self.admitted = False  # whether it counts as a session
        self._server = server
        self._settings = server.settings  # as of now: a reload is for later connections
        self._tls: TLSTransport | None = None
        self._backend: asyncio.Transport | None = None
        self._request: SessionRequest | None = None
        self._opened = False

    async def run(self) -> None:
        """Set the session up, or end the connection."""
        try:
            async with asyncio.timeout(self._settings.startup_timeout or None):
                keep_alive(self._frontend)
                await self._begin()
        except ServerError as error:
            self._refuse(error)
        except TimeoutError:
            self._refuse(ServerError("canceling authentication due to timeout", sqlstate="57014"))
        except (Gone, OSError):  # TLS that failed is an OSError, too
            self._end()
        except asyncio.CancelledError:
            self._end()
            raise
        except Exception as error:
            self._refuse(self._crashed(error))

    def shutdown(self) -> None:
        """End as soon as no transaction is open."""
        if self.flow is not None:
            self.flow.shutdown()

    def stop(self) -> None:
        """End now, with a word to the client."""
        error = _shutting_down("57P01", "terminating connection due to administrator command")
        if self.flow is not None:
            self.flow.fail(error)
        else:
            self._refuse(error)

    def abort(self) -> None:
        """End now, without any."""
        if self.flow is not None:
            self.flow.abort()
        else:
            self._frontend.abort()

    @property
    def _frontend(self) -> asyncio.Transport:
        assert self.inbox.transport is not None
        return self.inbox.transport

    async def _begin(self) -> None:
        event = await self._first_packets()
        if isinstance(event, Cancel):
            await self._server.cancel(event.raw)
            self._frontend.close()  # only now: libpq takes the end for "done"
            self._server.ended(self)
            return
        self._request = event.request
        self._admit()
        backend = Inbox(self.inbox.activity)
        try:
            self._backend = await self._settings.upstream.connect(backend)
        except Unreachable as error:
            raise self._unreachable(error) from None
        authentication = Authentication(event.request, self._legs())
        authentication.frontend_received(event.rest)
        await self._authenticate(authentication, backend)
        # Only now: what a catalogue costs is for those who may log in.
        session = await self._open_session(event.request)
        self._start(session, authentication, backend)

    async def _first_packets(self) -> Begin | Cancel:
        unix = is_unix(self._frontend)
        tls = self._settings.tls
        startup = Startup(
            tls=tls is not None and not unix, tls_required=not unix and bool(tls and tls.required)
        )
        while data := await self.inbox.receive():
            for event in startup.receive(data):
                match event:
                    case Answer(answer):
                        self._frontend.write(answer)
                    case StartTLS():
                        await self._secure(event)
                        startup.secured(self._tls.alpn() if self._tls else None)
                    case Begin() | Cancel():
                        return event
        raise Gone

    async def _secure(self, event: StartTLS) -> None:
        assert self._settings.tls is not None
        more = self.inbox.take()
        if more and not event.hello:  # it came in clear, after the request and before our answer
            raise ProtocolViolation("received unencrypted data after SSL request")
        below = self._frontend
        below.write(event.answer)
        self._tls = TLSTransport(below, self.inbox, self._settings.tls.context, server_side=True)
        self.inbox.transport = self._tls
        self._tls.begin(event.hello + more)
        await self._tls.handshake

    def _admit(self) -> None:
        """Let the client have one of the limited number of sessions."""
        if self._server.draining:
            raise _shutting_down("57P03", "pgveil is shutting down")
        if not self._server.metrics.acquire_session(self._settings.max_connections):
            raise ServerError("sorry, too many clients already", sqlstate="53300")
        self.admitted = True

    async def _open_session(self, request: SessionRequest) -> Session:
        if request.physical_replication:
            return Pipe()
        session = await self._server.sessions.open(request)
        self._opened = True
        return session

    def _legs(self) -> Legs:
        tls, backend = self._settings.tls, self._backend
        return Legs(
            protected=self._tls is not None or is_local(self._frontend),
            certificate=tls.certificate if self._tls is not None and tls is not None else None,
            upstream_certificate=backend.certificate() if isinstance(backend, TLSTransport) else None,
            secrets=self._server.sessions.has_secrets,
        )

    async def _authenticate(self, authentication: Authentication, backend: Inbox) -> None:
        """Relay until AuthenticationOk. Raises ServerError, or Gone once the client was told of a failure."""
        activity = self.inbox.activity
        while True:
            self._send(authentication)
            if authentication.state is State.DONE:
                return
            if authentication.state is State.FAILED:
                self._server.metrics.add("failed_authentications_total")
                self._login_failed(authentication.sqlstate)
                raise Gone
            if authentication.state is State.NEEDS_SECRET:
                await self._look_secret_up(authentication)
                continue
            activity.clear()
            if data := backend.take():
                authentication.backend_received(data)
            elif not authentication.full and (data := self.inbox.take()):
                authentication.frontend_received(data)
            elif self.inbox.lost or (self.inbox.closed and authentication.asking):
                raise Gone
            elif backend.closed:
                raise ServerError("the server closed the connection during authentication", sqlstate="08006")
            else:
                await activity.wait()

    async def _look_secret_up(self, authentication: Authentication) -> None:
        assert self._request is not None
        try:
            secret = await self._server.sessions.secret(self._request.user)
        except ServerError as error:
            log.warning("secret of a role cannot be read, SCRAM is relayed", reason=error.message)
            authentication.resume(None, readable=False)
        else:
            authentication.resume(secret, readable=True)

    def _send(self, authentication: Authentication) -> None:
        assert self._backend is not None
        for pieces, transport in (
            (authentication.to_backend, self._backend),
            (authentication.to_frontend, self._frontend),
        ):
            if pieces and not transport.is_closing():
                transport.write(b"".join(pieces))
            pieces.clear()

    def _start(self, session: Session, authentication: Authentication, backend: Inbox) -> None:
        """Hand both connections over to the flow. No await from here on, so that no byte is missed."""
        assert self._request is not None
        assert self._backend is not None
        request, client, trail = self._request, peer_host(self._frontend), self._server.trail
        database = request.database
        sessions = self._server.sessions
        self._server.metrics.add("sessions_total")
        self.flow = Flow(
            session,
            self._frontend,
            self._backend,
            fulfil=lambda request: sessions.fulfil(database, request),
            announce=lambda: sessions.announce(database),
            note=lambda event: note_event(trail, request, client, event),
            crashed=lambda error: error_response(self._crashed(error)),
            ended=self._release,
        )
        self.flow.start(
            authentication.frontend_rest + self.inbox.take(), authentication.backend_rest + backend.take()
        )
        if self.inbox.closed:
            self.flow.frontend_eof()
        if backend.closed:
            self.flow.backend_eof()
        if self._server.draining:
            self.flow.shutdown()

    def _refuse(self, error: ServerError) -> None:
        """Tell the client why there is no session, and end."""
        self._server.metrics.add("refused_connections_total")
        log.event("connection refused", sqlstate=error.sqlstate, reason=error.message)
        if error.sqlstate.startswith("28"):
            self._login_failed(error.sqlstate)
        if not self._frontend.is_closing():
            self._frontend.write(error_response(error))
        self._end()

    def _login_failed(self, sqlstate: str) -> None:
        note_login_failed(self._server.trail, self._request, peer_host(self._frontend), sqlstate)

    def _end(self) -> None:
        """Close what there is, before there was a flow."""
        self._frontend.close()
        if self._backend is not None:
            self._backend.close()
        self._release()

    def _release(self) -> None:
        if self._opened and self._request is not None:
            self._opened = False
            self._server.sessions.closed(self._request)
        if self.admitted:
            self.admitted = False
            self._server.metrics.release_session()
        self._server.ended(self)

    def _crashed(self, error: Exception) -> ServerError:
        """An exception that nobody expected: the log has where it came from, both have its id."""
        identifier = secrets.token_hex(6)
        self._server.metrics.add("crashed_sessions_total")
        log.exception("session crashed", error, id=identifier)
        return ServerError(f"internal error in pgveil (id {identifier})", sqlstate="XX000")

    def _unreachable(self, error: Unreachable) -> ServerError:
        self._server.metrics.add("upstream_failures_total")
        return ServerError("the upstream server cannot be reached", sqlstate="57P03", detail=str(error))


def _shutting_down(sqlstate: str, message: str) -> ServerError:
    return ServerError(message, sqlstate=sqlstate, severity="FATAL")
