"""float4 and float8: canonical bytes are IEEE 754, big-endian, with one zero and one NaN.

PostgreSQL takes -0 for equal to 0, and every NaN for equal to any other; equal values have equal canonical
bytes, so -0 is stored as 0. Source: PostgreSQL's float.c; the shape of the output: d2s.c and f2s.c (Ryu).
"""

from __future__ import annotations

import math
import re
import struct
from decimal import Decimal

from proxy.errors import InvalidValue
from proxy.values.codec import Codec, bad_binary, bad_syntax
from proxy.values.float_output import shortest_float4, shortest_float8
from proxy.values.settings import Settings
from proxy.values.spaces import strip

_NUMBER = re.compile(rb"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?")
_WORD = re.compile(rb"([+-]?)(?:(inf(?:inity)?)|nan)", re.IGNORECASE)
_HEX_HINT = "pgveil does not read hexadecimal floating point numbers; send a decimal one."


class FloatCodec(Codec):
    """A floating point number of four or eight bytes."""

    binary_is_canonical = True

    def __init__(self, width: int) -> None:
        self.name = "real" if width == 4 else "double precision"
        self._wire = struct.Struct(">f" if width == 4 else ">d")
        self._single = width == 4
        self._shortest = shortest_float4 if width == 4 else shortest_float8

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        text = strip(raw)
        if not _NUMBER.fullmatch(text):
            return self._from_word(text)
        number = float(text)
        if self._single:
            number = nearest_single(number, text.decode())
        if math.isinf(number) or (number == 0 and text.lower().partition(b"e")[0].strip(b"+-0.")):
            raise self.overflow()
        return self._wire.pack(number + 0.0)

    def from_binary(self, raw: bytes, settings: Settings) -> bytes:
        try:
            (number,) = self._wire.unpack(raw)
        except struct.error:
            raise bad_binary() from None
        return raw if number and number == number else self.from_number(number)

    def to_text(self, canonical: bytes, settings: Settings) -> bytes:
        return self._shortest(self._wire.unpack(canonical)[0]).encode()

    def to_binary(self, canonical: bytes, settings: Settings) -> bytes:
        return canonical

    def from_number(self, number: float) -> bytes:
        """Canonical bytes of a Python float that the width holds exactly."""
        return self._wire.pack(math.nan if math.isnan(number) else number + 0.0)

    def to_number(self, canonical: bytes) -> float:
        number: float = self._wire.unpack(canonical)[0]
        return number

    def nearest(self, number: float) -> float:
        """The nearest number that the width holds; infinite where it is too large."""
        return _to_single(number) if self._single else number

    def overflow(self) -> InvalidValue:
        """PostgreSQL's error for a number too large or too small to be told from zero."""
        return InvalidValue(f"value is out of range for type {self.name}", sqlstate="22003")

    def _from_word(self, text: bytes) -> bytes:
        match = _WORD.fullmatch(text)
        if match is None:
            raise bad_syntax(self.name, _HEX_HINT if b"x" in text[:3].lower() else None)
        if match[2] is None:
            return self._wire.pack(math.nan)
        return self._wire.pack(-math.inf if match[1] == b"-" else math.inf)


def nearest_single(number: float, text: str) -> float:
    """The float4 nearest to the decimal `text`, whose nearest float8 is `number`; infinite if it is too
    large.

    Rounding twice, decimal to float8 to float4, errs where the float8 lies half way between two float4. It
    does not err if the first rounding goes to the neighbour with an odd significand (Boldo and Melquiond,
    2008).
    """
    single = _to_single(number)
    if single == number:
        return single
    exact, rounded = Decimal(text), Decimal(number)
    if exact != rounded and not struct.pack(">d", number)[-1] & 1:
        number = math.nextafter(number, math.inf if exact > rounded else -math.inf)
    return _to_single(number)


def _to_single(number: float) -> float:
    try:
        rounded: float = struct.unpack(">f", struct.pack(">f", number))[0]
    except OverflowError:
        return math.copysign(math.inf, number)
    return rounded
