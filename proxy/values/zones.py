"""Time zones: offsets from UTC for moments and for local times, by the IANA database.

Python's datetime knows the years 1 to 9999. Before them every zone keeps its first offset, and after them the
rules repeat with the calendar, every 400 years, which is how PostgreSQL's own library extends them.
Source: PostgreSQL documentation 8.5.3 and appendix B; POSIX TZ for the form `<+02>-02` that SET TIME ZONE 2
makes.
"""

from __future__ import annotations

import functools
import re
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from proxy.errors import InvalidValue
from proxy.values.gregorian import DAY

_EPOCH = datetime(2000, 1, 1)
_EPOCH_UTC = datetime(2000, 1, 1, tzinfo=UTC)
_CYCLE = 146_097 * DAY  # 400 years
FIRST = -(730_119 - 1000) * DAY  # some moment of the year 3
LAST = (2_921_939 - 1000) * DAY  # some moment of the year 9997
_POSIX_FIXED = re.compile(r"(?:<([+-]?\w+)>|([A-Za-z]{3,}))([+-]?)(\d{1,2})(?::(\d{2})(?::(\d{2}))?)?")
_OF_ONE_MACHINE = {"localtime", "posixrules"}  # not the same zone on the server and here
_ZERO = timedelta()


class Zone:
    """A time zone. Moments and local times are microseconds from 2000-01-01 00:00."""

    __slots__ = ("_fixed", "_rules")

    def __init__(self, rules: tzinfo) -> None:
        self._rules = rules
        self._fixed = _fixed_offset(rules)

    def offset_at(self, moment: int) -> int:
        """Seconds east of UTC at a moment."""
        if self._fixed is not None:
            return self._fixed
        return seconds_east(self._at(moment))

    def clock_at(self, moment: int) -> datetime:
        """What the zone's clocks show at a moment, with the offset; for years from 3 to 9997."""
        return (_EPOCH_UTC + timedelta(microseconds=moment)).astimezone(self._rules)

    def name_at(self, moment: int) -> str:
        """The abbreviation in force at a moment: `CET`, or `-03` where the zone has none."""
        return self._at(moment).tzname() or ""

    def offset_of(self, local: int) -> int:
        """Seconds east of UTC for a local time.

        A time that a change of clocks leaves out is read with the offset before the change, one that it
        repeats with the offset after it, as PostgreSQL does: in both cases that is the smaller offset.
        """
        if self._fixed is not None:
            return self._fixed
        clock = _clock(local).replace(tzinfo=self._rules)
        return min(seconds_east(clock), seconds_east(clock.replace(fold=1)))

    def history(self) -> Iterator[tuple[str, int]]:
        """Abbreviation and offset every ten days from 1850 to 2050: enough to meet all that were in force."""
        for day in range(-54_786, 18_263, 10):
            yield self.name_at(day * DAY), self.offset_at(day * DAY)

    def _at(self, moment: int) -> datetime:
        return _clock(moment).replace(tzinfo=UTC).astimezone(self._rules)


def seconds_east(clock: datetime) -> int:
    """The offset from UTC of a clock that has a zone."""
    return round((clock.utcoffset() or _ZERO).total_seconds())


def _clock(microseconds: int) -> datetime:
    """A datetime with the same place in the calendar's cycle, in years that Python knows."""
    if microseconds > LAST:
        microseconds -= -(-(microseconds - LAST) // _CYCLE) * _CYCLE
    return _EPOCH + timedelta(microseconds=max(microseconds, FIRST))


def _fixed_offset(rules: tzinfo) -> int | None:
    offset = rules.utcoffset(None)
    return None if offset is None else round(offset.total_seconds())


@functools.lru_cache(maxsize=1024)
def zone(name: str) -> Zone | None:
    """The zone of an IANA name in any case, or of a fixed offset in POSIX form; None if there is none."""
    if name.lower() in _OF_ONE_MACHINE:
        return None
    rules = _named(name) or _posix(name) or _named(_names().get(name.lower(), ""))
    return None if rules is None else Zone(rules)


def session_zone(setting: str) -> Zone:
    """The zone of the TimeZone setting; raises InvalidValue for one that Python's database lacks."""
    found = zone(setting)
    if found is None:
        raise InvalidValue("the session's TimeZone is not known to pgveil", sqlstate="0A000")
    return found


def _named(name: str) -> tzinfo | None:
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return None


def _posix(name: str) -> tzinfo | None:
    """A fixed offset; POSIX counts hours west of Greenwich."""
    match = _POSIX_FIXED.fullmatch(name)
    if match is None:
        return None
    if int(match[5] or 0) >= 60 or int(match[6] or 0) >= 60:
        return None
    offset = timedelta(hours=int(match[4]), minutes=int(match[5] or 0), seconds=int(match[6] or 0))
    if offset >= timedelta(days=1):
        return None
    return timezone(offset if match[3] == "-" else -offset, match[1] or match[2])


@functools.cache
def _names() -> dict[str, str]:
    return {name.lower(): name for name in zoneinfo.available_timezones()}
