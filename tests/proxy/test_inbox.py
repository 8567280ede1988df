"""Bytes that wait until somebody takes them."""

from __future__ import annotations

import asyncio

from proxy.inbox import ENOUGH, Inbox
from tests.proxy.test_flow import Transport


async def test_bytes_are_taken_together() -> None:
    inbox = Inbox()
    inbox.data_received(b"a")
    inbox.data_received(b"b")
    assert await inbox.receive() == b"ab"
    assert inbox.take() == b""


async def test_who_waits_is_woken() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.receive())
    await asyncio.sleep(0)
    inbox.data_received(b"here")
    assert await waiting == b"here"


async def test_the_end_comes_after_the_last_bytes() -> None:
    inbox = Inbox()
    inbox.data_received(b"last")
    assert inbox.eof_received()  # the other half stays open
    assert await inbox.receive() == b"last"
    assert await inbox.receive() == b""
    assert not inbox.lost
    inbox.connection_lost(None)
    assert inbox.lost


async def test_a_peer_that_sends_too_much_has_to_wait() -> None:
    inbox, transport = Inbox(), Transport()
    inbox.connection_made(transport)
    inbox.data_received(bytes(ENOUGH))
    assert transport.reading
    inbox.data_received(b"x")
    assert not transport.reading
    inbox.take()
    assert transport.reading
