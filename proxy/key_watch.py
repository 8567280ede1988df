"""Looks after the keys of a worker: shows how they are, and rotates what is due.

What is due is done by one process of all that share the keystore (crypto/upkeep.py). Each looks now and then,
at times of its own.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from crypto.errors import CryptoError
from crypto.manager import KeyManager
from crypto.schedule import Turn
from crypto.upkeep import keep_up, planned
from policy.model import Policy
from proxy import log
from proxy.keys import schedule_of
from proxy.metrics import Metrics

SECOND = 1.0  # between two looks at how the keys are
FIRST = 5.0  # seconds after the start within which it is looked for what is due
PAUSE = 60.0  # seconds, more or less by half, until that is done again


class KeyWatch:
    """Works from `start` to `close`. `policy` is asked for the policy of now."""

    def __init__(self, keys: KeyManager, metrics: Metrics, policy: Callable[[], Policy]) -> None:
        self._keys = keys
        self._metrics = metrics
        self._policy = policy
        self._overdue: frozenset[str] = frozenset()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="pgveil key watch")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        now = asyncio.get_running_loop().time
        due = now() + random.uniform(0, FIRST)  # noqa: S311  no secret
        while True:
            self._show()
            if now() >= due:
                await self._take_turns()
                due = now() + random.uniform(PAUSE / 2, PAUSE * 1.5)  # noqa: S311
            await asyncio.sleep(SECOND)

    def _show(self) -> None:
        """Put into the metrics how the keys are."""
        self._metrics.set("keys_open", len(self._keys.keyring))
        self._metrics.set("key_outage", int(self._keys.outage is not None))
        self._metrics.set("key_outage_seconds", int(self._keys.trust.outage_seconds))

    async def _take_turns(self) -> None:
        """Rotate what is due, and tell what is overdue all the same."""
        schedule = schedule_of(self._policy())
        try:
            for turn in await keep_up(self._keys, schedule):
                self._metrics.add("keys_rotated_total")
                log.event("key rotated by schedule", work=turn.work.value, key=str(turn.record))
        except CryptoError as error:
            log.warning("keys could not be rotated, and will be later", reason=str(error))
        except Exception as error:  # the next turn may go better
            log.exception("keys could not be rotated", error)
        now = datetime.now(UTC)
        self._tell([turn for turn in planned(self._keys, schedule, now) if turn.overdue(now)])

    def _tell(self, overdue: list[Turn]) -> None:
        self._metrics.set("keys_overdue", len(overdue))
        names = frozenset(str(turn.record) for turn in overdue)
        for name in sorted(names - self._overdue):
            log.event("key overdue for rotation", level=logging.WARNING, key=name)
        self._overdue = names
