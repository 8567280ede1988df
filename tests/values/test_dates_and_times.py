"""date, time, timestamp, timestamptz: what is read, in every DateStyle, and how it is printed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import InvalidValue
from proxy.values import dates, times, timestamps
from proxy.values.date_style import Order, Style, date_style
from proxy.values.datetime_fields import read_date, read_fraction, read_offset, read_time
from proxy.values.datetime_input import read, read_time_of_day
from proxy.values.datetime_output import spell_date, spell_offset, spell_time, spell_timestamp
from proxy.values.datetime_words import read_words
from proxy.values.gregorian import DATE_END, DAY, FIRST_DAY, FIRST_TIMESTAMP, TIMESTAMP_END
from tests.values.support import ISO, binary_sqlstate, canonical, codec_of, refusal, settings, shown, sqlstate

STYLES = [
    *("ISO, MDY", "ISO, DMY", "ISO, YMD", "SQL, MDY", "SQL, DMY"),
    *("Postgres, MDY", "Postgres, DMY", "German, DMY"),
]
MOMENTS = st.integers(FIRST_TIMESTAMP, TIMESTAMP_END - 1)


@pytest.mark.parametrize("style", STYLES)
@given(MOMENTS)
def test_a_printed_timestamp_is_read_back(style: str, number: int) -> None:
    session = settings(date_style=style)
    codec = codec_of("timestamp")
    plain = number.to_bytes(8, "big", signed=True)
    assert codec.from_text(codec.to_text(plain, session), session) == plain


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "<-03>+03"])
@given(MOMENTS)
def test_a_printed_timestamptz_is_read_back(style: str, zone: str, number: int) -> None:
    session = settings(date_style=style, time_zone=zone)
    codec = codec_of("timestamptz")
    plain = number.to_bytes(8, "big", signed=True)
    text = codec.to_text(plain, session)
    if style.startswith("ISO") or not text.rstrip(b" BC").endswith((b"LMT", b"+0530", b"+0545", b"-03")):
        assert codec.from_text(text, session) == plain


@pytest.mark.parametrize("style", STYLES)
@given(st.integers(FIRST_DAY, DATE_END - 1))
def test_a_printed_date_is_read_back(style: str, days: int) -> None:
    session = settings(date_style=style)
    codec = codec_of("date")
    plain = days.to_bytes(4, "big", signed=True)
    assert dates.to_number(codec.from_text(codec.to_text(plain, session), session)) == days


@given(st.datetimes(min_value=datetime(1, 1, 3), timezones=st.just(UTC)))
def test_what_drivers_send(value: datetime) -> None:
    elapsed = value - datetime(2000, 1, 1, tzinfo=UTC)
    microseconds = (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds
    for text in (str(value), value.isoformat(), f"{value:%Y%m%dT%H%M%S.%f}Z".rjust(23, "0")):
        assert timestamps.to_number(canonical("timestamptz", text)) == microseconds


@pytest.mark.parametrize(
    ("style", "text", "printed"),
    [
        ("SQL, MDY", "12/17/1997 07:37:16", "12/17/1997 07:37:16"),
        ("SQL, DMY", "17/12/1997 07:37:16", "17/12/1997 07:37:16"),
        ("German, DMY", "17.12.1997 07:37:16", "17.12.1997 07:37:16"),
        ("Postgres, MDY", "Wed Dec 17 07:37:16 1997", "Wed Dec 17 07:37:16 1997"),
        ("Postgres, DMY", "Wed 17 Dec 07:37:16 1997", "Wed 17 Dec 07:37:16 1997"),
        ("ISO, MDY", "January 8, 1999", "1999-01-08 00:00:00"),
        ("ISO, MDY", "08-Jan-1999 04:05 PM", "1999-01-08 16:05:00"),
        ("ISO, MDY", "1999-Jan-08 12:30 AM", "1999-01-08 00:30:00"),
        ("ISO, MDY", "1/8/99", "1999-01-08 00:00:00"),
        ("ISO, DMY", "1/8/69", "2069-08-01 00:00:00"),
        ("ISO, YMD", "01-02-03", "2001-02-03 00:00:00"),
        ("ISO, YMD", "8 Jan 1999", "1999-01-08 00:00:00"),
        ("ISO, MDY", "19990108T040506", "1999-01-08 04:05:06"),
        ("ISO, MDY", "Mar 15 44 BC", "0044-03-15 00:00:00 BC"),
        ("ISO, MDY", "epoch", "1970-01-01 00:00:00"),
        ("ISO, MDY", "2024-06-30 23:59:60", "2024-07-01 00:00:00"),
        ("ISO, MDY", "2024-02-29 24:00", "2024-03-01 00:00:00"),
        ("ISO, MDY", "2024-02-29 01:02:03.1234565", "2024-02-29 01:02:03.123456"),
        ("ISO, MDY", " -Infinity ", "-infinity"),
        ("ISO, MDY", "2024-02-29 10:00:00 PST", "2024-02-29 10:00:00"),
    ],
)
def test_forms_of_a_timestamp(style: str, text: str, printed: str) -> None:
    assert shown("timestamp", text, settings(date_style=style)) == printed


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("2024-07-01 12:00", "2024-07-01 12:00:00+02"),
        ("2024-07-01 12:00Z", "2024-07-01 14:00:00+02"),
        ("2024-07-01 12:00 -0330", "2024-07-01 17:30:00+02"),
        ("2024-07-01 12:00 America/New_York", "2024-07-01 18:00:00+02"),
        ("2024-07-01 12:00 pst", "2024-07-01 22:00:00+02"),
        ("2024-07-01 +00", "2024-07-01 02:00:00+02"),
        ("2024-07-01Z", "2024-07-01 02:00:00+02"),
        ("1 Jul 2024 pst", "2024-07-01 10:00:00+02"),
        ("1890-01-01 00:00+00:53:28", "1890-01-01 00:00:00+00:53:28"),
        ("infinity", "infinity"),
    ],
)
def test_forms_of_a_timestamptz(text: str, printed: str) -> None:
    assert shown("timestamptz", text, settings(time_zone="Europe/Berlin")) == printed


@pytest.mark.parametrize(
    ("style", "printed"),
    [("SQL, DMY", "01/07/2024 12:00:00 CEST"), ("Postgres, MDY", "Mon Jul 01 12:00:00 2024 CEST")],
)
def test_other_styles_name_the_zone(style: str, printed: str) -> None:
    session = settings(date_style=style, time_zone="Europe/Berlin")
    assert shown("timestamptz", "2024-07-01 12:00+02", session) == printed
    assert canonical("timestamptz", printed, session) == canonical("timestamptz", "2024-07-01 10:00Z")


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("04:05", "04:05:00"),
        ("04:05:06.789", "04:05:06.789"),
        ("040506", "04:05:06"),
        ("4:05 PM", "16:05:00"),
        ("04:05:06-08:00", "04:05:06"),
        ("24:00", "24:00:00"),
        ("2003-04-12 04:05:06", "04:05:06"),
    ],
)
def test_forms_of_a_time(text: str, printed: str) -> None:
    assert shown("time", text) == printed


def test_precision_rounds() -> None:
    assert shown("timestamp(0)", "2023-12-31 23:59:59.5") == "2024-01-01 00:00:00"
    assert (
        shown("timestamp(0)", "1999-12-31 23:59:59.5") == "1999-12-31 23:59:59"
    )  # away from 2000, as in PostgreSQL
    assert shown("timestamptz(3)", "2000-01-01 00:00:00.0005+00") == "2000-01-01 00:00:00.001+00"
    assert shown("time(2)", "04:05:06.789") == "04:05:06.79"


@pytest.mark.parametrize("word", ["now", "today", "Tomorrow", "yesterday 10:00"])
@pytest.mark.parametrize("type_name", ["date", "timestamp", "timestamptz"])
def test_words_that_follow_the_clock_are_refused(type_name: str, word: str) -> None:
    error = refusal(type_name, word)
    assert error.sqlstate == "0A000"
    assert error.hint


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "2024", "2024-01", "1 2 2024", "10:00", "Monday", "2024-01-01 10:00 Nowhere/City", "BC"),
        *("2024-01-01 10", "2024-01-01 2024-01-02", "2024-01-01 10:00 11:00", "J2451187", "2024.123"),
        *("10:00 pst 2024-01-01", "Wed 2024-01-01", "2024-01-01-05", "é", "2024-01-01 " + "x" * 200),
    ],
)
def test_what_is_not_read(text: str) -> None:
    error = refusal("timestamptz", text)
    assert (error.sqlstate, error.message) == (
        "22007",
        "invalid input syntax for type timestamp with time zone",
    )
    assert error.hint


@pytest.mark.parametrize(
    "text", ["2023-02-29", "2024-13-01", "2024-00-01", "0000-01-01", "13/13/2024", "2024-01-01 25:00"]
)
def test_what_is_out_of_range(text: str) -> None:
    assert sqlstate("timestamp", text) == "22008"


def test_limits_of_the_types() -> None:
    assert refusal("date", "5874898-01-01").message == "date out of range"
    assert sqlstate("date", "4714-11-23 BC") == "22008"
    assert refusal("timestamp", "294277-01-01").message == "timestamp out of range"
    assert sqlstate("timestamptz", "2024-01-01 10:00+16") == "22009"
    assert sqlstate("time", "24:00:01") == "22008"


def test_binary_is_checked() -> None:
    codec = codec_of("timestamp(0)")
    assert codec.from_binary((1_500_000).to_bytes(8, "big"), ISO) == (2_000_000).to_bytes(8, "big")
    assert binary_sqlstate("date", bytes(8)) == binary_sqlstate("time", bytes(4)) == "22P03"
    assert binary_sqlstate("timestamp", bytes(4)) == "22P03"
    assert binary_sqlstate("time", (DAY + 1).to_bytes(8, "big")) == "22008"
    assert binary_sqlstate("timestamp", TIMESTAMP_END.to_bytes(8, "big")) == "22008"


def test_an_unknown_date_style_is_refused() -> None:
    assert date_style("German, DMY").style is Style.GERMAN
    assert date_style("ISO, YMD").order is Order.YMD
    with pytest.raises(InvalidValue):
        date_style("Klingon, DMY")


def test_the_parts() -> None:
    assert read_date(1, 1, 1, before_christ=True) == read_date(1, 1, 1) - 366
    assert read_time(1, 2, 3, ".5") == 3_723_500_000
    assert (read_fraction(None), read_fraction("."), read_fraction(".1234567")) == (0, 0, 123_457)
    assert (read_offset("Z"), read_offset("-05:30"), read_offset("+0530")) == (0, -19_800, 19_800)
    assert (spell_offset(0), spell_offset(-1521), spell_offset(19_800)) == ("+00", "-00:25:21", "+05:30")
    assert spell_time(3_723_500_000) == "01:02:03.5"
    assert spell_date(0, date_style("SQL, DMY")) == "01/01/2000"
    assert spell_timestamp(0, date_style("ISO, MDY"), 3600) == "2000-01-01 00:00:00+01"
    assert read_words("jan 1 2000", ISO, "date").days == read(b"2000-01-01", ISO, "date").days == 0
    assert times.to_number(canonical("time", "00:00:01")) == 1_000_000
    assert read_time_of_day(b"00:00:01", ISO, "time") == 1_000_000
