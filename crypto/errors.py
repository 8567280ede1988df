"""What can go wrong with keys and envelopes.

    CryptoError
    ├── DecryptionError         a value does not open; says only that it failed
    │   ├── UnknownKey          the envelope names a key that this snapshot lacks
    │   └── DestroyedKey        the envelope names a key that was destroyed
    ├── KeyExhausted            a key version has used up its budget of random nonces
    ├── KeystoreError           the keystore is missing, altered, locked, or lacks a key
    │   ├── KeystoreUnavailable it does not answer now; worth another try
    │   └── KeystoreOutdated    an older copy stands in its place
    └── ProviderError           the master key cannot be used
        └── ProviderUnavailable its holder does not answer now; worth another try

No message ever holds a key, a passphrase or a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crypto.keystore import Records


class CryptoError(Exception):
    """Base of everything that this package raises on purpose."""


class DecryptionError(CryptoError):
    """A value does not open: altered, of another field, or no envelope at all. Never says which."""

    def __init__(self) -> None:
        super().__init__("the value cannot be decrypted")


class UnknownKey(DecryptionError):
    """The envelope names a key that this snapshot lacks: perhaps another process has just made it."""

    def __init__(self, key_id: bytes) -> None:
        super().__init__()
        self.key_id = key_id


class DestroyedKey(DecryptionError):
    """The envelope names a key that was destroyed (at `destroyed_at`, ISO 8601): nobody can open it."""

    def __init__(self, destroyed_at: str) -> None:
        super().__init__()
        self.destroyed_at = destroyed_at


class KeyExhausted(CryptoError):
    """A key version must encrypt no more, lest a random nonce repeats (NIST SP 800-38D, 8.3)."""


class KeystoreError(CryptoError):
    """The keystore is missing, altered, locked by another process, or lacks what was asked for."""


class KeystoreUnavailable(KeystoreError):
    """The keystore does not answer now."""


class KeystoreOutdated(KeystoreError):
    """The keystore is an older copy of itself. `records` are those that it holds."""

    def __init__(self, message: str, records: Records) -> None:
        super().__init__(message)
        self.records = records


class ProviderError(CryptoError):
    """The master key cannot be used: no file, wrong passphrase, wrong key, altered wrap."""


class ProviderUnavailable(ProviderError):
    """Whoever holds the master key does not answer now."""
