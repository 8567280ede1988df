"""How PostgreSQL prints dates and times, in each DateStyle.

Source: PostgreSQL documentation 8.5.2; datetime.c, EncodeDateOnly, EncodeTimeOnly and EncodeDateTime.
"""

from __future__ import annotations

import functools
from datetime import date, datetime

from proxy.values.date_style import DateStyle, Order, Style
from proxy.values.gregorian import DAY, MINUTE, ORDINAL, SECOND, civil, weekday

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_FIRST, _LAST = 1 - ORDINAL, 3_652_059 - ORDINAL  # the days that Python knows: years 1 to 9999
_ZONE_NAME_LIMIT = 10  # MAXTZLEN


def spell_date(days: int, style: DateStyle) -> str:
    """A date, by its day number."""
    if style.style is Style.ISO and _FIRST <= days <= _LAST:
        return date.fromordinal(days + ORDINAL).isoformat()
    year, month, day = civil(days)
    era = "" if year > 0 else " BC"
    return _spell_numbers(year if year > 0 else 1 - year, month, day, style) + era


def spell_time(microseconds: int) -> str:
    """Time since midnight, with as many digits of a second as it needs: the same in every style."""
    minutes, rest = divmod(microseconds, MINUTE)
    second, fraction = divmod(rest, SECOND)
    hour, minute = divmod(minutes, 60)
    if fraction:
        return f"{hour:02d}:{minute:02d}:{second:02d}." + f"{fraction:06d}".rstrip("0")
    return f"{hour:02d}:{minute:02d}:{second:02d}"


def spell_timestamp(local: int, style: DateStyle, offset: int | None = None, zone_name: str = "") -> str:
    """A local time in microseconds; where the type has a zone, also `offset` in seconds east and its name."""
    days, microseconds = divmod(local, DAY)
    time = spell_time(microseconds)
    if style.style is Style.ISO:
        return _spell_iso(days, time, "" if offset is None else spell_offset(offset))
    zone = "" if offset is None else " " + (zone_name[:_ZONE_NAME_LIMIT] or spell_offset(offset))
    year, month, day = civil(days)
    era = "" if year > 0 else " BC"
    year = year if year > 0 else 1 - year
    if style.style is Style.POSTGRES:
        name = _MONTHS[month - 1]
        date = f"{day:02d} {name}" if style.order is Order.DMY else f"{name} {day:02d}"
        return f"{_WEEKDAYS[weekday(days)]} {date} {time} {year:04d}{zone}{era}"
    return f"{_spell_numbers(year, month, day, style)} {time}{zone}{era}"


def spell_clock(clock: datetime) -> str:
    """A local time in ISO style, of a year that Python knows."""
    text = clock.isoformat(" ")
    return text.rstrip("0") if clock.microsecond else text


@functools.lru_cache(maxsize=1024)
def spell_offset(offset: int) -> str:
    """`+01`, `+05:30`, `-00:25:21`: no more than it needs."""
    size = abs(offset)
    minutes, second = divmod(size, 60)
    hour, minute = divmod(minutes, 60)
    text = f"{'-' if offset < 0 else '+'}{hour:02d}"
    if minute or second:
        text += f":{minute:02d}"
    return f"{text}:{second:02d}" if second else text


def _spell_iso(days: int, time: str, zone: str) -> str:
    year, month, day = civil(days)
    if year > 0:
        return f"{year:04d}-{month:02d}-{day:02d} {time}{zone}"
    return f"{1 - year:04d}-{month:02d}-{day:02d} {time}{zone} BC"


def _spell_numbers(year: int, month: int, day: int, style: DateStyle) -> str:
    """The numbers of a date; `year` counts from 1 in its era."""
    if style.style is Style.ISO:
        return f"{year:04d}-{month:02d}-{day:02d}"
    if style.style is Style.GERMAN:
        return f"{day:02d}.{month:02d}.{year:04d}"
    first, second = (day, month) if style.order is Order.DMY else (month, day)
    separator = "/" if style.style is Style.SQL else "-"
    return f"{first:02d}{separator}{second:02d}{separator}{year:04d}"
