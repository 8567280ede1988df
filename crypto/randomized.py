"""Randomized envelopes: nonce · ciphertext · tag, under AES-256-GCM or ChaCha20-Poly1305.

With a key for each record the nonce is longer: it begins with the salt of that key (crypto/record_aead.py).
"""

from __future__ import annotations

import binascii

from crypto.aead import Aead
from crypto.columns import ColumnOpener, ascii_column_opener
from crypto.envelope import (
    ASCII_PREFIX_BYTES,
    FORMAT,
    FROM_URL,
    MAGIC,
    PADDING,
    PREFIX_BYTES,
    TO_URL,
    to_ascii,
)
from crypto.errors import DecryptionError
from crypto.nonces import NonceSource
from crypto.scheme import FAILURES, FORMAT_BYTE, Transform
from crypto.secret import Secret


class Randomized(Secret):
    """The scheme of a key whose every ciphertext is another (see `scheme.Scheme`)."""

    __slots__ = ("_ascii_prefix", "_cipher", "_nonces", "_prefix", "nonces")

    def __init__(self, header: bytes, cipher: Aead, nonces: NonceSource) -> None:
        self._prefix = MAGIC + header
        self._ascii_prefix = to_ascii(self._prefix)
        self._cipher = cipher
        self._nonces = nonces
        self.nonces = nonces if cipher.has_budget else None

    def sealer(self, aad: bytes) -> Transform:
        prefix, encrypt, take, refill = (
            self._prefix,
            self._cipher.encrypt,
            self._nonces.take,
            self._nonces.refill,
        )

        def seal(value: bytes) -> bytes:
            try:
                nonce = take()
            except IndexError:
                nonce = refill()
            return prefix + nonce + encrypt(nonce, FORMAT + value, aad)

        return seal

    def ascii_sealer(self, aad: bytes) -> Transform:
        prefix, encrypt = self._ascii_prefix, self._cipher.encrypt
        take, refill, b2a = self._nonces.take, self._nonces.refill, binascii.b2a_base64

        def seal(value: bytes) -> bytes:
            try:
                nonce = take()
            except IndexError:
                nonce = refill()
            body = b2a(nonce + encrypt(nonce, FORMAT + value, aad), newline=False)
            return prefix + body.translate(TO_URL, b"=")

        return seal

    def ascii_column_opener(self, aad: bytes) -> ColumnOpener:
        decrypt, end = self._cipher.decrypt, self._cipher.nonce_bytes
        return ascii_column_opener(
            self._ascii_prefix, lambda bodies: [decrypt(body[:end], body[end:], aad) for body in bodies]
        )

    def opener(self, aad: bytes, other: Transform) -> Transform:
        prefix, decrypt = self._prefix, self._cipher.decrypt
        end = PREFIX_BYTES + self._cipher.nonce_bytes

        def open_(data: bytes) -> bytes:
            if data[:PREFIX_BYTES] != prefix:
                return other(data)
            try:
                plain = decrypt(data[PREFIX_BYTES:end], data[end:], aad)
                if plain[0] == FORMAT_BYTE:
                    return plain[1:]
            except FAILURES:
                pass
            raise DecryptionError

        return open_

    def ascii_opener(self, aad: bytes, other: Transform) -> Transform:
        prefix, decrypt, a2b = self._ascii_prefix, self._cipher.decrypt, binascii.a2b_base64
        end = self._cipher.nonce_bytes

        def open_(data: bytes) -> bytes:
            if data[:ASCII_PREFIX_BYTES] != prefix:
                return other(data)
            try:
                text = data[ASCII_PREFIX_BYTES:]
                body = a2b(text.translate(FROM_URL) + PADDING[len(text) & 3], strict_mode=True)
                plain = decrypt(body[:end], body[end:], aad)
                if plain[0] == FORMAT_BYTE:
                    return plain[1:]
            except FAILURES:
                pass
            raise DecryptionError

        return open_
