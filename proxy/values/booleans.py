"""bool: canonical bytes are one byte, 0 or 1. Source: PostgreSQL documentation 8.6."""

from __future__ import annotations

from proxy.values.codec import Codec, bad_binary, bad_syntax
from proxy.values.settings import Settings
from proxy.values.spaces import strip

_FALSE, _TRUE = b"\0", b"\1"
# Any unambiguous beginning of true, false, yes, no; on and off may not be cut down to o.
_SPELLINGS = {
    **{word[:length]: _TRUE for word in (b"true", b"yes") for length in range(1, len(word) + 1)},
    **{word[:length]: _FALSE for word in (b"false", b"no") for length in range(1, len(word) + 1)},
    **dict.fromkeys((b"on", b"1"), _TRUE),
    **dict.fromkeys((b"of", b"off", b"0"), _FALSE),
}


class BoolCodec(Codec):
    """Text in every spelling that PostgreSQL reads; printed as t or f."""

    binary_is_canonical = True

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        try:
            return _SPELLINGS[strip(raw).lower()]
        except KeyError:
            raise bad_syntax("boolean") from None

    def from_binary(self, raw: bytes, settings: Settings) -> bytes:
        if len(raw) != 1:
            raise bad_binary()
        return _TRUE if raw != _FALSE else _FALSE

    def to_text(self, canonical: bytes, settings: Settings) -> bytes:
        return b"t" if canonical == _TRUE else b"f"

    def to_binary(self, canonical: bytes, settings: Settings) -> bytes:
        return canonical
