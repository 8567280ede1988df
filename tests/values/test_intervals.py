"""interval: four styles out, all of them in."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.types import LogicalType
from proxy.errors import InvalidValue, Refused
from proxy.values import codec
from proxy.values.gregorian import HOUR, SECOND
from proxy.values.interval_input import read_interval
from proxy.values.interval_output import STYLES, Parts
from proxy.values.intervals import to_parts
from tests.values.support import ISO, binary_sqlstate, canonical, codec_of, refusal, settings, shown, sqlstate

INTERVALS = st.tuples(
    st.integers(-(10**8), 10**8), st.integers(-(10**8), 10**8), st.integers(-(10**15), 10**15)
)


@pytest.mark.parametrize("style", sorted(STYLES))
@given(INTERVALS)
def test_a_printed_interval_is_read_back(style: str, parts: tuple[int, int, int]) -> None:
    session = settings(interval_style=style)
    months, days, microseconds = parts
    plain = struct.pack(">qii", microseconds, days, months)
    text = codec_of("interval").to_text(plain, session)
    assert codec_of("interval").from_text(text, session) == plain
    assert to_parts(plain) == parts


@pytest.mark.parametrize(
    ("style", "printed"),
    [
        ("postgres", "-1 years -2 mons +3 days -04:05:06.5"),
        ("postgres_verbose", "@ 1 year 2 mons -3 days 4 hours 5 mins 6.5 secs ago"),
        ("sql_standard", "-1-2 +3 -4:05:06.5"),
        ("iso_8601", "P-1Y-2M3DT-4H-5M-6.5S"),
    ],
)
def test_styles(style: str, printed: str) -> None:
    session = settings(interval_style=style)
    assert shown("interval", "-1 year -2 months +3 days -04:05:06.5", session) == printed


@pytest.mark.parametrize(
    ("style", "printed"),
    [("postgres", "00:00:00"), ("postgres_verbose", "@ 0"), ("sql_standard", "0"), ("iso_8601", "PT0S")],
)
def test_nothing_at_all(style: str, printed: str) -> None:
    assert shown("interval", "0", settings(interval_style=style)) == printed


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1 day 2:03:04", (0, 1, 2 * HOUR + 184 * SECOND)),
        ("-1 day, 23:59:59", (0, -1, 86_399 * SECOND)),
        ("1 2:00", (0, 1, 2 * HOUR)),
        ("90", (0, 0, 90 * SECOND)),
        ("1-2", (14, 0, 0)),
        ("1.5 months", (1, 15, 0)),
        ("1.5 weeks", (0, 10, 12 * HOUR)),
        ("2 centuries 1 decade", (2520, 0, 0)),
        ("1 week 2 days ago", (0, -9, 0)),
        ("@ 1 hour ago", (0, 0, -HOUR)),
        ("1day", (0, 1, 0)),
        ("100:00:00", (0, 0, 100 * HOUR)),
        ("1 ms 2 us", (0, 0, 1002)),
        ("P1Y2M3W4DT5H6M7.5S", (14, 25, 5 * HOUR + 367_500_000)),
        ("P5.6M", (5, 17, 24 * HOUR)),  # as the server's doubles have it
    ],
)
def test_forms(text: str, parts: tuple[int, int, int]) -> None:
    assert to_parts(canonical("interval", text)) == read_interval(text.encode(), ISO) == parts


def test_a_leading_minus_holds_for_all_in_the_sql_standard() -> None:
    assert to_parts(canonical("interval", "-1 1:00", settings(interval_style="sql_standard"))) == (
        0,
        -1,
        -HOUR,
    )
    assert to_parts(canonical("interval", "-1 1:00")) == (0, -1, HOUR)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "day",
        "1 fortnight",
        "1 day 1 day",
        "1 ago",
        "ago",
        "1 2 3",
        "1.5 sec 1 ms",
        "1h30m",
        "P",
        "p1y",
        "-P1Y",
        "1-1-1",
    ],
)
def test_what_is_not_read(text: str) -> None:
    error = refusal("interval", text)
    assert (error.sqlstate, error.message) == ("22007", "invalid input syntax for type interval")


@pytest.mark.parametrize(
    "text", ["2147483648 days", "2147483648 months", "9223372036854775808 us", "1-12", "0:60"]
)
def test_out_of_range(text: str) -> None:
    assert sqlstate("interval", text) == "22015"


def test_infinity() -> None:
    assert shown("interval", "-Infinity") == "-infinity"
    assert canonical("interval", "infinity") == bytes.fromhex("7fffffffffffffff7fffffff7fffffff")


def test_binary_settings_and_limits() -> None:
    assert binary_sqlstate("interval", bytes(12)) == "22P03"
    assert Parts.of(-14, 0, 0).values == (-1, -2, 0, 0, 0, 0)
    with pytest.raises(InvalidValue):
        codec_of("interval").to_text(bytes(16), settings(interval_style="klingon"))
    with pytest.raises(Refused):
        codec(LogicalType("interval", 3))
