"""Rotation of the master key, as its provider does it; and its end, when every pgveil has the new one."""

from __future__ import annotations

from collections.abc import Awaitable

from crypto import local_rotation
from crypto.manager import KeyManager
from crypto.master_rotation import conclude, exchange, renew
from crypto.private_file import Passphrase, passphrase_from
from crypto.providers import Provider, Versioned
from crypto.upkeep import alone_with
from proxy.config import Config

_FOLLOW = "running pgveils follow by themselves if they can read its passphrase; then: --finish"
_SWITCH = "now give every pgveil its configuration; then: --finish"


class MasterKey:
    """The master key of a configuration. `ask` has a person's passphrase.

    Methods return what was done, as (provider with the master key of now, note). With `dry_run` they do
    nothing but say what they would do. They raise ValueError where it makes no sense, KeystoreError,
    ProviderError.
    """

    def __init__(self, config: Config, manager: KeyManager, ask: Passphrase, *, dry_run: bool) -> None:
        self._manager = manager
        self._file = config.keys.local.file if config.keys.provider == "local" else None
        file = config.keys.local.passphrase_file
        self._passphrase = passphrase_from(file) if file else ask
        self._dry_run = dry_run

    async def rotate(self, other: Provider | None) -> tuple[Provider, str]:
        """Give it a new version, or a successor; or let `other` take its place."""
        keystore, provider, observe = self._manager.keystore, self._manager.provider, self._manager.observe
        if other is None and not isinstance(provider, Versioned) and self._file is None:
            raise ValueError(
                f"{provider.reference} has no versions: name the configuration of another with --to"
            )
        if self._dry_run:
            return other or provider, "would be rotated"
        async with alone_with(keystore):
            if other is not None:
                count = await exchange(keystore, provider, other, observe=observe)
                return other, f"{count} data keys wrapped by it, too; {_SWITCH}"
            if isinstance(provider, Versioned):
                count = await renew(keystore, provider, observe=observe)
                return provider, f"{count} data keys wrapped by its new version"
            assert self._file is not None
            new = await local_rotation.rotate(
                self._file, keystore, provider, self._passphrase, observe=observe
            )
            return new, f"the data keys are wrapped by it, too; {_FOLLOW}"

    async def finish(self, old: Provider | None) -> tuple[Provider, str]:
        """Take away what other master keys have wrapped. `old`: one whose work may not be taken over yet."""
        keystore, provider, observe = self._manager.keystore, self._manager.provider, self._manager.observe
        if self._dry_run:
            return provider, "what other master keys have wrapped would be taken away"
        async with alone_with(keystore):
            work: Awaitable[int]
            if self._file is not None and old is None:
                work = local_rotation.finish(
                    self._file, keystore, provider, self._passphrase, observe=observe
                )
            else:
                work = conclude(keystore, provider, old, observe=observe)
            count = await work
        return provider, f"{count} data keys are wrapped by it alone"
