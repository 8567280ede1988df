"""A provider made of a key service: what the service does, blocking, and how it is called."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from crypto.errors import ProviderError
from crypto.providers.resilient import Calls
from crypto.secret import Secret

_PROBE_CONTEXT = b"pgveil v1 probe"


class Service(Protocol):
    """A master key in a service. Methods block, may run in several threads at once, raise as Provider's do.

    They are given time by the settings of their own library, so that no thread waits for ever.
    """

    reference: str

    def wrap(self, key: bytes, context: bytes) -> bytes: ...

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes: ...

    def rewrap(self, wrapped: bytes, context: bytes) -> bytes: ...

    def rotate(self) -> None: ...

    def describe(self) -> Mapping[str, str]: ...

    def close(self) -> None:
        """Let go of connections and logins; a later call makes new ones."""


class ServiceProvider(Secret):
    """See crypto/providers/__init__.py: a Provider, and Versioned."""

    def __init__(self, service: Service, timeout: float, keep: Callable[[], float] | None = None) -> None:
        self._service = service
        self._calls = Calls(service.reference, timeout, connected=service.close, keep=keep)
        self.reference = service.reference

    async def wrap(self, key: bytes, context: bytes) -> bytes:
        return await self._calls.run(partial(self._service.wrap, key, context))

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        return await self._calls.run(partial(self._service.unwrap, wrapped, context))

    async def rewrap(self, wrapped: bytes, context: bytes) -> bytes:
        return await self._calls.run(partial(self._service.rewrap, wrapped, context))

    async def rotate(self) -> None:
        await self._calls.run(self._service.rotate, again=False)  # each time makes a version

    async def refresh(self) -> None:
        """Nothing to look at: every call asks the service."""

    async def describe(self) -> Mapping[str, str]:
        return await self._calls.run(self._service.describe)

    async def health(self) -> None:
        """Wrap a key, and unwrap it."""
        key = os.urandom(32)
        if await self.unwrap(await self.wrap(key, _PROBE_CONTEXT), _PROBE_CONTEXT) != key:
            raise ProviderError(f"{self.reference}: what it has wrapped it unwraps to something else")

    async def close(self) -> None:
        await self._calls.close()
        self._service.close()
