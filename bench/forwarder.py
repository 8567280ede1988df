"""A forwarder that does nothing but forward: the least that a proxy on asyncio and uvloop can cost.

    python -m bench.forwarder PORT UPSTREAM_PORT

One write for each read, no back-pressure, nothing looked at. What pgveil costs beyond this is its own work.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

HOST = "127.0.0.1"


class Side(asyncio.Protocol):
    """One of the two connections: what comes here goes to `other`."""

    def __init__(self, other: asyncio.Transport | None = None) -> None:
        self.other = other

    def data_received(self, data: bytes) -> None:
        assert self.other is not None
        self.other.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.close()


class Waiting(asyncio.Protocol):
    """An accepted connection whose upstream's is still to come."""

    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self._early = b""
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        client = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        self._connecting = asyncio.get_running_loop().create_task(self._connect(client))

    def data_received(self, data: bytes) -> None:
        self._early += data

    async def _connect(self, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        upstream, _ = await loop.create_connection(lambda: Side(transport), HOST, self._upstream_port)
        transport.set_protocol(Side(upstream))
        upstream.write(self._early)


async def serve(port: int, upstream_port: int) -> None:
    """Forward until cancelled."""
    server = await asyncio.get_running_loop().create_server(lambda: Waiting(upstream_port), HOST, port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
