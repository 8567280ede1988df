"""Wrapped keys: open with the same key and context only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import DecryptionError
from crypto.wrapping import WrappingKey
from tests.crypto.schemes import changed_bits

WRAPPING = WrappingKey(bytes(32))


@given(st.binary(), st.binary())
def test_what_is_wrapped_unwraps(key: bytes, context: bytes) -> None:
    wrapped = WRAPPING.wrap(key, context)
    assert len(wrapped) == 1 + 12 + len(key) + 16
    assert WRAPPING.unwrap(wrapped, context) == key


def test_a_frozen_wrap_opens_for_ever() -> None:
    wrapped = bytes.fromhex(
        "01000102030405060708090a0b31b147260285e232fa6b49ea8660b30fe96f1b7be72245008fb576756a0e7aab"
    )
    assert WRAPPING.unwrap(wrapped, b"context") == b"sixteen byte key"


def test_another_context_or_key_does_not_unwrap() -> None:
    wrapped = WRAPPING.wrap(b"key", b"this row")
    with pytest.raises(DecryptionError):
        WRAPPING.unwrap(wrapped, b"that row")
    with pytest.raises(DecryptionError):
        WrappingKey(bytes([1]) * 32).unwrap(wrapped, b"this row")


def test_no_changed_bit_and_no_cut_goes_unnoticed() -> None:
    wrapped = WRAPPING.wrap(b"key", b"row")
    for changed in [*changed_bits(wrapped, 0), *(wrapped[:n] for n in range(len(wrapped)))]:
        with pytest.raises(DecryptionError):
            WRAPPING.unwrap(changed, b"row")
