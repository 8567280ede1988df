"""The admin listener: GET /livez, /readyz and /metrics over HTTP/1.1, for probes and Prometheus.

One request a connection, bounded in size and time; there is nothing here that changes anything.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from http import HTTPStatus

from proxy.metrics import Metrics

_TIMEOUT = 5.0  # seconds for a request to arrive and its answer to leave
_LIMIT = 8192  # bytes of a request's head

_PLAIN = "text/plain; charset=utf-8"
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class Admin:
    """Answers for one worker. `problem` says why the worker is not ready; None if it is."""

    def __init__(self, metrics: Metrics, problem: Callable[[], str | None]) -> None:
        self._metrics = metrics
        self._problem = problem
        self._listeners: list[asyncio.Server] = []

    async def listen(self, sockets: list[socket.socket]) -> None:
        """Answer on these sockets, which are bound."""
        for sock in sockets:
            if sock.family == socket.AF_UNIX:
                listener = await asyncio.start_unix_server(self._answer, sock=sock, limit=_LIMIT)
            else:
                listener = await asyncio.start_server(self._answer, sock=sock, limit=_LIMIT)
            self._listeners.append(listener)

    def close(self) -> None:
        for listener in self._listeners:
            listener.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self.respond(head))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever it was does not speak HTTP, or is gone
        finally:
            writer.close()

    def respond(self, head: bytes) -> bytes:
        """The whole response to a request with this head."""
        method, _, rest = head.split(b"\r\n", 1)[0].partition(b" ")
        path, _, version = rest.partition(b" ")
        if not version.startswith(b"HTTP/1."):
            return _response(HTTPStatus.BAD_REQUEST, "not an HTTP/1.1 request\n")
        if method not in (b"GET", b"HEAD"):
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, "GET only\n")
        response = self._page(path.partition(b"?")[0])
        return response if method == b"GET" else response[: response.index(b"\r\n\r\n") + 4]

    def _page(self, path: bytes) -> bytes:
        if path == b"/livez":
            return _response(HTTPStatus.OK, "ok\n")
        if path == b"/readyz":
            problem = self._problem()
            if problem is None:
                return _response(HTTPStatus.OK, "ok\n")
            return _response(HTTPStatus.SERVICE_UNAVAILABLE, f"{problem}\n")
        if path == b"/metrics":
            return _response(HTTPStatus.OK, self._metrics.exposition(), _PROMETHEUS)
        return _response(HTTPStatus.NOT_FOUND, "there are /livez, /readyz and /metrics\n")


def _response(status: HTTPStatus, text: str, kind: str = _PLAIN) -> bytes:
    body = text.encode()
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
