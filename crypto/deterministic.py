"""Deterministic envelopes: synthetic IV · ciphertext, under AES-SIV. Equal values have equal envelopes."""

from __future__ import annotations

import binascii

from crypto.columns import ColumnOpener, ascii_column_opener
from crypto.daead import AesSiv
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
from crypto.scheme import FAILURES, FORMAT_BYTE, Transform
from crypto.secret import Secret


class Deterministic(Secret):
    """The scheme of a key under which equal values stay equal (see `scheme.Scheme`)."""

    __slots__ = ("_ascii_prefix", "_cipher", "_prefix")

    nonces = None

    def __init__(self, header: bytes, cipher: AesSiv) -> None:
        self._prefix = MAGIC + header
        self._ascii_prefix = to_ascii(self._prefix)
        self._cipher = cipher

    def sealer(self, aad: bytes) -> Transform:
        prefix, encrypt, components = self._prefix, self._cipher.encrypt, [aad]

        def seal(value: bytes) -> bytes:
            return prefix + encrypt(FORMAT + value, components)

        return seal

    def ascii_sealer(self, aad: bytes) -> Transform:
        prefix, encrypt, components = self._ascii_prefix, self._cipher.encrypt, [aad]
        b2a = binascii.b2a_base64

        def seal(value: bytes) -> bytes:
            return prefix + b2a(encrypt(FORMAT + value, components), newline=False).translate(TO_URL, b"=")

        return seal

    def ascii_column_opener(self, aad: bytes) -> ColumnOpener:
        decrypt, components = self._cipher.decrypt, [aad]
        return ascii_column_opener(
            self._ascii_prefix, lambda bodies: [decrypt(body, components) for body in bodies]
        )

    def opener(self, aad: bytes, other: Transform) -> Transform:
        prefix, decrypt, components = self._prefix, self._cipher.decrypt, [aad]

        def open_(data: bytes) -> bytes:
            if data[:PREFIX_BYTES] != prefix:
                return other(data)
            try:
                plain = decrypt(data[PREFIX_BYTES:], components)
                if plain[0] == FORMAT_BYTE:
                    return plain[1:]
            except FAILURES:
                pass
            raise DecryptionError

        return open_

    def ascii_opener(self, aad: bytes, other: Transform) -> Transform:
        prefix, decrypt, components = self._ascii_prefix, self._cipher.decrypt, [aad]
        a2b = binascii.a2b_base64

        def open_(data: bytes) -> bytes:
            if data[:ASCII_PREFIX_BYTES] != prefix:
                return other(data)
            try:
                text = data[ASCII_PREFIX_BYTES:]
                body = a2b(text.translate(FROM_URL) + PADDING[len(text) & 3], strict_mode=True)
                plain = decrypt(body, components)
                if plain[0] == FORMAT_BYTE:
                    return plain[1:]
            except FAILURES:
                pass
            raise DecryptionError

        return open_
