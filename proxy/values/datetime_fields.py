"""The parts of a date and time: what a text may say, and the checks and errors of each part.

Source: PostgreSQL's datetime.c (ValidateDate, DecodeTime, DecodeTimezone) and its SQLSTATEs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from proxy.errors import InvalidValue
from proxy.values.gregorian import DAY, HOUR, MINUTE, SECOND, day_number, days_in_month
from proxy.values.zones import Zone

HINT = "Send the value as ISO 8601 or as the server prints it: YYYY-MM-DD HH:MM:SS, with +HH:MM for a zone."
CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>\.\d*)?)?"
OFFSET = r"[+-]\d{1,2}(?::\d{2}(?::\d{2})?|\d{2})?"
_OFFSET = re.compile(r"([+-])(\d{1,2})(?::?(\d{2}))?(?::(\d{2}))?", re.ASCII)
_MAX_OFFSET_HOURS = 15  # MAX_TZDISP_HOUR


@dataclass(slots=True)
class Reading:
    """What a text says. Days and microseconds as in `gregorian`; `zone` in seconds east, or by name."""

    days: int | None = None
    time: int | None = None
    zone: int | Zone | None = None
    infinite: int = 0  # 1 infinity, -1 -infinity


def bad_format(type_name: str) -> InvalidValue:
    return InvalidValue(f"invalid input syntax for type {type_name}", sqlstate="22007", hint=HINT)


def field_out_of_range() -> InvalidValue:
    return InvalidValue("date/time field value out of range", sqlstate="22008")


def read_date(year: int, month: int, day: int, before_christ: bool = False) -> int:
    """The day number of a date as it is written; raises 22008 for one that does not exist."""
    if year == 0:
        raise field_out_of_range()
    if before_christ:
        year = 1 - year
    if not (1 <= month <= 12 and 1 <= day <= days_in_month(year, month)):
        raise field_out_of_range()
    return day_number(year, month, day)


def read_time(hour: int, minute: int, second: int, fraction: str | None) -> int:
    """Microseconds since midnight; 24:00:00 and a 60th second are allowed, as in PostgreSQL."""
    time = hour * HOUR + minute * MINUTE + second * SECOND + read_fraction(fraction)
    if hour > 24 or minute > 59 or second > 60 or time > DAY:
        raise field_out_of_range()
    return time


def read_fraction(fraction: str | None) -> int:
    """Microseconds of a fraction of a second, `.` included, rounded as the server rounds a double."""
    if fraction is None or len(fraction) == 1:
        return 0
    return int(fraction[1:].ljust(6, "0")) if len(fraction) <= 7 else round(float(fraction) * SECOND)


def read_offset(text: str) -> int:
    """Seconds east of UTC of `Z` or a numeric offset; raises 22009 beyond 15:59:59."""
    match = _OFFSET.fullmatch(text)
    if match is None:
        return 0
    hours, minutes, seconds = int(match[2]), int(match[3] or 0), int(match[4] or 0)
    if hours > _MAX_OFFSET_HOURS or minutes > 59 or seconds > 59:
        raise InvalidValue("time zone displacement out of range", sqlstate="22009")
    size = hours * 3600 + minutes * 60 + seconds
    return -size if match[1] == "-" else size
