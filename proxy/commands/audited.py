"""A key manager for a command that does something with keys: the audit trail has what it does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from crypto.manager import KeyManager
from crypto.providers import Provider
from proxy.audit.assembly import command_trail
from proxy.config import Config
from proxy.keys import key_manager


@asynccontextmanager
async def audited(
    config: Config, provider: Provider, command: str, *, create: bool = False
) -> AsyncIterator[KeyManager]:
    """The manager; closed at the end. `create`: a keystore that is not there is set up before all else.

    Raises ServerError where the policy wants a trail, and it cannot be written: before anything is done.
    """
    async with command_trail(config, command) as trail:
        manager = key_manager(config, provider, trail.observe)
        try:
            if create:
                await manager.create()
            await trail.begin(manager)
            yield manager
        finally:
            await manager.close()
