"""bytea: canonical bytes are the bytes themselves. Source: PostgreSQL documentation 8.4."""

from __future__ import annotations

import re

from proxy.errors import InvalidValue
from proxy.values.codec import Codec, bad_syntax
from proxy.values.settings import Settings
from proxy.values.strings import utf8

_ESCAPE = re.compile(rb"\\(?:\\|([0-3][0-7]{2}))?")


class ByteaCodec(Codec):
    """Text input in hex and escape format; output always in hex, the server's default `bytea_output`."""

    binary_is_canonical = True

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        if raw[:2] == b"\\x":
            return _from_hex(raw[2:])
        text = utf8(raw, settings)
        return _ESCAPE.sub(_unescape, text) if b"\\" in text else text

    def from_binary(self, raw: bytes, settings: Settings) -> bytes:
        return raw

    def to_text(self, canonical: bytes, settings: Settings) -> bytes:
        return b"\\x" + canonical.hex().encode()

    def to_binary(self, canonical: bytes, settings: Settings) -> bytes:
        return canonical


def _from_hex(digits: bytes) -> bytes:
    try:
        return bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        raise InvalidValue("invalid hexadecimal digit or odd number of them", sqlstate="22023") from None


def _unescape(match: re.Match[bytes]) -> bytes:
    if octal := match[1]:
        return bytes((int(octal, 8),))
    if len(match[0]) == 1:
        raise bad_syntax("bytea")
    return b"\\"
