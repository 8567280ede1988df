"""Who holds the master key: one provider a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable


class Provider(Protocol):
    """Wraps and unwraps data encryption keys. The master key itself never leaves it.

    `context` is associated data: a wrapped key opens only with the context that it was wrapped with. Methods
    raise ProviderError, or ProviderUnavailable when a later try may help.
    """

    @property
    def reference(self) -> str:
        """Names the master key for people and for the keystore; not a secret.

        Raises ProviderError, or ProviderUnavailable, where the key has to be read first and could not be.
        """

    async def wrap(self, key: bytes, context: bytes) -> bytes: ...

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes: ...

    async def refresh(self) -> None:
        """Look again at what may change under a running process, such as a file; raises nothing."""

    async def describe(self) -> Mapping[str, str]:
        """What is worth telling people about the master key: its kind, versions, age. Never a secret."""

    async def health(self) -> None:
        """Whether the master key can be used now; raises if not."""

    async def close(self) -> None:
        """Let go of connections. A later call, perhaps in a forked process, makes new ones."""


@runtime_checkable
class Versioned(Provider, Protocol):
    """A provider whose master key has versions of its own, under one reference.

    What an older version has wrapped says so itself, and opens for as long as the holder keeps that version.
    """

    async def rotate(self) -> None:
        """Make a new version of the master key, which wraps from now on."""

    async def rewrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The same key, wrapped by the newest version."""


@runtime_checkable
class Creatable(Protocol):
    """A provider that can make its master key, where its holder has no such thing yet.

    No subclass of Provider: whether somebody is one is asked before the reference can be known.
    """

    async def create(self) -> None:
        """Make the master key; never in the place of another one. Raises ProviderError."""
