"""What stands in a record: names that are not too long, in one order, with their times."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from proxy.audit.record import EVENTS, LONGEST, clipped, fields_of, timestamp


@given(st.text(max_size=2000))
def test_texts_are_cut_to_a_length_in_bytes(text: str) -> None:
    cut = clipped(text)
    assert len(json.dumps(cut)) <= LONGEST
    assert cut == text or (cut.endswith("...") and text.startswith(cut[:-3]))


def test_what_is_none_is_left_out() -> None:
    assert fields_of({"a": None, "b": 0, "c": ""}) == (("b", 0), ("c", ""))


def test_times() -> None:
    assert timestamp(0) == "1970-01-01T00:00:00.000000Z"
    assert timestamp(1_700_000_000.123456) == "2023-11-14T22:13:20.123456Z"


def test_events_have_names_of_their_own() -> None:
    assert len(set(EVENTS)) == len(EVENTS)
