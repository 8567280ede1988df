"""Records of keys: their states, their counts, and what they say of themselves."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord, merge

RECORD = KeyRecord(
    id=UUID("01020304-0506-4708-890a-0b0c0d0e0f10"),
    key_type=KeyType.FEK,
    name="users.email",
    version=2,
    parent_id=UUID("11121314-1516-4718-991a-1b1c1d1e1f20"),
    algorithm="aes-siv",
    state=KeyState.ACTIVE,
    encrypted_key=b"WRAPPED",
    key_hash=b"HASH",
)


def test_the_short_id_is_what_envelopes_name() -> None:
    assert RECORD.short_id == b"\x01\x02\x03\x04"


def test_identity_to_the_byte() -> None:
    """It is what wrapped keys are bound to: never to be changed."""
    assert RECORD.identity == (
        b"\x00\x0dpgveil v1 key\x00\x03fek\x00\x0busers.email\x00\x012\x00\x07aes-siv"
        b"\x00\x10\x01\x02\x03\x04\x05\x06\x47\x08\x89\x0a\x0b\x0c\x0d\x0e\x0f\x10"
        b"\x00\x10\x11\x12\x13\x14\x15\x16\x47\x18\x99\x1a\x1b\x1c\x1d\x1e\x1f\x20"
    )
    assert replace(RECORD, parent_id=None).identity.endswith(b"\x0f\x10\x00\x00")


def test_state_and_count_are_no_part_of_the_identity() -> None:
    assert RECORD.advanced(KeyState.RETIRING).counted(5).identity == RECORD.identity


def test_a_destroyed_key_is_gone_and_its_row_remains() -> None:
    destroyed = RECORD.advanced(KeyState.RETIRING).advanced(KeyState.DESTROYED)
    assert destroyed.encrypted_key is None
    assert destroyed.name == "users.email"
    with pytest.raises(ValueError, match="active cannot become destroyed"):
        RECORD.advanced(KeyState.DESTROYED)


def test_counts_add_up_and_leave_other_metadata_alone() -> None:
    record = replace(RECORD, metadata={"owner": "security"}).counted(64).counted(64)
    assert record.encryptions == 128
    assert record.metadata["owner"] == "security"
    assert RECORD.encryptions == 0


def test_merging_adds_and_replaces() -> None:
    other = replace(RECORD, id=UUID(int=2))
    changed = RECORD.counted(1)
    assert merge([RECORD], [other, changed]) == (changed, other)


def test_repr_shows_no_key_not_even_a_wrapped_one() -> None:
    assert "WRAPPED" not in repr(RECORD)
    assert "HASH" not in repr(RECORD)
