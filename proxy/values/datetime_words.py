"""Dates and times that are not ISO 8601, read word by word.

A text is words between white space and commas: a clock time, a date of three numbers or two and a month's
name, or its parts apart from each other, a zone, AM or PM, BC or AD, a day of the week (which means
nothing). Each kind may stand once. Source: PostgreSQL documentation 8.5.1 and B.1 (the order of a date's
numbers).
"""

from __future__ import annotations

import re

from proxy.values.date_style import Order, date_style
from proxy.values.datetime_fields import (
    CLOCK,
    OFFSET,
    Reading,
    bad_format,
    field_out_of_range,
    read_date,
    read_offset,
    read_time,
)
from proxy.values.gregorian import HOUR
from proxy.values.settings import Settings
from proxy.values.zone_names import named_zone
from proxy.values.zones import Zone

_MONTHS = {
    word: number
    for number, words in enumerate(
        (
            "jan january",
            "feb february",
            "mar march",
            "apr april",
            "may",
            "jun june",
            "jul july",
            "aug august",
            "sep sept september",
            "oct october",
            "nov november",
            "dec december",
        ),
        start=1,
    )
    for word in words.split()
}
_WEEKDAYS = {
    *("sun", "mon", "tue", "tues", "wed", "weds", "thu", "thur", "thurs", "fri", "sat"),
    *("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"),
}
_CLOCK = re.compile(rf"t?{CLOCK}(?:(?P<half>am|pm)|(?P<zone>z|{OFFSET}))?", re.ASCII)
_DATE = re.compile(r"(\d{1,7}|[a-z]{3,9})([-/.])(\d{1,2}|\d{4,7}|[a-z]{3,9})\2(\d{1,7})", re.ASCII)
_RUN_TOGETHER = re.compile(
    r"(\d{4})(\d{2})(\d{2})(?:t(\d{2})(\d{2})(?:(\d{2})(\.\d*)?)?(z|[+-]\d{2,4})?)?", re.ASCII
)
_NUMBER = re.compile(r"\d{1,6}", re.ASCII)
_OFFSET = re.compile(OFFSET, re.ASCII)


class _Words:
    """The words of one text, each put in the one place that it can have."""

    def __init__(self, settings: Settings, type_name: str) -> None:
        self._settings = settings
        self._bad = bad_format(type_name)
        self._seen: set[str] = set()
        self._numbers: list[str] = []
        self._month: int | None = None
        self._time: int | None = None
        self._zone: int | Zone | None = None
        self._half = ""
        self._era = ""

    def read(self, text: str) -> Reading:
        for word in re.split(r"[\s,]+", text):
            self._place(word)
        return Reading(days=self._read_days(), time=self._read_half(), zone=self._zone)

    def _place(self, word: str) -> None:
        """Find out what one word says; one that says nothing makes the whole text unreadable."""
        if word in _WEEKDAYS:
            self._claim("weekday", first=True)
        elif word in _MONTHS:
            self._claim("month", last=len(self._numbers) > 1)
            self._month = _MONTHS[word]
        elif word in ("am", "pm"):
            self._claim("half")
            self._half = word
        elif word in ("ad", "bc"):
            self._claim("era")
            self._era = word
        else:
            self._place_compound(word)

    def _place_compound(self, word: str) -> None:
        if match := _CLOCK.fullmatch(word):
            self._place_clock(match)
        elif match := _DATE.fullmatch(word):
            self._place_date([match[1], match[3], match[4]])
        elif match := _RUN_TOGETHER.fullmatch(word):
            self._place_run_together(match)
        elif _NUMBER.fullmatch(word) and (len(word) < 6 or self._only_year_left()):
            self._claim(f"number {len(self._numbers)}")
            self._numbers.append(word)
        else:
            self._place_zone(word)

    def _claim(self, kind: str, first: bool = False, last: bool = False) -> None:
        """Note that a kind was met: only once, and not out of the order that PostgreSQL reads it in."""
        if kind in self._seen or last or (first and (self._seen or self._numbers)):
            raise self._bad
        if "zone" in self._seen and kind != "era":
            raise self._bad
        self._seen.add(kind)

    def _only_year_left(self) -> bool:
        """Whether six digits can be nothing but a year: day, month and time are known."""
        return self._time is not None and self._month is not None and len(self._numbers) == 1

    def _place_clock(self, match: re.Match[str]) -> None:
        self._claim("time")
        self._time = read_time(
            int(match["hour"]), int(match["minute"]), int(match["second"] or 0), match["fraction"]
        )
        if match["half"]:
            self._claim("half")
            self._half = match["half"]
        if match["zone"]:
            self._place_zone(match["zone"])

    def _place_date(self, parts: list[str]) -> None:
        """Three parts in one word, of which one may be a month's name."""
        self._claim("date", first=True)
        names = [part for part in parts if not part.isdigit()]
        if len(names) > 1 or any(name not in _MONTHS for name in names):
            raise self._bad
        if names:
            self._place(names[0])
        self._numbers += [part for part in parts if part.isdigit()]

    def _place_run_together(self, match: re.Match[str]) -> None:
        """ISO 8601 without separators: 20200131, 20200131T101500."""
        self._place_date([match[1], match[2], match[3]])
        if match[4] is not None:
            self._claim("time")
            self._time = read_time(int(match[4]), int(match[5]), int(match[6] or 0), match[7])
        if match[8] is not None:
            self._place_zone(match[8])

    def _place_zone(self, word: str) -> None:
        """An offset or a zone's name, with only an era behind it; a date alone has no zone by a full name."""
        self._claim("zone")
        self._zone = read_offset(word) if _OFFSET.fullmatch(word) else named_zone(word, self._settings)
        if self._zone is None or (self._time is None and isinstance(self._zone, Zone)):
            raise self._bad

    def _read_half(self) -> int | None:
        """The time of day, with AM or PM."""
        if not self._half:
            return self._time
        if self._time is None:
            raise self._bad
        hour, rest = divmod(self._time, HOUR)
        if hour > 12:
            raise field_out_of_range()
        return (hour % 12 + (12 if self._half == "pm" else 0)) * HOUR + rest

    def _read_days(self) -> int | None:
        if not self._numbers and self._month is None:
            if self._era or "weekday" in self._seen:
                raise self._bad
            return None
        if len(self._numbers) != (3 if self._month is None else 2) or self._seen.isdisjoint(
            {"date", "month"}
        ):
            raise self._bad
        year, month, day = self._ordered()
        number = int(year)
        if len(year) <= 2 and self._era != "bc":
            number += 2000 if number < 70 else 1900
        return read_date(number, month, int(day), self._era == "bc")

    def _ordered(self) -> tuple[str, int, str]:
        """Year, month and day. A number of three digits or more is a year; else DateStyle has the say."""
        order = date_style(self._settings.date_style).order
        if self._month is not None:
            first, second = self._numbers
            year_first = len(first) > 2 or (order is Order.YMD and len(second) < 3)
            return (first, self._month, second) if year_first else (second, self._month, first)
        first, second, third = self._numbers
        if len(first) > 2 or order is Order.YMD:
            return first, int(second), third
        return (third, int(second), first) if order is Order.DMY else (third, int(first), second)


def read_words(text: str, settings: Settings, type_name: str) -> Reading:
    """What a text in lower case says; raises 22007 for a word of no certain meaning."""
    return _Words(settings, type_name).read(text)
