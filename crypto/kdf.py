"""Keys from keys (HKDF-SHA256, RFC 5869) and keys from passphrases (scrypt, RFC 7914)."""

from __future__ import annotations

from hmac import digest

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt


def hkdf_sha256(key: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    """Derive `length` bytes (at most 8160) from a key; `info` separates the uses of one key."""
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(key)


def quick_hkdf_sha256(key: bytes, salt: bytes, info: bytes) -> bytes:
    """The same, 32 bytes of it, where it is called for every value: one block is two HMACs (RFC 5869, 2)."""
    return digest(digest(salt, key, "sha256"), info + b"\x01", "sha256")


def scrypt(passphrase: bytes, *, salt: bytes, n: int, r: int, p: int, length: int = 32) -> bytes:
    """Derive `length` bytes from a passphrase, using 128 * n * r bytes of memory (n is a power of two)."""
    return Scrypt(salt=salt, length=length, n=n, r=r, p=p).derive(passphrase)
