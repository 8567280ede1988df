"""The server: listening sockets, and the connections that came through them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from proxy import log
from proxy.addresses import Endpoint
from proxy.audit.trail import Trail
from proxy.connection import Connection
from proxy.flow import Session
from proxy.inbox import Inbox
from proxy.metrics import Metrics
from proxy.session.startup import SessionRequest
from proxy.upstream import Upstream

BACKLOG = 1024
_UNCOUNTED = 100  # connections beside twice the limit of sessions: probes, cancel requests, those that start
_LAST_WORDS = 1.0  # seconds for clients to take the last error


@dataclass(frozen=True, slots=True)
class FrontendTLS:
    """TLS towards clients: the context, the certificate that it shows (DER), whether clients must use it."""

    context: ssl.SSLContext
    certificate: bytes = field(repr=False)
    required: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """What a new connection goes by; a reload puts another in its place. Times in seconds, 0: no limit."""

    upstream: Upstream
    tls: FrontendTLS | None = None
    max_connections: int = 0
    startup_timeout: float = 60.0


class Sessions(Protocol):
    """What makes sessions and does their errands (proxy/app.py)."""

    @property
    def has_secrets(self) -> bool:
        """Whether it is worth asking for the SCRAM secret of a role."""

    async def open(self, request: SessionRequest) -> Session:
        """A session for this client, who is authenticated. Raises ServerError."""

    def closed(self, request: SessionRequest) -> None:
        """The session that `open` made for this client has ended."""

    async def secret(self, user: str) -> str | None:
        """The role's secret as pg_authid has it, None if it has none. Raises ServerError if not readable."""

    async def fulfil(self, database: str, request: Any) -> None:
        """Do what a session asks for. What it raises is handed to that session."""

    def announce(self, database: str) -> None:
        """Tell everybody that a catalogue has changed; returns at once."""


class Server:
    """Accepts connections, and knows those that are open."""

    def __init__(
        self, settings: Settings, sessions: Sessions, metrics: Metrics, trail: Trail | None = None
    ) -> None:
        self.settings = settings
        self.trail = trail or Trail(None, metrics)
        self.sessions = sessions
        self.metrics = metrics
        self.draining = False
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listeners: list[asyncio.Server] = []
        self._one_ended = asyncio.Event()

    async def listen(self, sockets: list[socket.socket]) -> None:
        """Accept connections of these sockets, which are bound."""
        loop = asyncio.get_running_loop()
        for sock in sockets:
            if sock.family == socket.AF_UNIX:
                listener = await loop.create_unix_server(self._accepted, sock=sock, backlog=BACKLOG)
            else:
                listener = await loop.create_server(self._accepted, sock=sock, backlog=BACKLOG)
            self._listeners.append(listener)

    async def drain(self, limit: float) -> None:
        """End every session between two transactions; after `limit` seconds (0: no limit) the others, too.

        Who connects meanwhile is told that pgveil is shutting down.
        """
        self.draining = True
        for connection in tuple(self._connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(limit or None):
                await self._wait_for_end()
        except TimeoutError:
            log.warning("drain_timeout is over, sessions are ended", sessions=len(self._connections))
            await self.stop()

    async def stop(self) -> None:
        """End every session now."""
        self.draining = True
        for connection in tuple(self._connections):
            connection.stop()
        try:
            async with asyncio.timeout(_LAST_WORDS):
                await self._wait_for_end()
        except TimeoutError:
            for connection in tuple(self._connections):
                connection.abort()

    async def close(self) -> None:
        """Stop listening, and drop whatever is left."""
        for listener in self._listeners:
            listener.close()
        for connection in tuple(self._connections):
            connection.abort()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def cancel(self, raw: bytes) -> None:
        """Hand a CancelRequest to the upstream, and wait until it has taken it.

        A session may be on any host of the list, and its key is known to no other: all of them are told.
        """
        self.metrics.add("cancel_requests_total")
        upstream = self.settings.upstream
        await asyncio.gather(*(_tell(upstream, host, raw) for host in upstream.hosts))

    def ended(self, connection: Connection) -> None:
        """A connection is gone."""
        self._connections.discard(connection)
        self._one_ended.set()

    def _accepted(self) -> asyncio.Protocol:
        return _Accepted(self._begin)

    def _begin(self, inbox: Inbox) -> None:
        """A client has connected."""
        self.metrics.add("connections_total")
        limit = self.settings.max_connections
        if limit and len(self._connections) >= 2 * limit + _UNCOUNTED:
            assert inbox.transport is not None
            inbox.transport.abort()
            return
        connection = Connection(self, inbox)
        self._connections.add(connection)
        task = asyncio.get_running_loop().create_task(connection.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wait_for_end(self) -> None:
        """Until no session is open; who has not yet asked for one is not waited for."""
        while any(connection.admitted for connection in self._connections):
            self._one_ended.clear()
            await self._one_ended.wait()


class _Accepted(Inbox):
    """The inbox of a new connection."""

    def __init__(self, begin: Callable[[Inbox], None]) -> None:
        super().__init__()
        self._begin = begin

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._begin(self)


async def _tell(upstream: Upstream, host: Endpoint, raw: bytes) -> None:
    """Send one CancelRequest to one host; the server closes the connection when it has done it."""
    inbox = Inbox()
    try:
        async with asyncio.timeout(upstream.connect_timeout):
            transport = await upstream.connect_to(host, inbox)
            transport.write(raw)
            while await inbox.receive():
                pass
    except OSError:
        log.warning("cancel request could not be passed on", host=str(host))
    finally:
        if inbox.transport is not None:
            inbox.transport.close()
