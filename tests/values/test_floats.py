"""float4 and float8: the shortest decimal, PostgreSQL's spelling of it, one zero and one NaN."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.values.float_output import shortest_float4, shortest_float8
from tests.values.support import ISO, canonical, codec_of, refusal, shown, sqlstate

FINITE = st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: number != 0)
SINGLE = st.floats(width=32, allow_nan=False, allow_infinity=False).filter(lambda number: number != 0)


@given(FINITE)
def test_float8_comes_back(number: float) -> None:
    text = shortest_float8(number)
    assert float(text) == number
    assert canonical("float8", text) == struct.pack(">d", number)
    assert shown("float8", repr(number)) == text


@given(SINGLE)
def test_float4_comes_back(number: float) -> None:
    text = shortest_float4(number)
    assert struct.unpack(">f", struct.pack(">f", float(text)))[0] == number
    assert canonical("float4", text) == struct.pack(">f", number)
    assert len(text.strip("-").partition("e")[0].replace(".", "").strip("0")) <= 9


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("1", "1"),
        ("0.1", "0.1"),
        ("1e20", "1e+20"),
        ("0.00001", "1e-05"),
        ("0.0001", "0.0001"),
        ("100000000000000", "100000000000000"),
        ("1000000000000000", "1e+15"),
        ("1e23", "9.999999999999999e+22"),  # 1e23 lies exactly between two float8: Python prints that
        ("5e-324", "5e-324"),
        ("-0", "0"),
        (" +inf ", "Infinity"),
        ("-INFINITY", "-Infinity"),
        ("-nan", "NaN"),
    ],
)
def test_float8_spelling(text: str, printed: str) -> None:
    assert shown("float8", text) == printed


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("123456", "123456"),
        ("1234567", "1.234567e+06"),
        ("16777217", "1.6777216e+07"),
        ("0.1", "0.1"),
        ("1e-45", "1e-45"),
        ("3.4028235e38", "3.4028235e+38"),
    ],
)
def test_float4_spelling(text: str, printed: str) -> None:
    assert shown("float4", text) == printed


def test_float4_is_rounded_once() -> None:
    """A decimal next to the middle of two float4: by way of a float8, all three would be the middle."""
    below, middle, above = "1.00000005960464477538", "1.00000005960464477539", "1.00000005960464477540"
    assert canonical("float4", below) == canonical("float4", middle) == struct.pack(">f", 1)
    assert canonical("float4", above) == struct.pack(">f", 1 + 2**-23)


def test_zeros_and_nans_are_one_plaintext_each() -> None:
    codec = codec_of("float8")
    assert codec.from_binary(struct.pack(">d", -0.0), ISO) == canonical("float8", "0") == bytes(8)
    odd_nan = bytes.fromhex("fff8000000000001")
    assert codec.from_binary(odd_nan, ISO) == canonical("float8", "NaN") == struct.pack(">d", math.nan)


@pytest.mark.parametrize("text", ["1e400", "-1e400", "1e-400"])
def test_too_large_or_too_small(text: str) -> None:
    assert refusal("float8", text).sqlstate == "22003"
    assert sqlstate("float4", "1e39") == sqlstate("float4", "1e-46") == "22003"
    assert canonical("float8", "0e-400") == bytes(8)


@pytest.mark.parametrize("text", ["", "1e", ".", "e5", "1_0", "infin", "nan(1)", "1 2", "0x"])
def test_what_is_no_number(text: str) -> None:
    assert sqlstate("float8", text) == "22P02"


def test_hexadecimal_is_refused_with_a_hint() -> None:
    assert "hexadecimal" in (refusal("float8", "0x1p3").hint or "")
