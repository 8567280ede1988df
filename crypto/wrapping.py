"""A key encrypted by another key, for storing: version (1 byte, 0x01) · nonce (12) · ciphertext · tag (16).

The cipher is AES-256-GCM, under a key derived for this purpose only. Keys are wrapped so rarely that random
nonces are safe.
"""

from __future__ import annotations

import os

from crypto.aead import NONCE_BYTES, Aes256Gcm, InvalidTag
from crypto.errors import DecryptionError
from crypto.kdf import hkdf_sha256
from crypto.secret import Secret

_VERSION = b"\x01"
_BODY = 1 + NONCE_BYTES


class WrappingKey(Secret):
    """Wraps other keys. Made from a key of 32 bytes, which is used for nothing here but this derivation."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = Aes256Gcm(hkdf_sha256(key, salt=b"", info=b"pgveil v1 wrapping", length=32))

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Encrypt `key`, bound to `context`."""
        nonce = os.urandom(NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The key that was wrapped. Raises DecryptionError if it was altered, or bound to another context."""
        if not wrapped.startswith(_VERSION):
            raise DecryptionError
        try:
            return self._cipher.decrypt(wrapped[1:_BODY], wrapped[_BODY:], context)
        except (InvalidTag, ValueError):
            raise DecryptionError from None
