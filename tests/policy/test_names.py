"""Names with dots and quotes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy import names

NAMES = st.lists(st.text(min_size=1), min_size=1, max_size=3)


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("users", ("users",)),
        ("sales.Users", ("sales", "Users")),
        ('sales."first.name"', ("sales", "first.name")),
        ('"a""b".c', ('a"b', "c")),
        ("two words", ("two words",)),
    ],
)
def test_a_name_is_split_at_its_dots_and_no_case_is_folded(written: str, parts: tuple[str, ...]) -> None:
    assert names.split(written) == parts


@pytest.mark.parametrize("written", ["", ".", "a.", ".a", "a..b", '"', '""', '"a', 'a"b', '"a"b', '"a"."'])
def test_what_is_no_name_is_none(written: str) -> None:
    assert names.split(written) is None


@given(NAMES)
def test_what_was_joined_can_be_split(parts: list[str]) -> None:
    assert names.split(names.qualified(*parts)) == tuple(parts)


@given(NAMES, NAMES)
def test_no_two_lists_of_names_are_written_alike(one: list[str], other: list[str]) -> None:
    assert (names.qualified(*one) == names.qualified(*other)) == (one == other)
