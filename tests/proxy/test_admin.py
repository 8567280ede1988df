"""The admin pages, and what is no request for one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from proxy.admin import Admin
from proxy.metrics import Metrics


def page(request: str, problem: str | None = None) -> tuple[int, str]:
    """Status and body of the response to a request line."""
    response = Admin(Metrics(), lambda: problem).respond(f"{request}\r\nHost: x\r\n\r\n".encode()).decode()
    head, _, body = response.partition("\r\n\r\n")
    assert f"Content-Length: {len(body)}" in head or not body
    return int(head.split(" ")[1]), body


@pytest.mark.parametrize(
    ("request_line", "status", "words"),
    [
        ("GET /livez HTTP/1.1", 200, "ok"),
        ("GET /readyz HTTP/1.1", 200, "ok"),
        ("GET /readyz?verbose HTTP/1.0", 200, "ok"),
        ("GET /metrics HTTP/1.1", 200, "pgveil_sessions 0"),
        ("GET /secrets HTTP/1.1", 404, "/livez"),
        ("POST /livez HTTP/1.1", 405, "GET"),
        ("HEAD /livez HTTP/1.1", 200, ""),
        ("GET /livez", 400, "HTTP/1.1"),
        ("", 400, "HTTP/1.1"),
    ],
)
def test_pages(request_line: str, status: int, words: str) -> None:
    found, body = page(request_line)
    assert found == status
    assert words in body


def test_a_worker_that_is_not_ready_says_why() -> None:
    assert page("GET /readyz HTTP/1.1", problem="draining") == (503, "draining\n")
    assert page("GET /livez HTTP/1.1", problem="draining")[0] == 200


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to an admin listener."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    admin = Admin(Metrics(), lambda: None)
    await admin.listen([sock])
    reader, writer = await asyncio.open_connection(*sock.getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        admin.close()


async def test_one_request_a_connection() -> None:
    async with listening() as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\n")
        await asyncio.sleep(0)
        writer.write(b"Host: x\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_request_without_end_is_cut_off() -> None:
    async with listening() as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * 5000)
        with contextlib.suppress(ConnectionResetError):  # the rest of it is not even read
            assert await reader.read() == b""
