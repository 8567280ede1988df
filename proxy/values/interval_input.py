"""Reading intervals as PostgreSQL does: ISO 8601, and the words of the other three styles.

Fractions run over into the smaller parts: of years into months, of months into days of which a month has
30, of weeks and days into microseconds. Source: PostgreSQL documentation 8.5.4; datetime.c, DecodeInterval
and DecodeISO8601Interval.
"""

from __future__ import annotations

import re

from proxy.errors import InvalidValue
from proxy.values.gregorian import DAY, HOUR, MINUTE, SECOND
from proxy.values.settings import Settings
from proxy.values.spaces import strip

_TYPE = "interval"
_HINT = "Send it as the server prints it (1 year 2 mons 3 days 04:05:06) or as ISO 8601 (P1Y2M3DT4H5M6S)."
_UNSIGNED = r"(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})"
_NUMBER = rf"[+-]?{_UNSIGNED}"
_ISO = re.compile(rf"P((?:-?{_UNSIGNED}[YMWD])*)(?:T((?:-?{_UNSIGNED}[HMS])+))?", re.ASCII)
_ISO_PART = re.compile(rf"(-?{_UNSIGNED})([YMWDHS])", re.ASCII)
_ISO_DATE_UNITS = {"Y": "year", "M": "month", "W": "week", "D": "day"}
_ISO_TIME_UNITS = {"H": "hour", "M": "minute", "S": "second"}

_CLOCK = re.compile(r"([+-]?)(\d{1,12}):(\d{1,2})(?::(\d{1,2})(\.\d*)?)?", re.ASCII)
_YEARS_MONTHS = re.compile(r"([+-]?)(\d{1,9})-(\d{1,2})", re.ASCII)
_WORD = re.compile(rf"({_NUMBER})([a-z]+)?", re.ASCII)

_MONTHS = {"month": 1, "year": 12, "decade": 120, "century": 1200, "millennium": 12000}
_DAYS = {"day": 1, "week": 7}
_MICROSECONDS = {"hour": HOUR, "minute": MINUTE, "second": SECOND, "millisecond": 1000, "microsecond": 1}
_MAX_LENGTH = 256  # what the server has room for
_EXACT = 2**53  # a double holds every smaller integer
_SPELLINGS = {
    spelling: unit
    for unit, spellings in {
        "microsecond": "microsecond microseconds us usec usecs usecond useconds",
        "millisecond": "millisecond milliseconds ms msec msecs msecond mseconds",
        "second": "s sec secs second seconds",
        "minute": "m min mins minute minutes",
        "hour": "h hr hrs hour hours",
        "day": "d day days",
        "week": "w week weeks",
        "month": "mon mons month months",
        "year": "y yr yrs year years",
        "decade": "dec decs decade decades",
        "century": "c cent century centuries",
        "millennium": "mil mils millennium millennia",
    }.items()
    for spelling in spellings.split()
}


def bad_interval() -> InvalidValue:
    return InvalidValue(f"invalid input syntax for type {_TYPE}", sqlstate="22007", hint=_HINT)


def out_of_range() -> InvalidValue:
    return InvalidValue("interval field value out of range", sqlstate="22015")


class Sum:
    """An interval while it is read: months, days and microseconds, and which units were met."""

    def __init__(self) -> None:
        self.months = 0
        self.days = 0
        self.microseconds = 0
        self._met: set[str] = set()

    def meet(self, *units: str) -> None:
        """Each unit may stand once."""
        if not self._met.isdisjoint(units):
            raise bad_interval()
        self._met.update(units)

    def add(self, number: str, unit: str) -> None:
        """Add a number of a unit, the fraction read apart from the whole, as ParseFraction does it."""
        whole, _, digits = number.lstrip("+-").partition(".")
        sign = -1 if number[0] == "-" else 1
        if unit == "second" and digits:
            self.meet("millisecond", "microsecond")
        self.add_parts(sign * int(whole or 0), sign * float(f"0.{digits or 0}"), unit)

    def add_iso(self, number: str, unit: str) -> None:
        """The same, the fraction being what is left of a double, as in ParseISO8601Number."""
        whole = int(number.partition(".")[0].strip("-") or 0)
        fraction = abs(float(number)) - whole if whole < _EXACT else 0.0
        sign = -1 if number[0] == "-" else 1
        self.add_parts(sign * whole, sign * fraction, unit)

    def add_parts(self, value: int, fraction: float, unit: str) -> None:
        """Add a number of a unit, with the fraction's share of the smaller ones."""
        if (scale := _MONTHS.get(unit)) is not None:
            self.months += value * scale
            self._add_months(fraction, unit)
        elif (scale := _DAYS.get(unit)) is not None:
            self.days += value * scale
            self._add_days(fraction * scale)
        else:
            scale = _MICROSECONDS[unit]
            self.microseconds += value * scale
            self._add_microseconds(fraction * scale)

    def _add_months(self, fraction: float, unit: str) -> None:
        if unit == "month":
            self._add_days(fraction * 30)
        else:
            self.months += round(fraction * _MONTHS[unit])

    def _add_days(self, days: float) -> None:
        whole = int(days)
        self.days += whole
        self._add_microseconds((days - whole) * DAY)

    def _add_microseconds(self, microseconds: float) -> None:
        whole = int(microseconds)
        rest = microseconds - whole
        self.microseconds += whole + (1 if rest > 0.5 else -1 if rest < -0.5 else 0)

    def negate(self) -> None:
        self.months, self.days, self.microseconds = -self.months, -self.days, -self.microseconds


