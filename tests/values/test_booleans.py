"""bool: every spelling of PostgreSQL's, and no other."""

from __future__ import annotations

import pytest

from tests.values.support import ISO, binary_sqlstate, canonical, codec_of, refusal, shown


@pytest.mark.parametrize("text", ["t", "T", "tr", "true", " TRUE ", "y", "yes", "on", "1"])
def test_true(text: str) -> None:
    assert canonical("bool", text) == b"\1"
    assert shown("bool", text) == "t"


@pytest.mark.parametrize("text", ["f", "fal", "false", "n", "NO", "of", "off", "0"])
def test_false(text: str) -> None:
    assert canonical("bool", text) == b"\0"
    assert shown("bool", text) == "f"


@pytest.mark.parametrize("text", ["", "o", "2", "truee", "yess", "tru e", "01"])
def test_neither(text: str) -> None:
    error = refusal("bool", text)
    assert (error.sqlstate, error.message) == ("22P02", "invalid input syntax for type boolean")


def test_any_byte_but_zero_is_true() -> None:
    assert codec_of("bool").from_binary(b"\x07", ISO) == b"\1"
    assert binary_sqlstate("bool", b"") == binary_sqlstate("bool", b"\1\1") == "22P03"
