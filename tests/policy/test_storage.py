"""Which columns can hold ciphertext, and how long it gets."""

from __future__ import annotations

import re

import pytest

from crypto.envelope import SUITES, ascii_size
from policy import storage
from policy.model import ALGORITHMS, Mode
from policy.types import LogicalType
from tests.policy.samples import column


@pytest.mark.parametrize("algorithm", SUITES)
@pytest.mark.parametrize("length", [0, 1, 2, 3, 100, 1021])
def test_the_length_of_ciphertext_is_that_of_the_envelope(algorithm: str, length: int) -> None:
    assert storage.ascii_length(length, algorithm) == ascii_size(algorithm, length)


def test_the_algorithms_of_the_policy_are_those_of_the_envelope() -> None:
    for mode, algorithms in ALGORITHMS.items():
        for algorithm in algorithms:
            assert SUITES[algorithm].deterministic == (mode is Mode.DETERMINISTIC)
    assert set(storage.ENVELOPE_OVERHEAD) == set(SUITES)


@pytest.mark.parametrize("length", [1, 254, storage.LONGEST])
def test_a_widened_column_remembers_its_length_and_holds_any_ciphertext(length: int) -> None:
    wide = column("c", 1, f"varchar({storage.widened(length)})")
    logical = LogicalType.parse(f"varchar({length})")
    assert storage.logical_of(wide) == logical
    for algorithm in storage.ENVELOPE_OVERHEAD:
        needed = storage.needed_length(logical, algorithm)
        assert needed is not None
        assert needed <= storage.widened(length)
        assert storage.problem(wide, logical, algorithm) is None


@pytest.mark.parametrize("own", ["text", "varchar", "varchar(255)", "varchar(8000000)", "char(9)", "bytea"])
def test_any_other_column_has_its_own_type(own: str) -> None:
    assert storage.logical_of(column("c", 1, own)) == LogicalType.parse(own)


@pytest.mark.parametrize("characters", range(40, 90))
def test_what_fits_fits_and_one_more_byte_does_not(characters: int) -> None:
    fits = storage.plaintext_bytes(characters, "aes-siv")
    assert storage.ascii_length(fits, "aes-siv") <= characters < storage.ascii_length(fits + 1, "aes-siv")


@pytest.mark.parametrize(
    ("own", "logical"),
    [
        ("text", "text"),
        ("text", "varchar(10)"),
        ("text", "char(10)"),
        ("varchar", "text"),
        ("varchar(500)", "varchar(50)"),
        ("bpchar", "char(3)"),
        ("bytea", "bytea"),
        ("bytea", "date"),
        ("bytea", "text[]"),
        ("json", "json"),
        ("jsonb", "jsonb"),
    ],
)
def test_columns_that_hold_ciphertext(own: str, logical: str) -> None:
    assert storage.problem(column("c", 1, own), LogicalType.parse(logical), "aes-256-gcm") is None


@pytest.mark.parametrize(
    ("own", "logical", "says"),
    [
        (
            "date",
            "date",
            "it is of type date, and ciphertext of date is kept in bytea: change the column to bytea",
        ),
        ("text", "date", "it is of type text, and ciphertext of date is kept in bytea"),
        ("bytea", "text", "it is of type bytea, and ciphertext of text is kept in text or varchar"),
        ("text[]", "text[]", r"it is of type text\[\], and ciphertext of text\[\] is kept in bytea"),
        ("json", "jsonb", "it is of type json, and ciphertext of jsonb is kept in jsonb"),
        (
            "char(200)",
            "char(10)",
            r"which would pad ciphertext with blanks: change the column to text .*char\(10\)",
        ),
        (
            "varchar(51)",
            "varchar(1)",
            "and the shortest ciphertext has 52 characters: change the column to text",
        ),
        ("point", "text", "its type point cannot be protected"),
    ],
)
def test_columns_that_do_not_hold_it_say_what_to_do(own: str, logical: str, says: str) -> None:
    problem = storage.problem(column("c", 1, own), LogicalType.parse(logical), "aes-256-gcm")
    assert problem is not None
    assert re.search(says, problem)


@pytest.mark.parametrize("spelling", ["text", "varchar", "varchar(5)[]", "int4"])
def test_a_type_without_a_limit_needs_no_particular_length(spelling: str) -> None:
    assert storage.needed_length(LogicalType.parse(spelling), "aes-siv") is None


def test_a_limit_is_in_characters_of_up_to_four_bytes() -> None:
    assert storage.needed_length(LogicalType.parse("varchar(10)"), "aes-siv") == storage.ascii_length(
        40, "aes-siv"
    )


def test_a_numeric_needs_a_scale_to_be_deterministic() -> None:
    assert "write numeric(p, s)" in str(storage.mode_problem(Mode.DETERMINISTIC, LogicalType("numeric")))
    assert storage.mode_problem(Mode.DETERMINISTIC, LogicalType.parse("numeric(9,2)")) is None
    assert storage.mode_problem(Mode.RANDOMIZED, LogicalType("numeric")) is None
