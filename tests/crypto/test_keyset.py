"""The life of a key version goes one way."""

from __future__ import annotations

import itertools

import pytest

from crypto.keyset import KeyState

ALLOWED = {("pending", "active"), ("pending", "destroyed"), ("active", "retiring"), ("retiring", "destroyed")}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(KeyState, repeat=2)))
def test_every_step(old: KeyState, new: KeyState) -> None:
    if (old.value, new.value) in ALLOWED:
        assert old.advance(new) is new
    else:
        with pytest.raises(ValueError, match=f"{old.value} cannot become {new.value}"):
            old.advance(new)


def test_only_a_destroyed_key_does_not_open() -> None:
    assert [state for state in KeyState if not state.opens] == [KeyState.DESTROYED]
