"""The shortest decimal that reads back as the same floating point number, spelled as PostgreSQL does.

PostgreSQL (d2s.c, f2s.c: Ryu with `acceptBounds` off) wants a decimal strictly nearer to the number than to
its neighbours; Python's repr also takes one that lies exactly between them, where it reads back by rounding
to even.
"""

from __future__ import annotations

import math
import struct
from fractions import Fraction

_PLAIN_BELOW = 1e15  # DBL_DIG: from here on with an exponent; repr has one below 1e-4 as PostgreSQL does
_EXACT_FROM = 2.0**52  # below it no decimal of 17 digits lies exactly between two float8,
_EXACT_TO = 1e42  # nor above it
_SINGLE_EXACT_FROM, _SINGLE_EXACT_TO = 2.0**23, 1e21


def shortest_float8(number: float) -> str:
    """`float8out` with the default `extra_float_digits`."""
    if not math.isfinite(number):
        return _word(number)
    text = repr(number)
    if "e" not in text and abs(number) < _PLAIN_BELOW:
        return text.removesuffix(".0")
    if _EXACT_FROM < abs(number) < _EXACT_TO and _between(text, *_neighbours8(number)):
        text = _strictly_nearest(number, *_neighbours8(number))
    return _spell(text, fixed_below=15)


def shortest_float4(number: float) -> str:
    """`float4out` with the default `extra_float_digits`; `number` is a float4 held in a float8."""
    if not math.isfinite(number):
        return _word(number)
    (bits,) = struct.unpack(">I", struct.pack(">f", abs(number)))
    power_of_two = not bits & 0x7FFFFF  # its neighbours are not equally far
    if power_of_two or _SINGLE_EXACT_FROM < abs(number) < _SINGLE_EXACT_TO:
        text = _strictly_nearest(number, *_neighbours4(number, bits)) if number else "0e0"
    else:
        text = next(text for digits in range(9) if _is_single(text := f"{number:.{digits}e}", number))
    return _spell(text, fixed_below=6)


def _word(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def _is_single(text: str, number: float) -> bool:
    try:
        read: float = struct.unpack(">f", struct.pack(">f", float(text)))[0]
    except OverflowError:
        return False
    return read == number


def _neighbours8(number: float) -> tuple[Fraction, Fraction]:
    """The two points half way to the next float8 below and above the magnitude."""
    size = abs(number)
    below, above = math.nextafter(size, 0), math.nextafter(size, math.inf)
    return (Fraction(below) + Fraction(size)) / 2, (Fraction(above) + Fraction(size)) / 2


def _neighbours4(number: float, bits: int) -> tuple[Fraction, Fraction]:
    """The two points half way to the next float4 below and above the magnitude."""
    size = Fraction(abs(number))
    (below,) = struct.unpack(">f", struct.pack(">I", bits - 1)) if bits else (0.0,)
    (above,) = struct.unpack(">f", struct.pack(">I", bits + 1))
    upper = Fraction(2) ** 128 if math.isinf(above) else Fraction(above)
    return (Fraction(below) + size) / 2, (upper + size) / 2


def _between(text: str, low: Fraction, high: Fraction) -> bool:
    """Whether a decimal lies exactly half way to a neighbour."""
    return Fraction(text.lstrip("-")) in (low, high)


def _strictly_nearest(number: float, low: Fraction, high: Fraction) -> str:
    """The shortest decimal strictly between two points, and of those the one nearest to the number."""
    size = abs(number)
    sign = "-" if number < 0 else ""
    for digits in range(17):
        scale = Fraction(10) ** (digits - int(f"{size:.{digits}e}".partition("e")[2]))
        floor = math.floor(Fraction(size) * scale)
        fitting = [n for n in (floor, floor + 1) if low * scale < n < high * scale]
        if fitting:
            best = min(fitting, key=lambda n: (abs(n - Fraction(size) * scale), n & 1))
            return sign + _scientific(best, scale)
    return repr(number)


def _scientific(significand: int, scale: Fraction) -> str:
    digits = str(significand)
    exponent = len(digits) - 1 - _log10(scale)
    return f"{digits[0]}.{digits[1:]}e{exponent}" if len(digits) > 1 else f"{digits}e{exponent}"


def _log10(scale: Fraction) -> int:
    return len(str(scale.numerator)) - 1 if scale.denominator == 1 else 1 - len(str(scale.denominator))


def _spell(text: str, fixed_below: int) -> str:
    """A decimal as C's %g spells it: plain from 1e-4 up to `fixed_below` digits, else with an exponent."""
    sign = "-" if text[0] == "-" else ""
    significand, _, written = text.lstrip("-").partition("e")
    whole, _, fraction = significand.partition(".")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return sign + "0"
    exponent = int(written or 0) + len(whole) - 1 - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if not -4 <= exponent < fixed_below:
        point = "." + digits[1:] if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{point}e{exponent:+03d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole, fraction = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else sign + whole
