"""The forwarder forwards all bytes, both ways, also those that come before its own connection is there."""

from __future__ import annotations

import asyncio

from bench.forwarder import HOST, serve
from proxy.embedded import free_port


async def test_bytes_go_both_ways_until_one_side_ends() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data.upper())
        writer.close()

    upstream = await asyncio.start_server(echo, HOST, 0)
    port = free_port()
    forwarder = asyncio.create_task(serve(port, upstream.sockets[0].getsockname()[1]))
    reader, writer = await _connect(port)
    writer.write(b"at once")
    assert await reader.readexactly(7) == b"AT ONCE"
    writer.write(b"x" * 200_000)
    assert await reader.readexactly(200_000) == b"X" * 200_000
    writer.close()
    await writer.wait_closed()
    forwarder.cancel()
    upstream.close()
    await asyncio.gather(forwarder, return_exceptions=True)


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(20):
        while True:
            try:
                return await asyncio.open_connection(HOST, port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
