"""Calls of a service that is slow, busy or away: what is tried again, and when nobody asks any more."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable

import pytest

from crypto.errors import ProviderError, ProviderUnavailable
from crypto.providers import resilient
from crypto.providers.resilient import AT_ONCE, FAILURES, PAUSE, Breaker, Calls, CircuitOpen


@pytest.fixture
async def calls() -> AsyncIterator[Calls]:
    opened = Calls("service", timeout=5.0)
    yield opened
    await opened.close()


def failing(times: int, error: ProviderError | None = None) -> Callable[[], int]:
    """Work that fails so often, then returns how often it was done."""
    done = 0

    def work() -> int:
        nonlocal done
        done += 1
        if done <= times:
            raise error or ProviderUnavailable("service: busy")
        return done

    return work


@pytest.mark.usefixtures("impatient")
async def test_what_a_later_try_may_help_is_tried_again(calls: Calls) -> None:
    assert await calls.run(failing(FAILURES - 1)) == FAILURES


async def test_a_denial_is_an_answer(calls: Calls) -> None:
    work = failing(1, ProviderError("service: denied"))
    with pytest.raises(ProviderError, match="denied"):
        await calls.run(work)
    assert await calls.run(work) == 2


async def test_what_must_not_be_done_twice_is_not(calls: Calls) -> None:
    work = failing(1)
    with pytest.raises(ProviderUnavailable):
        await calls.run(work, again=False)
    assert await calls.run(work) == 2


@pytest.mark.usefixtures("impatient")
async def test_after_failures_in_a_row_nobody_asks_until_one_succeeds(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resilient, "PAUSE", 0.5)
    work = failing(FAILURES)
    with pytest.raises(CircuitOpen, match=r"service has been away since 20.*\+00:00: service: busy"):
        await calls.run(work)
    with pytest.raises(CircuitOpen):
        await calls.run(work)  # at once, and without asking
    await asyncio.sleep(0.6)
    assert await calls.run(work) == FAILURES + 1
    assert await calls.run(work) == FAILURES + 2


def test_the_rules_of_the_breaker() -> None:
    now = 0.0
    breaker = Breaker("service", lambda: now)
    for _ in range(FAILURES):
        breaker.check()
        breaker.failed("busy")
    with pytest.raises(CircuitOpen):
        breaker.check()
    now += PAUSE
    breaker.check()  # one may ask
    with pytest.raises(CircuitOpen):
        breaker.check()  # nobody beside it
    breaker.failed("still busy")
    with pytest.raises(CircuitOpen, match="still busy"):
        breaker.check()
    now += PAUSE
    breaker.check()
    breaker.answered()
    breaker.check()
    breaker.check()
    assert not breaker.open


async def test_nobody_waits_longer_than_the_time_out() -> None:
    release = threading.Event()
    calls = Calls("service", timeout=0.1)
    with pytest.raises(ProviderUnavailable, match=r"no answer within 0\.1 s"):
        await calls.run(release.wait, again=False)
    release.set()
    await calls.close()


async def test_retries_end_with_the_time_that_is_allowed() -> None:
    calls = Calls("service", timeout=0.2)
    with pytest.raises(ProviderUnavailable):
        await calls.run(failing(10**6))
    await calls.close()


async def test_only_a_few_calls_run_at_a_time(calls: Calls) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1

    await asyncio.gather(*(calls.run(work) for _ in range(5 * AT_ONCE)))
    assert 1 < most <= AT_ONCE


async def test_what_is_not_understood_is_not_shown(calls: Calls) -> None:
    def work() -> None:
        raise KeyError("kanarie")

    with pytest.raises(ProviderUnavailable, match=r"not understood .KeyError.") as told:
        await calls.run(work, again=False)
    assert told.value.__cause__ is None
    assert "kanarie" not in str(told.value)


def test_another_loop_gets_connections_of_its_own() -> None:
    """As a worker does that was forked after the first calls."""
    connected: list[str] = []
    calls = Calls("service", timeout=5.0, connected=lambda: connected.append("anew"))

    async def twice() -> None:
        await calls.run(lambda: None)
        await calls.run(lambda: None)
        await calls.close()

    asyncio.run(twice())
    asyncio.run(twice())
    assert connected == ["anew", "anew"]


async def test_upkeep_goes_on_through_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resilient, "_KEEP_AGAIN", 0.01)
    kept = threading.Event()
    turns = iter([ProviderUnavailable("service: busy"), KeyError("x"), None, None])

    def keep() -> float:
        if (turn := next(turns)) is not None:
            raise turn
        kept.set()
        return 60.0

    calls = Calls("service", timeout=5.0, keep=keep)
    await calls.run(lambda: None)
    assert await asyncio.to_thread(kept.wait, 10)
    await calls.close()
