"""The shell without the analysis: a Server in a thread of its own, before a real PostgreSQL."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import uvloop

from proxy.addresses import Endpoint, parse_url
from proxy.listeners import Reservation
from proxy.metrics import Metrics
from proxy.server import Server, Settings
from proxy.upstream import Upstream
from proxy.wire.backend import ErrorResponse
from proxy.wire.startup import StartupMessage
from tests.passing import PassingSessions
from tests.postgres import Certificates, Postgres, url

TERMINATE = b"X\0\0\0\x04"


class Shell:
    """A running server; `port` is where it listens, on 127.0.0.1."""

    host = "127.0.0.1"

    def __init__(self, settings: Settings, sessions: PassingSessions, *, unix: Path | None = None) -> None:
        self.sessions = sessions
        self.metrics = Metrics()
        self.server = Server(settings, sessions, self.metrics)
        endpoints = [Endpoint(str(unix), 6432)] if unix is not None else [Endpoint(self.host, 0)]
        self._reservation = Reservation(endpoints)
        self.port = int(self._reservation.addresses[0].rpartition(":")[2]) if unix is None else 6432
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def start(self) -> None:
        self._thread.start()
        self.call(self.server.listen(self._reservation.sockets()))

    def stop(self) -> None:
        self.call(self.server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._reservation.release()

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Start a coroutine in the server's loop."""
        asyncio.run_coroutine_threadsafe(work, self._loop)

    def change(self, **settings: Any) -> None:
        """Other settings for the next connections."""
        self.server.settings = replace(self.server.settings, **settings)

    def dsn(self, user: str = "postgres", password: str | None = None, **options: str) -> str:
        return url(self.host, self.port, options.pop("database", "postgres"), user, password, **options)

    def connect(
        self, user: str = "postgres", password: str | None = None, **options: str
    ) -> psycopg.Connection[Any]:
        return psycopg.connect(self.dsn(user, password, **options), autocommit=True)


@contextmanager
def shell(
    postgres: Postgres, sessions: PassingSessions | None = None, unix: Path | None = None, **settings: Any
) -> Iterator[Shell]:
    """A shell before `postgres`, by TCP in clear unless `settings` has another upstream."""
    settings.setdefault("upstream", Upstream((Endpoint(postgres.host, postgres.port),)))
    running = Shell(Settings(**settings), sessions or PassingSessions(), unix=unix)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def tls_upstream(postgres: Postgres, **options: str | Path) -> Upstream:
    """The upstream by TLS, its certificate checked."""
    options = {"sslmode": "verify-full", "sslrootcert": certificates_of(postgres).authority, **options}
    query = "&".join(f"{name}={value}" for name, value in options.items())
    address = parse_url(f"postgresql://127.0.0.1:{postgres.port}?{query}", Path("/"))
    return Upstream(address.endpoints, address.tls_context(), address.direct_tls)


def certificates_of(postgres: Postgres) -> Certificates:
    assert postgres.certificates is not None
    return postgres.certificates


def startup_of(**parameters: str) -> bytes:
    given = {"user": "postgres", **parameters}
    return StartupMessage(3 << 16, {k.encode(): v.encode() for k, v in given.items()}).pack()


def read_all(sock: socket.socket) -> bytes:
    data = b""
    while chunk := sock.recv(65536):
        data += chunk
    return data


def dialogue(running: Shell, *packets: bytes) -> bytes:
    """Send packets, one write each; everything that comes back until the connection is closed."""
    with socket.create_connection((running.host, running.port), timeout=20) as sock:
        for packet in packets:
            sock.sendall(packet)
        return read_all(sock)


def error_of(reply: bytes) -> dict[str, str]:
    """The last message of a reply, which is an ErrorResponse."""
    at = 0
    while at + 1 + struct.unpack_from("!i", reply, at + 1)[0] < len(reply):
        at += 1 + struct.unpack_from("!i", reply, at + 1)[0]
    assert reply[at : at + 1] == b"E"
    return {code: text.decode() for code, text in ErrorResponse.parse(reply[at + 5 :]).fields.items()}


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)
