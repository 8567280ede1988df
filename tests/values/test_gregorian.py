"""Day numbers, against Python's own calendar where it has one."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.values.gregorian import (
    DATE_END,
    FIRST_DAY,
    ORDINAL,
    civil,
    day_number,
    days_in_month,
    round_to,
    weekday,
)


@given(st.dates())
def test_agrees_with_pythons_calendar(day: date) -> None:
    number = day_number(day.year, day.month, day.day)
    assert number == day.toordinal() - ORDINAL
    assert civil(number) == (day.year, day.month, day.day)
    assert weekday(number) == day.isoweekday() % 7


@given(st.integers(FIRST_DAY, DATE_END))
def test_every_day_comes_back(number: int) -> None:
    year, month, day = civil(number)
    assert 1 <= day <= days_in_month(year, month)
    assert day_number(year, month, day) == number


@pytest.mark.parametrize(
    ("microseconds", "precision", "rounded"),
    [
        (1_500_000, 0, 2_000_000),
        (-1_500_000, 0, -2_000_000),
        (1_234_567, 3, 1_235_000),
        (5, 6, 5),
        (5, -1, 5),
    ],
)
def test_rounds_half_away_from_zero(microseconds: int, precision: int, rounded: int) -> None:
    assert round_to(microseconds, precision) == rounded
