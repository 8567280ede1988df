"""Records found by what they are, and new ones that fit among them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crypto.errors import KeystoreError
from crypto.keyset import KeyState, KeyType
from crypto.record_index import RecordIndex


def test_the_newest_version_of_a_state_is_found() -> None:
    index, made = RecordIndex(()), []
    for _ in range(3):
        made.append(index.blank(KeyType.FEK, "a", "aes-siv", None, KeyState.RETIRING))
        index.add(made[-1])
    assert [record.version for record in made] == [1, 2, 3]
    for records in (made, made[::-1]):
        found = RecordIndex(records)
        assert found.find(KeyType.FEK, "a", "aes-siv", KeyState.RETIRING) is made[2]
        assert found.find(KeyType.DEK, "a", "aes-siv", KeyState.RETIRING) is None
        assert found.get(made[0].id) is made[0]
        with pytest.raises(KeystoreError, match=r"fek 'a' has no active version"):
            found.require(KeyType.FEK, "a", "aes-siv", KeyState.ACTIVE)


def test_new_records_count_on_and_have_ids_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    first = RecordIndex(()).blank(KeyType.FEK, "a", "aes-siv", None)
    index = RecordIndex([replace(first, version=7)])
    drawn = iter([first.id, RecordIndex(()).blank(KeyType.DEK, "b", "aes-siv", None).id])
    monkeypatch.setattr("crypto.record_index.uuid4", lambda: next(drawn))
    made = index.blank(KeyType.FEK, "a", "aes-256-gcm", first)
    assert (made.version, made.parent_id, made.state) == (8, first.id, KeyState.ACTIVE)
    assert made.short_id != first.short_id
