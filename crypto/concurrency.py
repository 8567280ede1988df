"""Many calls of a provider, a few of them at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

AT_ONCE = 16

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


async def each(items: Iterable[_Item], work: Callable[[_Item], Awaitable[_Result]]) -> list[_Result]:
    """The work done on every item, in their order. Raises what the first failure raises."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(item: _Item) -> _Result:
        async with turns:
            return await work(item)

    return list(await asyncio.gather(*map(one, items)))
