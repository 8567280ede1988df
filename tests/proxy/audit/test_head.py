"""The head of a trail: what it says is what was sealed, or nothing."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.audit.chain import ChainKeys, UnknownChainKey
from proxy.audit.head import SIZE, Head, HeadAltered, pack, unpack
from tests.proxy.audit.trails import KEYS, NEW, OLD

HEAD = Head("0123456789abcdef", 42, "ab" * 32, OLD.id, 1234, 1_700_000_000.5, sealed=False)


def test_there_and_back() -> None:
    data = pack(HEAD, OLD)
    assert len(data) == SIZE
    assert unpack(data, KEYS.find) == HEAD
    assert unpack(b"", KEYS.find) is None


@given(at=st.integers(0, SIZE - 1), bit=st.integers(0, 7))
def test_any_other_bit_changes_nothing_or_is_found(at: int, bit: int) -> None:
    data = bytearray(pack(HEAD, OLD))
    data[at] ^= 1 << bit
    with suppress(HeadAltered, UnknownChainKey):
        assert unpack(bytes(data), KEYS.find) == HEAD  # white space


@pytest.mark.parametrize("data", [b"x", b"{}", b"[]", b"null", b'{"seal": 1}', b"\xff", b"[" * 20_000])
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(HeadAltered):
        unpack(data, KEYS.find)


def test_a_key_that_is_not_there() -> None:
    with pytest.raises(UnknownChainKey, match="0a0a0a0a is not known here"):
        unpack(pack(HEAD, OLD), ChainKeys([NEW]).find)
