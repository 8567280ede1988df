"""Many calls, a few of them at a time."""

from __future__ import annotations

import asyncio

import pytest

from crypto.concurrency import AT_ONCE, each


async def test_results_are_in_order_and_never_too_many_at_once() -> None:
    now, most = 0, 0

    async def work(number: int) -> int:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return number * 2

    assert await each(range(100), work) == [number * 2 for number in range(100)]
    assert most == AT_ONCE


async def test_a_failure_is_raised() -> None:
    async def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    with pytest.raises(ValueError, match="three"):
        await each(range(5), work)
