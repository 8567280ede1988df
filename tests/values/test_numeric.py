"""numeric: PostgreSQL's text, scale and rounding; base-10000 digits on the wire."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.values.support import ISO, binary_sqlstate, canonical, codec_of, refusal, sent, shown, sqlstate

DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20)


@given(DECIMALS)
def test_binary_is_the_same_plaintext(number: Decimal) -> None:
    text = format(number or abs(number), "f")
    codec = codec_of("numeric")
    assert canonical("numeric", text) == text.encode()
    assert codec.from_binary(sent("numeric", text), ISO) == text.encode()


@given(DECIMALS)
def test_rounds_half_away_from_zero(number: Decimal) -> None:
    rounded = number.quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert Decimal(shown("numeric(30,2)", str(number))) == rounded
    assert codec_of("numeric(30,2)").from_binary(sent("numeric", str(number)), ISO) == canonical(
        "numeric(30,2)", str(number)
    )


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("1e3", "1000"),
        ("1.10", "1.10"),
        ("-0.00", "0.00"),
        ("00012.500", "12.500"),
        (".5", "0.5"),
        ("5.", "5"),
        ("12e-1", "1.2"),
        ("1_000.5_0", "1000.50"),
        ("0x1F", "31"),
        (" nan ", "NaN"),
        ("+inf", "Infinity"),
        ("-Infinity", "-Infinity"),
    ],
)
def test_spelling(text: str, printed: str) -> None:
    assert shown("numeric", text) == printed


@pytest.mark.parametrize("text", ["", ".", "1e", "1__0", "1_", "+nan", "1 2", "0x1.5", "१"])
def test_what_is_no_number(text: str) -> None:
    assert sqlstate("numeric", text) == "22P02"


def test_precision_and_scale() -> None:
    assert shown("numeric(4,2)", "1.5") == "1.50"
    assert shown("numeric(3,-2)", "12345") == "12300"
    assert shown("numeric(3,5)", "0.009994") == "0.00999"
    error = refusal("numeric(4,2)", "99.995")
    assert (error.sqlstate, error.message) == ("22003", "numeric field overflow")
    assert error.detail == "A field with precision 4, scale 2 must round to an absolute value less than 10^2."
    assert "less than 1." in (refusal("numeric(2,2)", "1").detail or "")
    assert "infinite" in (refusal("numeric(4,2)", "Infinity").detail or "")
    assert shown("numeric(4,2)", "NaN") == "NaN"


def test_the_types_own_limits() -> None:
    assert shown("numeric", "9" * 131072) == "9" * 131072
    assert shown("numeric", "0." + "0" * 16382 + "1").endswith("01")
    for text in ("9" * 131073, "1e131072", "1e-16384", "1e999999999999", "0." + "0" * 16384):
        assert sqlstate("numeric", text) == "22003"
    assert shown("numeric", "0e999999") == "0"


def test_a_long_number_that_goes_wrong_at_its_end_takes_one_pass() -> None:
    assert sqlstate("numeric", "1" * 1_000_000 + "x") == "22P02"
    assert sqlstate("float8", "1" * 1_000_000 + "x") == "22P02"
    assert sqlstate("int8", "1_" * 500_000) == "22P02"


def test_binary_digits_beyond_the_scale_are_cut() -> None:
    two_digits = bytes.fromhex("0002 0000 0000 0002 0001 270f")  # 1.9999, shown with two digits
    assert codec_of("numeric").from_binary(two_digits, ISO) == b"1.99"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        bytes.fromhex("0001 0000 0000 0000"),  # a digit is missing
        bytes.fromhex("0000 0000 1234 0000"),  # a sign that is none
        bytes.fromhex("0001 0000 0000 0000 2710"),  # a digit of ten thousand
        bytes.fromhex("0000 0000 0000 4000"),  # a scale too large
    ],
)
def test_malformed_binary(raw: bytes) -> None:
    assert binary_sqlstate("numeric", raw) == "22P03"
