"""bytea: hex and escape format in, hex out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.values.support import canonical, sent, shown, sqlstate


@given(st.binary())
def test_hex_comes_back(data: bytes) -> None:
    text = "\\x" + data.hex()
    assert canonical("bytea", text) == sent("bytea", text) == data
    assert canonical("bytea", text.upper().replace("\\X", "\\x")) == data
    assert shown("bytea", text) == text


@given(st.binary())
def test_escapes_are_read(data: bytes) -> None:
    escaped = b"".join(b"\\%03o" % byte for byte in data)
    assert canonical("bytea", escaped) == data


def test_escape_format_keeps_what_is_no_escape() -> None:
    assert canonical("bytea", "a\\\\b") == b"a\\b"
    assert canonical("bytea", "é") == "é".encode()
    assert canonical("bytea", "\\x 00 ff\n") == b"\0\xff"


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("\\x0", "22023"),
        ("\\xzz", "22023"),
        ("\\400", "22P02"),
        ("\\1", "22P02"),
        ("a\\", "22P02"),
        ("\\X00", "22P02"),
    ],
)
def test_what_the_server_refuses(text: str, state: str) -> None:
    assert sqlstate("bytea", text) == state