def read_interval(raw: bytes, settings: Settings) -> tuple[int, int, int]:
    """Months, days and microseconds. Raises 22007 for what cannot be read, 22015 beyond the parts' range."""
    stripped = strip(raw)
    if len(stripped) > _MAX_LENGTH or not stripped.isascii():
        raise bad_interval()
    text = stripped.decode()
    match = _ISO.fullmatch(text)
    found = _read_iso(match) if match else _read_words(text.lower(), settings)
    if not (_fits(found.months, 32) and _fits(found.days, 32) and _fits(found.microseconds, 64)):
        raise out_of_range()
    return found.months, found.days, found.microseconds


def _fits(number: int, bits: int) -> bool:
    return -(1 << (bits - 1)) <= number < 1 << (bits - 1)


def _read_iso(match: re.Match[str]) -> Sum:
    found = Sum()
    for written, units in ((match[1], _ISO_DATE_UNITS), (match[2] or "", _ISO_TIME_UNITS)):
        for part in _ISO_PART.finditer(written):
            found.meet(units[part[2]])
            found.add_iso(part[1], units[part[2]])
    if not match[1] and not match[2]:
        raise bad_interval()
    return found


def _read_words(text: str, settings: Settings) -> Sum:
    words = re.findall(r"[^\s,]+", text.removeprefix("@"))
    ago = words[-1:] == ["ago"]
    if ago:
        words.pop()
    words = _joined(words)
    if not words or (ago and _WORD.fullmatch(words[-1]) and not words[-1][-1].isalpha()):
        raise bad_interval()
    if settings.interval_style == "sql_standard" and _one_sign(words):
        words = [words[0], *("-" + word for word in words[1:])]
    found = Sum()
    for index, word in enumerate(words):
        _read_word(word, found, words[index + 1 :])
    if ago:
        found.negate()
    return found


def _joined(words: list[str]) -> list[str]:
    """Numbers and their units, one word each."""
    joined: list[str] = []
    for word in words:
        if word.isalpha() and joined and joined[-1][-1] in "0123456789.":
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _one_sign(words: list[str]) -> bool:
    """Whether a leading minus holds for all that follows: the standard's rule, where no other sign stands."""
    return words[0].startswith("-") and not any(word.startswith(("-", "+")) for word in words[1:])


def _read_word(word: str, found: Sum, following: list[str]) -> None:
    if match := _CLOCK.fullmatch(word):
        _read_clock(match, found)
    elif match := _YEARS_MONTHS.fullmatch(word):
        _read_years_months(match, found)
    elif match := _WORD.fullmatch(word):
        unit = _SPELLINGS.get(match[2]) if match[2] else _implied_unit(following)
        if unit is None:
            raise bad_interval()
        found.meet(unit)
        found.add(match[1], unit)
    else:
        raise bad_interval()


def _implied_unit(following: list[str]) -> str | None:
    """Of a number with no unit: seconds at the end, days before a time."""
    if not following:
        return "second"
    return "day" if len(following) == 1 and _CLOCK.fullmatch(following[0]) else None


def _read_clock(match: re.Match[str], found: Sum) -> None:
    found.meet("hour", "minute", "second", "millisecond", "microsecond")
    hours, minutes, seconds = int(match[2]), int(match[3]), int(match[4] or 0)
    if minutes > 59 or seconds > 60:
        raise InvalidValue("interval field value out of range", sqlstate="22015")
    size = hours * HOUR + minutes * MINUTE + seconds * SECOND
    if match[5] and len(match[5]) > 1:
        size += round(float(match[5]) * SECOND)
    found.microseconds += -size if match[1] == "-" else size


def _read_years_months(match: re.Match[str], found: Sum) -> None:
    found.meet("month")
    if int(match[3]) > 11:
        raise out_of_range()
    size = int(match[2]) * 12 + int(match[3])
    found.months += -size if match[1] == "-" else size
