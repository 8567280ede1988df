"""The proleptic Gregorian calendar, in days and microseconds from 2000-01-01 (PostgreSQL's epoch).

Years are astronomical: year 0 is 1 BC. Source of the day arithmetic: H. Hinnant, "chrono-Compatible
Low-Level Date Algorithms" (2013); of the limits: PostgreSQL documentation 8.5, table 8.9.
"""

from __future__ import annotations

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_CYCLE = 146_097  # days in 400 years
_SHIFT = 730_425  # days from 0000-03-01 to 2000-01-01

FIRST_DAY = -2_451_545  # 4714-11-24 BC, day 0 of the Julian calendar
ORDINAL = 730_120  # what Python calls 2000-01-01: date.toordinal()
DATE_END = 2_145_031_949  # 5874898-01-01, the first day that no date can hold
FIRST_TIMESTAMP = FIRST_DAY * DAY
TIMESTAMP_END = 9_223_371_331_200_000_000  # 294277-01-01 00:00


def day_number(year: int, month: int, day: int) -> int:
    """Days from 2000-01-01 to a date; the date must exist."""
    if month <= 2:
        year, month = year - 1, month + 12
    cycle, year_of_cycle = divmod(year, 400)
    day_of_year = (153 * (month - 3) + 2) // 5 + day - 1
    day_of_cycle = year_of_cycle * 365 + year_of_cycle // 4 - year_of_cycle // 100 + day_of_year
    return cycle * _CYCLE + day_of_cycle - _SHIFT


def civil(days: int) -> tuple[int, int, int]:
    """Year, month, day of a day number."""
    cycle, day_of_cycle = divmod(days + _SHIFT, _CYCLE)
    year_of_cycle = (
        day_of_cycle - day_of_cycle // 1460 + day_of_cycle // 36524 - day_of_cycle // 146096
    ) // 365
    day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle // 4 - year_of_cycle // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return cycle * 400 + year_of_cycle + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1


def days_in_month(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def weekday(days: int) -> int:
    """0 for Sunday to 6; 2000-01-01 was a Saturday."""
    return (days + 6) % 7


def round_to(microseconds: int, precision: int) -> int:
    """Half away from zero to `precision` digits of a second, as PostgreSQL's typmod does; -1 leaves it."""
    if not 0 <= precision < 6:
        return microseconds
    unit: int = 10 ** (6 - precision)
    size = (abs(microseconds) + unit // 2) // unit * unit
    return size if microseconds >= 0 else -size
