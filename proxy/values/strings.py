"""text, varchar(n) and char(n): canonical bytes are UTF-8; char(n) without its padding.

Sources: PostgreSQL's varchar.c (what happens beyond n characters), documentation 8.3 and 24.3.
"""

from __future__ import annotations

from proxy.errors import InvalidValue
from proxy.values.codec import Codec
from proxy.values.encodings import decode, encode
from proxy.values.settings import UTF8, Settings


def utf8(raw: bytes, settings: Settings) -> bytes:
    """Checked UTF-8 of a string in the session's encoding; refuses what PostgreSQL's text cannot hold."""
    if settings.encoding == UTF8:
        if b"\0" in raw or not raw.isascii():
            decode(raw, UTF8)
        return raw
    return decode(raw, settings.encoding).encode()


class TextCodec(Codec):
    """text, and varchar without a limit."""

    text_is_canonical = True
    binary_is_canonical = True

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        if settings.encoding == UTF8 and raw.isascii() and b"\0" not in raw:
            return raw
        return utf8(raw, settings)

    def from_binary(self, raw: bytes, settings: Settings) -> bytes:
        return self.from_text(raw, settings)

    def to_text(self, canonical: bytes, settings: Settings) -> bytes:
        if settings.encoding == UTF8:
            return canonical
        return encode(canonical.decode(), settings.encoding)

    def to_binary(self, canonical: bytes, settings: Settings) -> bytes:
        return self.to_text(canonical, settings)


class VarcharCodec(TextCodec):
    """varchar(n): spaces beyond n characters are cut, anything else beyond them is an error."""

    def __init__(self, length: int) -> None:
        self._length = length

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        value = utf8(raw, settings)
        if len(value) <= self._length:
            return value
        text = value.decode()
        if len(text) <= self._length:
            return value
        if text[self._length :].strip(" "):
            raise too_long("character varying", self._length)
        return text[: self._length].encode()


class BpcharCodec(TextCodec):
    """char without a limit: trailing spaces mean nothing, and are dropped."""

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        return utf8(raw, settings).rstrip(b" ")


class PaddedCodec(BpcharCodec):
    """char(n): canonical without trailing spaces, printed with spaces up to n characters."""

    text_is_canonical = False
    binary_is_canonical = False

    def __init__(self, length: int) -> None:
        self._length = length

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        value = super().from_text(raw, settings)
        if len(value) > self._length and len(value.decode()) > self._length:
            raise too_long("character", self._length)
        return value

    def to_text(self, canonical: bytes, settings: Settings) -> bytes:
        missing = self._length - len(canonical if canonical.isascii() else canonical.decode())
        return super().to_text(canonical + b" " * missing, settings)


def too_long(type_name: str, length: int) -> InvalidValue:
    return InvalidValue(f"value too long for type {type_name}({length})", sqlstate="22001")
