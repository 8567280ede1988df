"""One-dimensional arrays: quoting, NULL, and the element's own codec."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import InvalidValue
from proxy.values import arrays
from tests.values.support import (
    ISO,
    binary_sqlstate,
    canonical,
    codec_of,
    refusal,
    sent,
    settings,
    shown,
    sqlstate,
)

ELEMENTS = st.lists(
    st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0")).map(str.encode)
)


@given(ELEMENTS)
def test_text_and_binary_are_the_same_plaintext(elements: list[bytes | None]) -> None:
    text, binary = arrays.join_text(elements), arrays.join_binary(elements, 25)
    codec = codec_of("text[]")
    plain = codec.from_text(text, ISO)
    assert plain == codec.from_binary(binary, ISO) == arrays.pack(elements)
    assert arrays.unpack(plain) == arrays.split_text(text) == arrays.split_binary(binary)[1] == elements
    assert codec.to_text(plain, ISO) == text
    assert codec.to_binary(plain, ISO) == binary


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("{}", []),
        (" { } ", []),
        ("{a, b c ,d}", [b"a", b"b c", b"d"]),
        ('{"a,b","c\\"d",e\\,f}', [b"a,b", b'c"d', b"e,f"]),
        ('{NULL,null,"NULL",\\NULL}', [None, None, b"NULL", b"NULL"]),
        ('{""}', [b""]),
        ("{a\\ }", [b"a "]),
        ("{\n1\t,\f2}", [b"1", b"2"]),
    ],
)
def test_spellings(text: str, elements: list[bytes | None]) -> None:
    assert arrays.split_text(text.encode()) == elements


@pytest.mark.parametrize(
    "text", ["", "a", "{a", "a}", "{a,}", "{,}", "{a}b", '{"a}', '{"a"b}', '{a"b"}', "{a\\}", "{a}}", "{a{b}"]
)
def test_malformed(text: str) -> None:
    error = refusal("text[]", text)
    assert (error.sqlstate, error.message) == ("22P02", "malformed array literal")


@pytest.mark.parametrize("text", ["{{1,2},{3,4}}", "[0:1]={1,2}", " [1:2]={1,2}"])
def test_other_shapes_are_refused_with_a_hint(text: str) -> None:
    error = refusal("int4[]", text)
    assert error.sqlstate == "0A000"
    assert error.hint


def test_elements_are_printed_as_the_server_quotes_them() -> None:
    assert shown("text[]", '{"a","b c","","null","x,y",NULL}') == '{a,"b c","","null","x,y",NULL}'
    assert shown("timestamptz[]", "{2024-02-29 12:00+00}") == '{"2024-02-29 12:00:00+00"}'
    assert shown("numeric(8,2)[]", "{1.5}") == "{1.50}"
    assert shown("char(3)[]", "{a}") == '{"a  "}'


def test_elements_obey_their_type() -> None:
    assert sqlstate("int2[]", "{1,70000}") == "22003"
    assert sqlstate("varchar(2)[]", "{abc}") == "22001"
    assert sqlstate("uuid[]", "{x}") == "22P02"


def test_array_in_another_encoding() -> None:
    latin = settings(encoding="latin-1")
    plain = canonical("text[]", "{é}".encode("latin-1"), latin)
    assert plain == canonical("text[]", "{é}")
    assert codec_of("text[]").to_text(plain, latin) == "{é}".encode("latin-1")
    assert codec_of("text[]").to_binary(plain, latin)[-1:] == b"\xe9"


def test_binary_of_another_element_type_or_shape() -> None:
    with pytest.raises(InvalidValue) as caught:
        codec_of("int4[]").from_binary(sent("int8[]", "{1}"), ISO)
    assert caught.value.sqlstate == "42804"
    two_dimensions = struct.pack(">iiI4i", 2, 0, 25, 0, 1, 0, 1)
    from_zero = struct.pack(">iiI2i", 1, 0, 25, 1, 0) + b"\0\0\0\1a"
    assert binary_sqlstate("text[]", two_dimensions) == binary_sqlstate("text[]", from_zero) == "0A000"


@given(st.data())
def test_truncated_binary(data: st.DataObject) -> None:
    whole = arrays.join_binary([b"abc", None, b""], 25)
    length = data.draw(st.integers(0, len(whole) - 1))
    assert binary_sqlstate("text[]", whole[:length]) == "22P03"


def test_a_long_array_that_goes_wrong_at_its_end_takes_one_pass() -> None:
    assert sqlstate("text[]", '{"' + "a" * 1_000_000) == "22P02"
    assert sqlstate("text[]", "{a" + " " * 1_000_000 + "{}") == "22P02"
