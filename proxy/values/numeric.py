"""numeric: canonical bytes are PostgreSQL's own output text; with numeric(p,s), rounded to its scale.

The display scale is part of the value ('1.10' stays '1.10'), so a numeric without a declared scale is not fit
for equality by bytes. Source: PostgreSQL 16's numeric.c; documentation 8.1.2.
"""

from __future__ import annotations

import re
import struct
from decimal import ROUND_HALF_UP, Context, Decimal

from proxy.errors import InvalidValue
from proxy.values.codec import Codec, bad_binary, bad_syntax
from proxy.values.settings import Settings
from proxy.values.spaces import strip

_PLAIN = re.compile(rb"-?(?:0|[1-9]\d*)(?:\.(\d+))?")
_DIGITS = r"\d++(?:_\d++)*+"  # possessive: a long number that goes wrong at its end costs one pass
_DECIMAL = re.compile(
    rf"(?P<sign>[+-]?)(?:(?P<whole>{_DIGITS})(?:\.(?P<part>{_DIGITS})?)?|\.(?P<only>{_DIGITS}))"
    rf"(?:[eE](?P<exponent>[+-]?{_DIGITS}))?".encode()
)
_PREFIXED = re.compile(rb"([+-]?)0(?:([xX])(?:_?[0-9a-fA-F])+|([oO])(?:_?[0-7])+|[bB](?:_?[01])+)")
_WORD = re.compile(rb"(nan)|([+-]?)inf(?:inity)?", re.IGNORECASE)

_WHOLE_DIGITS = 131072  # most before the decimal point: documentation 8.1.2
_SCALE = 16383  # most after it
_EXACT = Context(prec=_WHOLE_DIGITS + _SCALE + 10, rounding=ROUND_HALF_UP, Emin=-999999, Emax=999999)
_SPECIAL = {b"NaN": (0xC000, 0), b"Infinity": (0xD000, 32), b"-Infinity": (0xF000, 32)}  # sign, scale
_WORDS = {sign: word for word, (sign, _) in _SPECIAL.items()}
_HEADER = struct.Struct(">HhHH")  # number of base-10000 digits, weight of the first, sign, display scale


class NumericCodec(Codec):
    """A numeric, with (precision, scale) or without a limit."""

    text_is_canonical = True

    def __init__(self, precision_scale: tuple[int, int] | None) -> None:
        self._limit = precision_scale

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        return self.read(raw)

    def read(self, raw: bytes) -> bytes:
        """Canonical bytes of a number's text, which no setting has a say in."""
        if (match := _PLAIN.fullmatch(raw)) is not None and self._fits_plainly(raw, match[1] or b""):
            return raw
        return self.from_number(_parse(strip(raw)))

    def from_binary(self, raw: bytes, settings: Settings) -> bytes:
        return self.read(_unpack(raw))

    def to_text(self, canonical: bytes, settings: Settings) -> bytes:
        return canonical

    def to_binary(self, canonical: bytes, settings: Settings) -> bytes:
        return _pack(canonical)

    def from_number(self, number: Decimal) -> bytes:
        """Canonical bytes of a Decimal whose exponent is its display scale; rounds, or raises 22003."""
        if number.is_nan():
            return b"NaN"
        if self._limit is not None:
            number = _limited(number, *self._limit)
        if number.is_infinite():
            return b"Infinity" if number > 0 else b"-Infinity"
        text = format(number or abs(number), "f").encode()
        whole, _, fraction = text.lstrip(b"-").partition(b".")
        if len(whole) > _WHOLE_DIGITS or len(fraction) > _SCALE:
            raise _overflow()
        return text

    def _fits_plainly(self, raw: bytes, fraction: bytes) -> bool:
        """Whether a number in the output's own spelling needs no rounding and no check."""
        if raw[:2] == b"-0":
            return False
        if self._limit is None:
            return len(raw) <= _SCALE
        precision, scale = self._limit
        whole = len(raw) - len(fraction) - (1 if fraction else 0) - (1 if raw[:1] == b"-" else 0)
        return len(fraction) == scale and whole <= precision - scale


def _limited(number: Decimal, precision: int, scale: int) -> Decimal:
    """Round half away from zero to the scale; raises 22003 beyond the precision."""
    if number.is_infinite():
        raise _overflow("numeric field overflow", precision, scale, "cannot hold an infinite value.")
    rounded = number.quantize(Decimal((0, (1,), -scale)), context=_EXACT)
    if rounded and rounded.adjusted() >= precision - scale:
        bound = f"10^{precision - scale}" if precision != scale else "1"
        detail = f"must round to an absolute value less than {bound}."
        raise _overflow("numeric field overflow", precision, scale, detail)
    return rounded


