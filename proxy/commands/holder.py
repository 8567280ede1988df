"""Who holds the master key, for commands: a person can be asked for its passphrase."""

from __future__ import annotations

from crypto.private_file import Passphrase
from crypto.providers import Provider
from proxy.commands.passphrases import ask_passphrase
from proxy.config import Keys
from proxy.keys import master_key


def open_holder(keys: Keys, ask: Passphrase = ask_passphrase) -> Provider:
    """The provider that the configuration names. Raises ProviderError."""
    return master_key(keys, ask)
