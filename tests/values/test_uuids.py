"""uuid."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.values.support import binary_sqlstate, canonical, sent, shown, sqlstate


@given(st.uuids())
def test_every_spelling_is_the_same_plaintext(value: UUID) -> None:
    groups = value.hex[:8] + "-" + value.hex[8:16] + "-" + value.hex[16:]
    for text in (str(value), str(value).upper(), value.hex, f"{{{value}}}", groups):
        assert canonical("uuid", text) == sent("uuid", text) == value.bytes
    assert shown("uuid", value.hex.upper()) == str(value)


@pytest.mark.parametrize("text", ["", "a0eebc99", "{" + "0" * 32, "0" * 31 + "g", " " + "0" * 32, "0-" * 16])
def test_what_is_no_uuid(text: str) -> None:
    assert sqlstate("uuid", text) == "22P02"


def test_binary_has_sixteen_bytes() -> None:
    assert binary_sqlstate("uuid", bytes(15)) == "22P03"
