"""uuid: canonical bytes are its sixteen. Source: PostgreSQL documentation 8.12."""

from __future__ import annotations

import re

from proxy.values.codec import Codec, bad_binary, bad_syntax
from proxy.values.settings import Settings

# Braces around it, and a hyphen after any group of four digits.
_UUID = re.compile(rb"(\{?)[0-9a-fA-F]{4}(?:-?[0-9a-fA-F]{4}){7}(\}?)")


class UuidCodec(Codec):
    """Text in every spelling that PostgreSQL reads; printed in the standard form, lower case."""

    binary_is_canonical = True

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        match = _UUID.fullmatch(raw)
        if match is None or bool(match[1]) != bool(match[2]):
            raise bad_syntax("uuid")
        return bytes.fromhex(raw.translate(None, b"{-}").decode())

    def from_binary(self, raw: bytes, settings: Settings) -> bytes:
        if len(raw) != 16:
            raise bad_binary()
        return raw

    def to_text(self, canonical: bytes, settings: Settings) -> bytes:
        digits = canonical.hex()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}".encode()

    def to_binary(self, canonical: bytes, settings: Settings) -> bytes:
        return canonical
