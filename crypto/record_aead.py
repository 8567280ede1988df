"""A key of its own for each value: an AEAD whose long nonce names the record key that encrypts.

    nonce = salt (12 bytes) · nonce of the cipher (12 bytes), both random
    REK   = HKDF-SHA256(key, salt, info = lp("pgveil v1 rek"), 32 bytes)        RFC 5869

The record key (REK) is derived on the fly and kept nowhere. As in XAES-256-GCM, which derives its keys by
CMAC, 24 random bytes may be drawn without counting: 2^80 values of one key repeat a pair of key and nonce
with a probability of 2^-33, so that the budget of 2^32 encryptions is lifted.
"""

from __future__ import annotations

from crypto.aead import KEY_BYTES, NONCE_BYTES, Aead, Aes256Gcm, ChaCha20Poly1305
from crypto.envelope import length_prefixed
from crypto.kdf import quick_hkdf_sha256

SALT_BYTES = 12
_INFO = length_prefixed(b"pgveil v1 rek")


class RecordAead(Aead):
    """Derives the key of each message from its nonce. Raises ValueError unless the key has 32 bytes."""

    __slots__ = ()

    nonce_bytes = SALT_BYTES + NONCE_BYTES
    has_budget = False

    def __init__(self, cipher: type[Aes256Gcm | ChaCha20Poly1305], key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key must have {KEY_BYTES} bytes, not {len(key)}")

        def encrypt(nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
            rek = quick_hkdf_sha256(key, nonce[:SALT_BYTES], _INFO)
            return cipher(rek).encrypt(nonce[SALT_BYTES:], plaintext, associated_data)

        def decrypt(nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes:
            rek = quick_hkdf_sha256(key, nonce[:SALT_BYTES], _INFO)
            return cipher(rek).decrypt(nonce[SALT_BYTES:], ciphertext, associated_data)

        self.encrypt = encrypt
        self.decrypt = decrypt
