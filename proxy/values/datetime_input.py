"""Reading dates and times as PostgreSQL's input functions do, in the forms that can be read with certainty.

ISO 8601 goes through one regular expression; what else there is (the output of the other DateStyles,
month names, BC, AM and PM, zone names) is read word by word in `datetime_words`. What neither knows is
refused with a hint: a guess would change a value silently. Source: PostgreSQL documentation 8.5.1.
"""

from __future__ import annotations

import re
from datetime import datetime

from proxy.errors import InvalidValue
from proxy.values.datetime_fields import CLOCK, OFFSET, Reading, bad_format, read_date, read_offset, read_time
from proxy.values.datetime_words import read_words
from proxy.values.gregorian import ORDINAL, SECOND, day_number
from proxy.values.settings import Settings
from proxy.values.spaces import strip
from proxy.values.zones import Zone, seconds_east

_DATE = r"(?P<year>\d{4,7})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
_ERA = r"(?P<era>[ ]+(?i:BC|AD))?"
_ZONE = rf"(?:[ ]*(?P<zone>[zZ]|{OFFSET}))?"
_ISO = re.compile(rf"{_DATE}(?:(?:[tT]|[ ]+){CLOCK}|(?!-)){_ZONE}{_ERA}", re.ASCII)
_PLAIN = re.compile(
    r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[+-](?:0\d|1[0-5])(?::[0-5]\d)?)?)?", re.ASCII
)
_DATE_LENGTH = len("2000-01-01")
_RUN_TOGETHER = re.compile(r"(\d{2})(\d{2})(?:(\d{2})(\.\d*)?)?", re.ASCII)
_MAX_LENGTH = 153  # MAXDATELEN + MAXDATEFIELDS: what the server has room for
_TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(\.\d*)?)?", re.ASCII)
_VOLATILE = {"now", "today", "tomorrow", "yesterday"}


def read(raw: bytes, settings: Settings, type_name: str) -> Reading:
    """A date, a time or both. Raises 22007 or 22008, and 0A000 for words that follow the clock."""
    text = _text(raw, type_name)
    if _PLAIN.fullmatch(text) and (reading := _read_plain(text)) is not None:
        return reading
    if match := _ISO.fullmatch(text):
        return _read_iso(match)
    lower = text.lower()
    if (special := _special(lower)) is not None:
        return special
    return read_words(lower, settings, type_name)


def read_time_of_day(raw: bytes, settings: Settings, type_name: str) -> int:
    """Microseconds since midnight, alone or after an ISO date; an offset means nothing to it."""
    text = _text(raw, type_name)
    if match := _TIME_OF_DAY.fullmatch(text) or _RUN_TOGETHER.fullmatch(text):
        return read_time(int(match[1]), int(match[2]), int(match[3] or 0), match[4])
    if match := _ISO.fullmatch(text):
        reading = _read_iso(match)
        if reading.time is None or "T" in text.upper():
            raise bad_format(type_name)
        return reading.time
    reading = read_words(text.lower(), settings, type_name)
    if reading.time is None or reading.days is not None or isinstance(reading.zone, Zone):
        raise bad_format(type_name)
    return reading.time


def _text(raw: bytes, type_name: str) -> str:
    text = strip(raw)
    if len(text) > _MAX_LENGTH or not text.isascii():
        raise bad_format(type_name)
    return text.decode()


def _read_plain(text: str) -> Reading | None:
    """What drivers send, by way of Python's own parser; None for what that refuses and PostgreSQL may not."""
    try:
        clock = datetime.fromisoformat(text)
    except ValueError:
        return None
    offset = None if clock.tzinfo is None else seconds_east(clock)
    time = (clock.hour * 3600 + clock.minute * 60 + clock.second) * SECOND + clock.microsecond
    return Reading(clock.toordinal() - ORDINAL, time if len(text) > _DATE_LENGTH else None, offset)


def _special(word: str) -> Reading | None:
    if word in ("infinity", "+infinity", "-infinity"):
        return Reading(infinite=-1 if word[0] == "-" else 1)
    if word == "epoch":
        return Reading(days=day_number(1970, 1, 1), zone=0)
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
