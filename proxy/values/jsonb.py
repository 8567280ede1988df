"""jsonb: canonical bytes are the text that PostgreSQL's jsonb_out prints.

Keys stand by their length in bytes, then by their bytes; of equal keys the last one counts; numbers are
spelled as numeric is. Sources: PostgreSQL's jsonb.c, jsonb_util.c (lengthCompareJsonbStringValue),
jsonapi.c.
"""

from __future__ import annotations

import json
import re
from json.encoder import encode_basestring
from typing import Any

from proxy.errors import InvalidValue
from proxy.values.codec import Codec, bad_binary
from proxy.values.json_text import JsonCodec, parse, refuse_word, too_deep
from proxy.values.numeric import NumericCodec
from proxy.values.settings import Settings
from proxy.values.strings import utf8

_VERSION = b"\1"
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)")
_NUMERIC = NumericCodec(None)


class _Number:
    """A number's text, kept apart from strings until it is printed."""

    __slots__ = ("text",)

    def __init__(self, written: str) -> None:
        self.text = _NUMERIC.read(written.encode()).decode()


_DECODER = json.JSONDecoder(
    parse_constant=refuse_word,
    parse_float=_Number,
    parse_int=_Number,
)


class JsonbCodec(Codec):
    """Normalised as the server does it; binary format has a version byte before the text."""

    text_is_canonical = True

    def __init__(self) -> None:
        self._text = JsonCodec()

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        text = utf8(raw, settings).decode()
        document = parse(text, _DECODER)
        if "\\u" in text:
            _check_escapes(text)
        try:
            return _spell(document).encode()
        except RecursionError:
            raise too_deep() from None

    def from_binary(self, raw: bytes, settings: Settings) -> bytes:
        if raw[:1] != _VERSION:
            raise bad_binary()
        return self.from_text(raw[1:], settings)

    def to_text(self, canonical: bytes, settings: Settings) -> bytes:
        return self._text.to_text(canonical, settings)

    def to_binary(self, canonical: bytes, settings: Settings) -> bytes:
        return _VERSION + self._text.to_text(canonical, settings)


def _spell(node: Any) -> str:
    """The text of one node."""
    if isinstance(node, str):
        return encode_basestring(node)
    if isinstance(node, _Number):
        return node.text
    if isinstance(node, dict):
        members = [f"{encode_basestring(key)}: {_spell(node[key])}" for key in sorted(node, key=_order)]
        return "{" + ", ".join(members) + "}"
    if isinstance(node, list):
        return "[" + ", ".join([_spell(item) for item in node]) + "]"
    return "null" if node is None else "true" if node else "false"


def _order(key: str) -> tuple[int, bytes]:
    encoded = key.encode()
    return len(encoded), encoded


def _check_escapes(text: str) -> None:
    """Refuse what jsonb cannot hold: \\u0000, and one half of a surrogate pair without the other."""
    low_due_at = -1  # where the other half of a high surrogate has to stand
    for match in _ESCAPE.finditer(text):
        unit = int(match[1], 16) if match[1] else -1
        if unit == 0:
            raise _bad_escape(
                "unsupported Unicode escape sequence", "22P05", "\\u0000 cannot be converted to text."
            )
        low = 0xDC00 <= unit <= 0xDFFF
        if low != (match.start() == low_due_at) or (low_due_at >= 0 and not low):
            raise _unpaired()
        low_due_at = match.end() if 0xD800 <= unit <= 0xDBFF else -1
    if low_due_at >= 0:
        raise _unpaired()


def _bad_escape(message: str, sqlstate: str, detail: str) -> InvalidValue:
    return InvalidValue(message, sqlstate=sqlstate, detail=detail)


def _unpaired() -> InvalidValue:
    detail = "Unicode low surrogate must follow a high surrogate."
    return _bad_escape("invalid input syntax for type json", "22P02", detail)
