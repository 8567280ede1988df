"""Calls of a service that may be slow, busy or away.

Rule 1: services are blocking; they run in threads, a few at a time. Whoever waits for one waits `timeout`
        seconds at the most; the thread itself is ended by the time-outs of the service's own library.
Rule 2: only what a later try may help (ProviderUnavailable) is tried again: after a random pause whose bound
        doubles, as long as `timeout` allows three times over. A denial is an answer.
Rule 3: after FAILURES of them in a row nobody asks any more, and everybody is told at once since when and
        why. After each PAUSE one call is let through. If it is answered all is well again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_before_delay, wait_random_exponential

from crypto.errors import ProviderError, ProviderUnavailable

AT_ONCE = 8  # calls
FAILURES = 5  # in a row, after which nobody asks any more
PAUSE = 5.0  # seconds until one asks again
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0  # seconds: bounds of the pauses between tries
_KEEP_AGAIN = 2.0  # seconds after an upkeep that failed

T = TypeVar("T")

_log = logging.getLogger("pgveil.keys")


class CircuitOpen(ProviderUnavailable):
    """The service has failed so often that it is not asked."""


class Breaker:
    """Counts failures in a row, and says whether to ask."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._failures = 0
        self._since = datetime.now(UTC)
        self._reason = ""
        self._next = 0.0  # when the next call may ask, while the circuit is open

    @property
    def open(self) -> bool:
        return self._failures >= FAILURES

    def check(self) -> None:
        """Raises CircuitOpen, unless the caller may ask."""
        if self.open:
            if self._clock() < self._next:
                raise self.error()
            self._next = self._clock() + PAUSE  # for everybody else

    def failed(self, reason: str) -> None:
        if self._failures == 0:
            self._since = datetime.now(UTC)
        self._failures += 1
        self._reason = reason
        self._next = self._clock() + PAUSE

    def answered(self) -> None:
        self._failures = 0

    def error(self) -> CircuitOpen:
        since = self._since.isoformat(timespec="seconds")
        return CircuitOpen(f"{self._name} has been away since {since}: {self._reason}")


class Calls:
    """Calls one service from the running loop, of which there may be another after a fork.

    timeout     seconds for one try
    connected   called before the first call in a loop: no connection may cross a fork
    keep        what has to be done regularly; returns the seconds until the next time
    """

    def __init__(
        self,
        name: str,
        timeout: float,
        *,
        connected: Callable[[], None] = lambda: None,
        keep: Callable[[], float] | None = None,
    ) -> None:
        self._name = name
        self._timeout = timeout
        self._connected = connected
        self._keep = keep
        self._breaker = Breaker(name)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._upkeep: asyncio.Task[None] | None = None

    async def run(self, work: Callable[[], T], *, again: bool = True) -> T:
        """The result of `work`, done in a thread. Raises ProviderError, ProviderUnavailable.

        `again`: it may be done twice.
        """
        self._enter()
        if not again:
            return await self._once(work)
        tries = AsyncRetrying(
            retry=retry_if_exception(_worth_another_try),
            wait=wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
            stop=stop_before_delay(3 * self._timeout),
            reraise=True,
        )
        return await tries(self._once, work)

    async def close(self) -> None:
        """Let go of the threads; a later call makes new ones."""
        if self._upkeep is not None:
            self._upkeep.cancel()
            await asyncio.gather(self._upkeep, return_exceptions=True)
        if self._threads is not None:
            await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._loop = self._threads = self._upkeep = None

    def _enter(self) -> None:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._connected()
            self._loop = loop
            self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="pgveil-provider")
            self._turns = asyncio.Semaphore(AT_ONCE)
            self._breaker = Breaker(self._name)
            self._upkeep = loop.create_task(self._keep_up(self._keep)) if self._keep else None

    async def _once(self, work: Callable[[], T]) -> T:
        async with self._turns:
            self._breaker.check()
            try:
                result = await self._in_thread(work)
            except ProviderUnavailable as error:
                self._breaker.failed(str(error))
                if self._breaker.open:
                    raise self._breaker.error() from None
                raise
            except ProviderError:
                self._breaker.answered()
                raise
            self._breaker.answered()
            return result

    async def _in_thread(self, work: Callable[[], T]) -> T:
        assert self._loop is not None
        try:
            async with asyncio.timeout(self._timeout):
                return await self._loop.run_in_executor(self._threads, work)
        except TimeoutError:
            raise ProviderUnavailable(f"{self._name}: no answer within {self._timeout:g} s") from None
        except ProviderError:
            raise
        except Exception as error:  # what it says could be anything
            raise ProviderUnavailable(
                f"{self._name}: an answer that is not understood ({type(error).__name__})"
            ) from None

    async def _keep_up(self, keep: Callable[[], float]) -> None:
        failure: str | None = None
        while True:
            try:
                pause = await self._in_thread(keep)
                failure = None
            except ProviderError as error:
                if str(error) != failure:
                    failure = str(error)
                    _log.warning("%s", failure)
                pause = _KEEP_AGAIN
            await asyncio.sleep(pause)


def _worth_another_try(error: BaseException) -> bool:
    return isinstance(error, ProviderUnavailable) and not isinstance(error, CircuitOpen)
