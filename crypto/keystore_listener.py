"""Learns of changes of the keystore's table: by LISTEN and NOTIFY, by polling where these do not get through.

Rule 1: a connection that listens tries it out: it notifies itself. Where that does not arrive (a pooler is in
        between), the table is looked at every POLL seconds instead.
Rule 2: every new connection is a change: nobody knows what was missed meanwhile.
Rule 3: a connection that is lost is made anew, for ever; a connection that only seems to live is found by a
        look every HEARTBEAT seconds.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

import asyncpg

CHANNEL = "pgveil_keys"  # the payload is the schema of the keystore, or a listener's own trial
NOTIFY = "SELECT pg_catalog.pg_notify($1, $2)"
POLL = 0.5  # seconds between two looks where notifications do not arrive
HEARTBEAT = 10.0  # seconds between two looks where they do
RETRY = 1.0  # seconds until a connection is tried again
_TRIAL = 2.0  # seconds for a notification of one's own to arrive
_CLOSE_TIMEOUT = 2.0

_FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

_log = logging.getLogger("pgveil.keys")


async def listen(connect: Callable[[], Awaitable[Any]], schema: str, mark: str) -> AsyncGenerator[None]:
    """Yields once for each new connection and whenever the keystore of this schema may have changed.

    `mark` is a query whose row is another one after a change.
    """
    while True:
        try:
            connection = await connect()
        except _FAILURES as error:
            _log.debug("the keystore cannot be listened to: %s", type(error).__name__)
        else:
            try:
                async with aclosing(_listen(connection, schema, mark)) as news:
                    async for _ in news:
                        yield
            except _FAILURES as error:
                _log.info("the keystore is not listened to any more: %s", type(error).__name__)
            finally:
                await _close(connection)
        await asyncio.sleep(RETRY)


async def _listen(connection: Any, schema: str, mark: str) -> AsyncGenerator[None]:
    """Until the connection is lost, which is raised."""
    news, arrived, trial = asyncio.Event(), asyncio.Event(), str(uuid.uuid4())

    def notified(connection: Any, pid: int, channel: str, payload: str) -> None:
        if payload == schema:
            news.set()
        elif payload == trial:
            arrived.set()

    connection.add_termination_listener(lambda _: news.set())
    await connection.add_listener(CHANNEL, notified)
    await connection.execute(NOTIFY, CHANNEL, trial)
    seen = await connection.fetchrow(mark)
    yield
    with suppress(TimeoutError):
        async with asyncio.timeout(_TRIAL):
            await arrived.wait()
    pause = HEARTBEAT if arrived.is_set() else POLL
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await news.wait()
        told = news.is_set()
        news.clear()
        found = await connection.fetchrow(mark)
        if told or found != seen:
            seen = found
            yield


async def _close(connection: Any) -> None:
    with suppress(*_FAILURES):
        await connection.close(timeout=_CLOSE_TIMEOUT)
