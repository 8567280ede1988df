"""How PostgreSQL prints intervals, in each IntervalStyle.

Source: PostgreSQL documentation 8.5.5; datetime.c, EncodeInterval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from proxy.values.gregorian import HOUR, MINUTE, SECOND


@dataclass(frozen=True, slots=True)
class Parts:
    """An interval as it is printed: parts of months have one sign, parts of microseconds have one sign."""

    years: int
    months: int
    days: int
    hours: int
    minutes: int
    microseconds: int  # less than a minute

    @classmethod
    def of(cls, months: int, days: int, microseconds: int) -> Parts:
        month_sign, time_sign = (-1 if months < 0 else 1), (-1 if microseconds < 0 else 1)
        years, months = divmod(abs(months), 12)
        hours, rest = divmod(abs(microseconds), HOUR)
        minutes, rest = divmod(rest, MINUTE)
        return cls(
            years * month_sign,
            months * month_sign,
            days,
            hours * time_sign,
            minutes * time_sign,
            rest * time_sign,
        )

    @property
    def values(self) -> tuple[int, ...]:
        return (self.years, self.months, self.days, self.hours, self.minutes, self.microseconds)

    @property
    def has_time(self) -> bool:
        return bool(self.hours or self.minutes or self.microseconds)

    @property
    def time_is_negative(self) -> bool:
        return self.hours < 0 or self.minutes < 0 or self.microseconds < 0

    def clock(self, hour_digits: int) -> str:
        """hours:minutes:seconds without a sign."""
        return f"{abs(self.hours):0{hour_digits}d}:{abs(self.minutes):02d}:{_seconds(self.microseconds, 2)}"


def _seconds(microseconds: int, digits: int) -> str:
    second, fraction = divmod(abs(microseconds), SECOND)
    text = f"{second:0{digits}d}"
    return text + "." + f"{fraction:06d}".rstrip("0") if fraction else text


def _postgres(parts: Parts) -> str:
    """1 year 2 mons -3 days +04:05:06"""
    words: list[str] = []
    after_minus = False
    for value, unit in ((parts.years, "year"), (parts.months, "mon"), (parts.days, "day")):
        if value:
            sign = "+" if after_minus and value > 0 else ""
            words.append(f"{sign}{value} {unit}{'' if value == 1 else 's'}")
            after_minus = value < 0
    if parts.has_time or not words:
        sign = "-" if parts.time_is_negative else "+" if after_minus else ""
        words.append(sign + parts.clock(2))
    return " ".join(words)


def _postgres_verbose(parts: Parts) -> str:
    """@ 1 year 2 mons -3 days 4 hours 5 mins 6 secs ago: signs are relative to the first part's"""
    first = next((value for value in parts.values if value), 0)
    sign = -1 if first < 0 else 1
    words = ["@"]
    names = ("year", "mon", "day", "hour", "min")
    for value, unit in zip(parts.values[:5], names, strict=True):
        if value:
            words.append(f"{value * sign} {unit}{'' if value * sign == 1 else 's'}")
    if parts.microseconds:
        minus = "-" if parts.microseconds * sign < 0 else ""
        plural = "" if abs(parts.microseconds) == SECOND else "s"
        words.append(f"{minus}{_seconds(parts.microseconds, 1)} sec{plural}")
    if len(words) == 1:
        words.append("0")
    return " ".join(words) + (" ago" if sign < 0 else "")


def _sql_standard(parts: Parts) -> str:
    """1-2 or 3 4:05:06; with every sign where the standard has no form for the value"""
    negative = any(value < 0 for value in parts.values)
    positive = any(value > 0 for value in parts.values)
    year_month = bool(parts.years or parts.months)
    day_time = bool(parts.days) or parts.has_time
    if not negative and not positive:
        return "0"
    if (negative and positive) or (year_month and day_time):
        months_sign = "-" if parts.years < 0 or parts.months < 0 else "+"
        days_sign = "-" if parts.days < 0 else "+"
        time_sign = "-" if parts.time_is_negative else "+"
        return (
            f"{months_sign}{abs(parts.years)}-{abs(parts.months)} {days_sign}{abs(parts.days)} "
            f"{time_sign}{parts.clock(1)}"
        )
    sign = "-" if negative else ""
    if year_month:
        return f"{sign}{abs(parts.years)}-{abs(parts.months)}"
    return f"{sign}{abs(parts.days)} {parts.clock(1)}" if parts.days else sign + parts.clock(1)


def _iso_8601(parts: Parts) -> str:
    """P1Y2M3DT4H5M6S"""
    date = "".join(f"{value}{unit}" for value, unit in zip(parts.values[:3], "YMD", strict=True) if value)
    time = "".join(f"{value}{unit}" for value, unit in zip(parts.values[3:5], "HM", strict=True) if value)
    if parts.microseconds:
        time += f"{'-' if parts.microseconds < 0 else ''}{_seconds(parts.microseconds, 1)}S"
    return f"P{date}{'T' + time if time else ''}" if date or time else "PT0S"


STYLES: dict[str, Callable[[Parts], str]] = {
    "postgres": _postgres,
    "postgres_verbose": _postgres_verbose,
    "sql_standard": _sql_standard,
    "iso_8601": _iso_8601,
}
