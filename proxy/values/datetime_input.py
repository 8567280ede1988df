"""Reading dates and times as PostgreSQL's input functions do, in the forms that can be read with certainty.

ISO 8601 goes through one regular expression; what else there is (the output of the other DateStyles, month
names, BC, AM and PM, zone names) is read word by word in `datetime_words`. What neither knows is refused
with a hint: a guess would change a value silently. Source: PostgreSQL documentation 8.5.1 and appendix B.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from proxy.errors import InvalidValue
from proxy.values.date_style import Order
from proxy.values.gregorian import DAY, HOUR, MINUTE, SECOND, day_number, days_in_month
from proxy.values.zones import Zone

HINT = "Send the value as ISO 8601 or as the server prints it: YYYY-MM-DD HH:MM:SS, with +HH:MM for a zone."
_VOLATILE = {"now", "today", "tomorrow", "yesterday"}
_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>\.\d*)?)?"
_OFFSET = r"(?P<zone>[zZ]|[+-]\d{1,2}(?::\d{2}(?::\d{2})?|\d{2})?)"
_DATE = r"(?P<year>\d{4,6})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
_ISO = re.compile(rf"{_DATE}(?:(?:[tT]|[ ]+){_TIME}[ ]*{_OFFSET}?)?(?P<era>[ ]+(?i:BC|AD))?", re.ASCII)
_CLOCK = re.compile(rf"[tT]?{_TIME}", re.ASCII)
_NUMERIC_OFFSET = re.compile(r"([+-])(\d{1,2})(?::?(\d{2}))?(?::(\d{2}))?", re.ASCII)
_MAX_OFFSET_HOURS = 15  # MAX_TZDISP_HOUR


@dataclass(slots=True)
class Reading:
    """What a text says. Days and microseconds as in `gregorian`; `zone` in seconds east, or by name."""

    days: int | None = None
    time: int | None = None
    zone: int | Zone | None = None
    infinite: int = 0  # 1 infinity, -1 -infinity


def bad_format(type_name: str, hint: str | None = HINT) -> InvalidValue:
    return InvalidValue(f"invalid input syntax for type {type_name}", sqlstate="22007", hint=hint)


def field_out_of_range() -> InvalidValue:
    return InvalidValue("date/time field value out of range", sqlstate="22008")


def read(raw: bytes, order: Order, type_name: str) -> Reading:
    """A date, a time or both. Raises 22007 or 22008, and 0A000 for words that follow the clock."""
    try:
        text = raw.decode("ascii").strip(" \t\n\v\f\r")
    except UnicodeDecodeError:
        raise bad_format(type_name) from None
    if match := _ISO.fullmatch(text):
        return _read_iso(match)
    if (special := _special(text.lower())) is not None:
        return special
    raise bad_format(type_name)


def _special(word: str) -> Reading | None:
    if word in ("infinity", "+infinity", "-infinity"):
        return Reading(infinite=-1 if word[0] == "-" else 1)
    if word == "epoch":
        return Reading(days=day_number(1970, 1, 1), time=0, zone=0)
    if not _VOLATILE.isdisjoint(word.split()):
        raise InvalidValue(
            "a date/time word that depends on the clock cannot be encrypted",
            sqlstate="0A000",
            hint="Send the date or time itself as a literal or a parameter.",
        )
    return None


def _read_iso(match: re.Match[str]) -> Reading:
    year, month, day, hour, minute, second, fraction, zone, era = match.groups()
    before_christ = era is not None and era[-2:].lower() == "bc"
    reading = Reading(days=read_date(int(year), int(month), int(day), before_christ))
    if hour is not None:
        reading.time = read_time(int(hour), int(minute), int(second or 0), fraction)
        reading.zone = None if zone is None else read_offset(zone)
    return reading


def read_date(year: int, month: int, day: int, before_christ: bool = False) -> int:
    """The day number of a date as it is written; raises 22008 for one that does not exist."""
    if before_christ:
        year = 1 - year
    elif year == 0:
        raise field_out_of_range()
    if not (1 <= month <= 12 and 1 <= day <= days_in_month(year, month)) or (before_christ and year > 0):
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


def read_clock(text: str) -> int | None:
    """Microseconds since midnight of hours:minutes[:seconds[.fraction]]; None if it is no such text."""
    if (match := _CLOCK.fullmatch(text)) is None:
        return None
    return read_time(int(match["hour"]), int(match["minute"]), int(match["second"] or 0), match["fraction"])


def read_offset(text: str) -> int:
    """Seconds east of UTC of `Z` or a numeric offset; raises 22009 beyond 15:59:59."""
    match = _NUMERIC_OFFSET.fullmatch(text)
    if match is None:
        return 0
    hours, minutes, seconds = int(match[2]), int(match[3] or 0), int(match[4] or 0)
    if hours > _MAX_OFFSET_HOURS or minutes > 59 or seconds > 59:
        raise InvalidValue("time zone displacement out of range", sqlstate="22009")
    size = hours * 3600 + minutes * 60 + seconds
    return -size if match[1] == "-" else size
