"""Who holds the master key, for commands: a person can be asked for its passphrase."""

from __future__ import annotations

from crypto.assembly import open_provider
from crypto.providers import Provider
from proxy.commands.passphrases import ask_passphrase
from proxy.config import Keys


def open_holder(keys: Keys) -> Provider:
    """The provider that the configuration names. Raises ProviderError."""
    return open_provider(
        keys.provider,
        key_file=keys.local.file,
        passphrase_file=keys.local.passphrase_file,
        ask_passphrase=ask_passphrase,
    )
