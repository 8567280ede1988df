"""What a connection receives while it is being set up: a protocol that keeps bytes until they are taken."""

from __future__ import annotations

import asyncio
from typing import cast

ENOUGH = 128 * 1024  # bytes kept before the peer has to wait


class Inbox(asyncio.Protocol):
    """Collects bytes; `activity` is set whenever there is something new. Two inboxes may share one event."""

    def __init__(self, activity: asyncio.Event | None = None) -> None:
        self.activity = activity or asyncio.Event()
        self.transport: asyncio.Transport | None = None
        self.closed = False  # what is here is all there will be
        self.lost = False  # nothing can be sent any more, either
        self._pieces: list[bytes] = []
        self._size = 0
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size > ENOUGH and not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()
        self.activity.set()

    def eof_received(self) -> bool:
        self.closed = True
        self.activity.set()
        return True  # whoever waits decides what to do with the other half

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = self.lost = True
        self.activity.set()

    def take(self) -> bytes:
        """All that came since the last time."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._paused and self.transport is not None and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()
        return data

    async def receive(self) -> bytes:
        """Wait for bytes; none are the end."""
        while not self._pieces and not self.closed:
            self.activity.clear()
            await self.activity.wait()
        return self.take()
