"""int2, int4, int8: one canonical form for all widths."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import InvalidValue
from proxy.values import integers
from tests.values.support import ISO, binary_sqlstate, canonical, codec_of, refusal, sent, shown, sqlstate

WIRE = {"int2": ">h", "int4": ">i", "int8": ">q"}


@pytest.mark.parametrize(("type_name", "bits"), [("int2", 16), ("int4", 32), ("int8", 64)])
@given(st.data())
def test_text_and_binary_are_the_same_plaintext(type_name: str, bits: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1))
    plain = canonical(type_name, str(number))
    assert plain == integers.pack(number) == number.to_bytes(8, "big", signed=True)
    assert integers.to_number(plain) == number
    assert codec_of(type_name).from_binary(struct.pack(WIRE[type_name], number), ISO) == plain
    assert shown(type_name, str(number)) == str(number)
    assert sent(type_name, str(number)) == struct.pack(WIRE[type_name], number)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (" 7\n", 7),
        ("+7", 7),
        ("007", 7),
        ("0x1F", 31),
        ("-0X_1f", -31),
        ("0o17", 15),
        ("0b101", 5),
        ("1_000", 1000),
    ],
)
def test_spellings(text: str, number: int) -> None:
    assert canonical("int8", text) == integers.pack(number)


@pytest.mark.parametrize(
    "text", ["", " ", "- 1", "1.0", "1e3", "1__0", "_1", "1_", "0x", "0b2", "१", "1 2", "+-1"]
)
def test_what_is_no_integer(text: str) -> None:
    assert sqlstate("int4", text) == "22P02"


def test_out_of_range() -> None:
    assert refusal("int2", "32768").message == "smallint out of range"
    assert sqlstate("int4", "-2147483649") == "22003"
    assert sqlstate("int8", "9223372036854775808") == "22003"
    assert sqlstate("int8", "9" * 5000) == "22003"
    assert canonical("int4", "0" * 5000 + "1") == integers.pack(1)


def test_a_value_wider_than_the_type_is_not_cut() -> None:
    """It was written while the column was an int8."""
    wide = integers.pack(70_000)
    assert codec_of("int2").to_text(wide, ISO) == b"70000"
    with pytest.raises(InvalidValue):
        codec_of("int2").to_binary(wide, ISO)


def test_binary_of_another_length() -> None:
    assert binary_sqlstate("int4", b"\0\0") == binary_sqlstate("int8", b"\0\0\0\1") == "22P03"
