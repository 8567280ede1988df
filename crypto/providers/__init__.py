"""Who holds the master key: one provider a file."""

from __future__ import annotations

from typing import Protocol


class Provider(Protocol):
    """Wraps and unwraps data encryption keys. The master key itself never leaves it.

    `context` is associated data: a wrapped key opens only with the context that it was wrapped with. Both
    methods raise ProviderError, or ProviderUnavailable when a later try may help.
    """

    @property
    def reference(self) -> str:
        """Names the master key for people and for the keystore; not a secret."""

    async def wrap(self, key: bytes, context: bytes) -> bytes: ...

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes: ...

    async def close(self) -> None: ...
