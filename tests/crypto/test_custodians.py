"""A secret among several people: enough of them bring it back, fewer do not, and a wrong share is named."""

from __future__ import annotations

import itertools
import sys

import pytest

from crypto.custodians import Shares, join, split
from crypto.errors import ProviderError

SECRET = bytes(range(32))


@pytest.fixture(scope="module")
def shares() -> Shares:
    return split(SECRET, 5, 3)


def test_any_three_of_five_bring_it_back(shares: Shares) -> None:
    for chosen in itertools.combinations(shares.words, 3):
        assert join({str(n): words for n, words in enumerate(chosen)}, shares.checks, 3) == SECRET
    everybody = {str(n): f"  {words.upper()}\n" for n, words in enumerate(shares.words)}
    assert join(everybody, shares.checks, 3) == SECRET


def test_two_are_not_enough_and_one_of_them_twice_is_no_third(shares: Shares) -> None:
    a, b, *_ = shares.words
    for given in ({}, {"a": a}, {"a": a, "b": b}, {"a": a, "b": b, "again": a}):
        with pytest.raises(ProviderError, match=r"3 different shares are needed, and [012] are given"):
            join(given, shares.checks, 3)


def test_a_share_of_another_export_is_named(shares: Shares) -> None:
    other = split(SECRET, 5, 3).words[0]
    with pytest.raises(ProviderError) as told:
        join({"ada": shares.words[0], "bob": other, "eve": shares.words[1]}, shares.checks, 3)
    assert str(told.value) == "bob: is a share of another export"


def test_every_share_that_was_copied_badly_is_named(shares: Shares) -> None:
    first, second, *rest = shares.words
    swapped = first.split()
    swapped[10], swapped[11] = swapped[11], swapped[10]
    given = {"ada": " ".join(swapped), "bob": second.rsplit(" ", 1)[0], "eve": rest[0], "nobody": ""}
    if swapped[10] == swapped[11]:  # one in a thousand: the same word twice
        swapped[10] = "academic"
    with pytest.raises(ProviderError) as told:
        join(given, shares.checks, 3)
    lines = str(told.value).split("\npgveil: ")
    assert [line.partition(":")[0] for line in lines] == ["ada", "bob", "nobody"]
    assert not set(str(told.value).split()) & set(first.split()) - {"is", "a", "in", "or", "another"}


@pytest.mark.parametrize(("shares", "threshold"), [(1, 1), (5, 1), (5, 6), (17, 3), (0, 0)])
def test_numbers_that_make_no_sense(shares: int, threshold: int) -> None:
    with pytest.raises(ValueError, match="at most 16 shares"):
        split(SECRET, shares, threshold)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shamir_mnemonic", None)
    with pytest.raises(ProviderError, match=r"pip install 'pgveil\[custodians\]'"):
        split(SECRET, 5, 3)