def _overflow(
    message: str = "value overflows numeric format", precision: int = 0, scale: int = 0, rule: str = ""
) -> InvalidValue:
    detail = f"A field with precision {precision}, scale {scale} {rule}" if rule else None
    return InvalidValue(message, sqlstate="22003", detail=detail)


def _parse(text: bytes) -> Decimal:
    """A number in any spelling of PostgreSQL 16, its display scale as the Decimal's exponent."""
    if match := _DECIMAL.fullmatch(text):
        return _decimal(match)
    if match := _PREFIXED.fullmatch(text):
        number = int(text.replace(b"_", b""), 16 if match[2] else 8 if match[3] else 2)
        if number.bit_length() > 4 * _WHOLE_DIGITS:
            raise _overflow()
        return Decimal(number)
    if match := _WORD.fullmatch(text):
        return Decimal("NaN") if match[1] else Decimal(match[2].decode() + "Infinity")
    raise bad_syntax("numeric")


def _decimal(match: re.Match[bytes]) -> Decimal:
    whole = (match["whole"] or b"").replace(b"_", b"").lstrip(b"0")
    fraction = (match["part"] or match["only"] or b"").replace(b"_", b"")
    exponent = _exponent((match["exponent"] or b"0").replace(b"_", b""))
    digits = (whole + fraction).lstrip(b"0").decode()
    scale = max(len(fraction) - exponent, 0)
    if (digits and len(digits) - len(fraction) + exponent > _WHOLE_DIGITS) or scale > _SCALE:
        raise _overflow()
    if not digits:
        return Decimal((0, (0,), -scale))
    number = Decimal(f"{match['sign'].decode()}{digits}e{exponent - len(fraction)}")
    return number.quantize(Decimal((0, (1,), -scale)), context=_EXACT)


def _exponent(written: bytes) -> int:
    """An exponent; raises 22003 for one that no numeric has."""
    if len(written.lstrip(b"+-0")) > 9:
        raise _overflow()
    return int(written)


def _unpack(raw: bytes) -> bytes:
    """Base-10000 digits as text. Digits beyond the display scale are cut, as numeric_recv does."""
    try:
        count, weight, sign, scale = _HEADER.unpack_from(raw)
        digits = struct.unpack_from(f">{count}H", raw, _HEADER.size)
    except struct.error:
        raise bad_binary() from None
    if len(raw) != _HEADER.size + 2 * count:
        raise bad_binary()
    if (word := _WORDS.get(sign)) is not None:
        return word
    if sign not in (0, 0x4000) or scale > _SCALE or (digits and max(digits) > 9999):
        raise _bad_external(sign, scale)
    written = "".join([f"{digit:04d}" for digit in digits])
    point = 4 * (weight + 1)  # where the decimal point stands in what is written
    written = written.ljust(point + scale, "0") if point >= 0 else written.rjust(len(written) - point, "0")
    point = max(point, 0)
    whole, fraction = written[:point].lstrip("0") or "0", written[point : point + scale].ljust(scale, "0")
    text = f"{whole}.{fraction}" if scale else whole
    return (b"-" if sign and text.strip("0.") else b"") + text.encode()


def _bad_external(sign: int, scale: int) -> InvalidValue:
    part = "sign" if sign not in (0, 0x4000) else "scale" if scale > _SCALE else "digit"
    return InvalidValue(f'invalid {part} in external "numeric" value', sqlstate="22P03")


def _pack(canonical: bytes) -> bytes:
    """Base-10000 digits of canonical text, with no zero digits at either end."""
    if (special := _SPECIAL.get(canonical)) is not None:
        return _HEADER.pack(0, 0, *special)
    sign = 0x4000 if canonical[:1] == b"-" else 0
    whole, _, fraction = canonical.lstrip(b"-").decode().partition(".")
    scale = len(fraction)
    whole = whole.zfill(-len(whole) // 4 * -4)
    written = whole + fraction.ljust(-scale // 4 * -4, "0")
    digits = [int(written[at : at + 4]) for at in range(0, len(written), 4)]
    first = next((at for at, digit in enumerate(digits) if digit), len(digits))
    while digits and not digits[-1]:
        digits.pop()
    if not digits:
        return _HEADER.pack(0, 0, 0, scale)
    count = len(digits) - first
    return struct.pack(f">HhHH{count}H", count, len(whole) // 4 - 1 - first, sign, scale, *digits[first:])
