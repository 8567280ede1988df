"""Keys from keys (HKDF-SHA256, RFC 5869) and keys from passphrases (scrypt, RFC 7914)."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt


def hkdf_sha256(key: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    """Derive `length` bytes (at most 8160) from a key; `info` separates the uses of one key."""
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(key)


def hkdf_expand_sha256(key: bytes) -> Callable[[bytes], bytes]:
    """HKDF-Expand alone, for a key that is uniformly random (RFC 5869, 3.3): info -> 32 bytes.

    It is called for every value, so the key is put into the HMAC once.
    """
    keyed = hmac.new(key, digestmod="sha256")

    def expand(info: bytes) -> bytes:
        block = keyed.copy()
        block.update(info + b"\x01")
        return block.digest()

    return expand


def scrypt(passphrase: bytes, *, salt: bytes, n: int, r: int, p: int, length: int = 32) -> bytes:
    """Derive `length` bytes from a passphrase, using 128 * n * r bytes of memory (n is a power of two)."""
    return Scrypt(salt=salt, length=length, n=n, r=r, p=p).derive(passphrase)
