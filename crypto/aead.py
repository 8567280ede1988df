"""Randomized authenticated encryption (AEAD, RFC 5116): key bytes in, two methods out.

AES-256-GCM is NIST SP 800-38D, ChaCha20-Poly1305 is RFC 8439. The two methods are the library's own,
bound once, so that a call costs what the library costs:

    encrypt(nonce, plaintext, associated_data) -> ciphertext with the 16-byte tag at its end
    decrypt(nonce, ciphertext, associated_data) -> plaintext, or raises InvalidTag

A nonce (12 bytes) must never be used twice with one key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import aead as library

from crypto.secret import Secret

__all__ = ["KEY_BYTES", "NONCE_BYTES", "TAG_BYTES", "Aead", "Aes256Gcm", "ChaCha20Poly1305", "InvalidTag"]

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16

Method = Callable[[bytes, bytes, bytes], bytes]


class Aead(Secret):
    """A cipher that takes a nonce with each message, of `nonce_bytes` bytes.

    `has_budget`: random nonces would repeat after some 2^32 messages of one key (NIST SP 800-38D, 8.3).
    """

    __slots__ = ("decrypt", "encrypt")

    nonce_bytes: ClassVar[int] = NONCE_BYTES
    has_budget: ClassVar[bool] = True
    encrypt: Method
    decrypt: Method


class Aes256Gcm(Aead):
    """AES-256 in Galois/Counter Mode. Raises ValueError unless the key has 32 bytes."""

    __slots__ = ()
    primitive = library.AESGCM  # the library's own, for who makes one for every message

    def __init__(self, key: bytes) -> None:
        cipher = self.primitive(_checked(key))
        self.encrypt = cipher.encrypt
        self.decrypt = cipher.decrypt


class ChaCha20Poly1305(Aead):
    """For hosts with no AES instructions. Raises ValueError unless the key has 32 bytes."""

    __slots__ = ()
    primitive = library.ChaCha20Poly1305

    def __init__(self, key: bytes) -> None:
        cipher = self.primitive(_checked(key))
        self.encrypt = cipher.encrypt
        self.decrypt = cipher.decrypt


def _checked(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError(f"the key must have {KEY_BYTES} bytes, not {len(key)}")
    return key
