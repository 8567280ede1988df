"""Deterministic authenticated encryption: AES-SIV (RFC 5297), key bytes in, two methods out.

    encrypt(plaintext, associated_data) -> 16-byte synthetic IV, then as many bytes as the plaintext has
    decrypt(ciphertext, associated_data) -> plaintext, or raises InvalidTag

Equal plaintexts under equal associated data give equal ciphertexts: this is what makes equality search
possible, and what the mode gives away. The associated data is a list of components, as in RFC 5297.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from crypto.secret import Secret

__all__ = ["IV_BYTES", "KEY_BYTES", "AesSiv", "InvalidTag"]

KEY_BYTES = 64  # half for S2V (CMAC), half for CTR: AES-256 in both
IV_BYTES = 16

Method = Callable[[bytes, list[bytes]], bytes]


class AesSiv(Secret):
    """AES-256-SIV. Raises ValueError unless the key has 64 bytes."""

    __slots__ = ("decrypt", "encrypt")

    encrypt: Method
    decrypt: Method

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key must have {KEY_BYTES} bytes, not {len(key)}")
        cipher = AESSIV(key)
        self.encrypt = cipher.encrypt
        self.decrypt = cipher.decrypt
