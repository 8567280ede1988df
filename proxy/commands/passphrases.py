"""Passphrases from a person at a terminal."""

from __future__ import annotations

import getpass
import sys

from crypto.errors import ProviderError

MASTER_KEY = "the master key"


def ask_passphrase(of: str = MASTER_KEY) -> bytes:
    """Ask a person for the passphrase of something. Raises ProviderError without a terminal."""
    if not sys.stdin.isatty():
        raise ProviderError(f"{of} is sealed, and there is no terminal to ask for its passphrase")
    return getpass.getpass(f"Passphrase of {of}: ").encode()


def new_passphrase(of: str = MASTER_KEY, instead: str = "set keys.local.passphrase_file") -> bytes:
    """Ask a person for a new passphrase, twice. Raises ProviderError. `instead`: without a terminal."""
    if not sys.stdin.isatty():
        raise ProviderError(f"there is no terminal to ask for a passphrase: {instead}")
    passphrase = getpass.getpass(f"New passphrase of {of}: ")
    if not passphrase:
        raise ProviderError("the passphrase is empty")
    if passphrase != getpass.getpass("Once more: "):
        raise ProviderError("the two passphrases differ")
    return passphrase.encode()
