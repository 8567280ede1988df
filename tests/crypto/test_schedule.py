"""When which key is to be rotated: a story of one keystore, told by its records and a clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crypto.hierarchy import DEK_ALGORITHM
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord, Records
from crypto.master_rotation import RENEWED_AT
from crypto.nonces import ROTATE_AT, WARN_AT
from crypto.record_index import RecordIndex
from crypto.rotation import RETIRED_AT, FieldVersion
from crypto.schedule import Schedule, Turn, Work, turns

DAY = 86400.0
START = datetime(2026, 1, 1, tzinfo=UTC)
EMAIL = FieldVersion("public.users.email", "aes-256-gcm")
PHONE = FieldVersion("public.users.phone", "aes-siv")
SCHEDULE = Schedule({EMAIL: 30 * DAY, PHONE: 30 * DAY}, 90 * DAY, 365 * DAY, 7 * DAY, automatic=True)


def keystore(**of_email: Any) -> Records:
    """A master reference, a DEK and its two field keys, all made at START."""
    index = RecordIndex(())
    master = index.blank(KeyType.MASTER, "local:1", "local", None)
    dek = index.blank(KeyType.DEK, "public.users", DEK_ALGORITHM, master)
    email, phone = (index.blank(KeyType.FEK, f.name, f.algorithm, dek) for f in (EMAIL, PHONE))
    return tuple(replace(r, created_at=START) for r in (master, dek, replace(email, **of_email), phone))


def due(
    records: Records, days: float, schedule: Schedule = SCHEDULE, *, versioned: bool = False
) -> Mapping[Work, list[Turn]]:
    now = START + timedelta(days=days)
    found = [turn for turn in turns(records, schedule, now, versioned=versioned) if turn.due(now)]
    return {work: [turn for turn in found if turn.work is work] for work in {turn.work for turn in found}}


def test_everything_has_its_time() -> None:
    records = keystore()
    assert due(records, 29.9) == {}
    assert [turn.record.name for turn in due(records, 30)[Work.FIELD]] == [EMAIL.name]
    assert due(records, 89).keys() == {Work.FIELD}
    assert due(records, 90).keys() == {Work.FIELD, Work.TABLE}
    assert due(records, 365).keys() == {Work.FIELD, Work.TABLE, Work.MASTER}
    assert all(turn.automatic for work in (Work.FIELD, Work.TABLE) for turn in due(records, 90)[work])


def test_a_deterministic_key_is_listed_and_neither_due_nor_overdue() -> None:
    found = turns(keystore(), SCHEDULE, START, versioned=False)
    (turn,) = [turn for turn in found if turn.record.name == PHONE.name]
    assert turn.at == START + timedelta(days=30)
    assert not turn.automatic
    assert not turn.overdue(START + timedelta(days=1000))


def test_what_is_overdue_has_been_due_for_a_while() -> None:
    (turn,) = due(keystore(), 30)[Work.FIELD]
    assert turn.at is not None
    assert not turn.overdue(turn.at + timedelta(minutes=30))
    assert turn.overdue(turn.at + timedelta(hours=2))


@pytest.mark.parametrize(("used", "rotated"), [(WARN_AT, False), (ROTATE_AT, True)])
@pytest.mark.parametrize("automatic", [True, False])
def test_a_key_is_rotated_before_its_budget_runs_out(used: int, rotated: bool, automatic: bool) -> None:
    """Whatever the policy says: at the end of it nothing could be written any more."""
    schedule = replace(SCHEDULE, fields={EMAIL: math.inf}, automatic=automatic)
    found = due(keystore(metadata={"encryptions": used}), 1, schedule).get(Work.FIELD, [])
    assert [turn.automatic for turn in found] == [True] * rotated
    assert ROTATE_AT < 1 << 31


def test_what_is_never_rotated_and_what_is_only_told() -> None:
    never = Schedule({EMAIL: math.inf, PHONE: math.inf}, math.inf, math.inf, math.inf, automatic=True)
    assert due(keystore(), 10_000, never) == {}
    found = due(keystore(), 400, replace(SCHEDULE, automatic=False))
    assert {turn.automatic for of in found.values() for turn in of} == {False}
    assert found.keys() == {Work.FIELD, Work.TABLE, Work.MASTER}


def test_a_field_that_the_policy_does_not_name_is_left_alone() -> None:
    assert Work.FIELD not in due(keystore(), 400, replace(SCHEDULE, fields={}))


def test_the_master_key_renews_itself_where_its_provider_can() -> None:
    master, *rest = keystore()
    assert [turn.automatic for turn in due((master, *rest), 365, versioned=True)[Work.MASTER]] == [True]
    assert [turn.automatic for turn in due((master, *rest), 365, versioned=False)[Work.MASTER]] == [False]
    renewed = replace(master, metadata={RENEWED_AT: (START + timedelta(days=300)).isoformat()})
    assert Work.MASTER not in due((renewed, *rest), 400, versioned=True)


def replaced(dek: KeyRecord) -> KeyRecord:
    metadata = {RETIRED_AT: (START + timedelta(days=90)).isoformat()}
    return replace(dek, state=KeyState.RETIRING, metadata=metadata)


def test_a_data_key_that_was_replaced_is_destroyed_after_the_window() -> None:
    master, dek, *feks = keystore()
    new = RecordIndex((master, dek)).blank(KeyType.DEK, dek.name, dek.algorithm, master)
    moved = [replace(fek, parent_id=new.id) for fek in feks]
    assert Work.DESTROY not in due((master, replaced(dek), new, *moved), 96.9)
    (turn,) = due((master, replaced(dek), new, *moved), 97)[Work.DESTROY]
    assert turn.record.id == dek.id


def test_a_data_key_with_keys_under_it_is_kept() -> None:
    master, dek, *feks = keystore()
    assert Work.DESTROY not in due((master, replaced(dek), *feks), 1000)
