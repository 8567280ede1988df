"""All codecs together: one a type, shared, and no error that repeats a value."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.types import TYPES, LogicalType
from proxy.errors import ServerError
from proxy.values import Codec, Settings, codec
from proxy.values.codec import bad_binary, bad_syntax, out_of_range
from proxy.values.settings import UTF8
from proxy.values.spaces import strip
from proxy.values.table import CODECS
from tests.values.support import ISO, settings

EVERY_TYPE = [LogicalType(name, array=array) for name in TYPES for array in (False, True)]


def test_one_codec_a_type() -> None:
    assert set(CODECS) == set(TYPES)
    for type_ in EVERY_TYPE:
        assert isinstance(codec(type_), Codec)
        assert codec(type_) is codec(LogicalType(type_.name, array=type_.array))


def outcome(read: Callable[[bytes, Settings], bytes], raw: bytes) -> bytes | ServerError:
    """What comes of reading a value; any other exception fails the test."""
    try:
        return read(raw, ISO)
    except ServerError as error:
        return error


def assert_comes_back(one: Codec, plain: bytes) -> None:
    """Text and binary of a value are read as the same value, and the flags tell the truth."""
    text, binary = one.to_text(plain, ISO), one.to_binary(plain, ISO)
    assert one.from_text(text, ISO) == one.from_binary(binary, ISO) == plain
    assert not one.text_is_canonical or text == plain
    assert not one.binary_is_canonical or binary == plain


@pytest.mark.parametrize("type_", EVERY_TYPE, ids=str)
@given(st.text(st.characters(codec="utf-8")) | st.text('0123456789-+:.,{}"\\ eTZxabcdefn'))
def test_any_text_is_read_or_refused_in_postgresqls_terms(type_: LogicalType, text: str) -> None:
    result = outcome(codec(type_).from_text, text.encode())
    if isinstance(result, bytes):
        assert_comes_back(codec(type_), result)
    else:
        assert result.sqlstate[:2] in ("22", "0A", "54")


@pytest.mark.parametrize("type_", EVERY_TYPE, ids=str)
@pytest.mark.parametrize(
    "text", ["canary", "{canary", '{"canary": ', "canary\\", "1 canary", "\\xcanary", "{{canary}}"]
)
def test_no_error_repeats_the_value(type_: LogicalType, text: str) -> None:
    result = outcome(codec(type_).from_text, text.encode())
    if isinstance(result, ServerError):
        assert "canary" not in f"{result.message} {result.detail} {result.hint} {result!r}"
        assert result.__cause__ is None
        assert result.__suppress_context__ or result.__context__ is None


@pytest.mark.parametrize("type_", EVERY_TYPE, ids=str)
@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused_in_postgresqls_terms(type_: LogicalType, raw: bytes) -> None:
    result = outcome(codec(type_).from_binary, raw)
    if isinstance(result, bytes):
        assert_comes_back(codec(type_), result)
    else:
        assert result.sqlstate[:2] in ("22", "42", "0A")


def test_errors_are_postgresqls() -> None:
    assert (bad_syntax("uuid").sqlstate, bad_binary().sqlstate) == ("22P02", "22P03")
    assert out_of_range("integer").message == "integer out of range"
    assert strip(b" \v\f\r\n\t x \n") == b"x"
    assert settings(encoding="latin-1").in_utf8().encoding == UTF8
    assert ISO.in_utf8() is ISO
