"""json: canonical bytes are the text as it was written, once it is known to be JSON.

Source: RFC 8259 and PostgreSQL's jsonapi.c (its lexer checks \\u escapes only for four hexadecimal digits).
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from proxy.errors import InvalidValue
from proxy.values.codec import Codec, bad_syntax
from proxy.values.encodings import encode
from proxy.values.settings import UTF8, Settings
from proxy.values.strings import utf8


def refuse_word(word: str) -> NoReturn:
    """NaN and Infinity: Python's json reads them, JSON has none."""
    raise bad_syntax("json")


def too_deep() -> InvalidValue:
    """A document nested deeper than Python's stack allows (PostgreSQL has such a limit too, a higher one)."""
    return InvalidValue(
        "stack depth limit exceeded", sqlstate="54001", hint="pgveil reads JSON nested some 900 deep."
    )


def _ignore(written: str) -> None:
    """Numbers need no value where only the syntax is checked."""


DECODER = json.JSONDecoder(parse_constant=refuse_word, parse_float=_ignore, parse_int=_ignore)


def parse(text: str, decoder: json.JSONDecoder) -> Any:
    """What the decoder makes of a document; raises 22P02 for anything but JSON."""
    try:
        return decoder.decode(text)
    except ValueError:
        raise bad_syntax("json") from None
    except RecursionError:
        raise too_deep() from None


class JsonCodec(Codec):
    """Validated, and kept verbatim: white space, order and duplicate keys too."""

    text_is_canonical = True
    binary_is_canonical = True

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        value = utf8(raw, settings)
        parse(value.decode(), DECODER)
        return value

    def from_binary(self, raw: bytes, settings: Settings) -> bytes:
        return self.from_text(raw, settings)

    def to_text(self, canonical: bytes, settings: Settings) -> bytes:
        if settings.encoding == UTF8:
            return canonical
        return encode(canonical.decode(), settings.encoding)

    def to_binary(self, canonical: bytes, settings: Settings) -> bytes:
        return self.to_text(canonical, settings)
