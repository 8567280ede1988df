"""A key of its own for each value: an AEAD whose long nonce names the record key that encrypts.

    nonce = salt (12 bytes) · nonce of the cipher (12 bytes), both random
    REK   = HKDF-Expand-SHA256(key, info = lp("pgveil v1 rek", salt), 32 bytes)        RFC 5869

The record key (REK) is derived on the fly and kept nowhere. A field's key is uniformly random, so that
HKDF's first step, Extract, is not needed (RFC 5869, 3.3). As in XAES-256-GCM, which derives its keys by
CMAC, 24 random bytes may be drawn without counting: 2^80 values of one key repeat a pair of key and nonce
with a probability of 2^-33, so that the budget of 2^32 encryptions is lifted.
"""

from __future__ import annotations

from crypto.aead import KEY_BYTES, NONCE_BYTES, Aead, Aes256Gcm, ChaCha20Poly1305
from crypto.envelope import length_prefixed
from crypto.kdf import hkdf_expand_sha256

SALT_BYTES = 12
_INFO = length_prefixed(b"pgveil v1 rek", bytes(SALT_BYTES))[:-SALT_BYTES]  # all of it but the salt


class RecordAead(Aead):
    """Derives the key of each message from its nonce. Raises ValueError unless the key has 32 bytes."""

    __slots__ = ()

    nonce_bytes = SALT_BYTES + NONCE_BYTES
    has_budget = False

    def __init__(self, cipher: type[Aes256Gcm | ChaCha20Poly1305], key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key must have {KEY_BYTES} bytes, not {len(key)}")
        make, expand, end, info = cipher.primitive, hkdf_expand_sha256(key), SALT_BYTES, _INFO

        def encrypt(nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
            return make(expand(info + nonce[:end])).encrypt(nonce[end:], plaintext, associated_data)

        def decrypt(nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes:
            return make(expand(info + nonce[:end])).decrypt(nonce[end:], ciphertext, associated_data)

        self.encrypt = encrypt
        self.decrypt = decrypt
