"""What is looked for: equal to a stored value's canonical bytes exactly where PostgreSQL's `=` holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.types import LogicalType
from proxy.errors import InvalidValue
from proxy.values import comparand
from tests.values.support import canonical, settings


def found(field: str, stored: str, raw: str, source: str = "", zone: str = "UTC") -> bool:
    """Whether a search for a parameter, declared as `source`, finds a stored value."""
    session = settings(time_zone=zone)
    oid = LogicalType.parse(source).oid if source else 0
    looked_for = comparand(raw.encode(), 0, oid, LogicalType.parse(field), session)
    return looked_for == canonical(field, stored, session)


def refused(field: str, raw: str, source: str = "", zone: str = "UTC") -> str:
    with pytest.raises(InvalidValue) as caught:
        found(field, "", raw, source, zone)
    return caught.value.sqlstate


def test_a_comparison_does_not_round() -> None:
    assert found("numeric(8,2)", "1.50", "1.5")
    assert found("numeric(8,2)", "1.50", "1.500")
    assert not found("numeric(8,2)", "1.23", "1.234")
    assert not found("timestamp(0)", "2024-01-01 00:00:01", "2024-01-01 00:00:00.9")
    assert not found("varchar(3)", "abc", "abc ")


def test_what_no_stored_value_can_equal_is_no_error() -> None:
    assert not found("int2", "1", "100000", "int4")
    assert not found("numeric(4,2)", "1", "1000")
    assert not found("varchar(3)", "abc", "abcdef")
    assert not found("char(3)", "abc", "abcdef")
    assert not found("date", "2024-01-01", "2024-01-01 10:00", "timestamp")


@given(st.integers(-(2**31), 2**31 - 1))
def test_integers_of_any_kind_of_number(number: int) -> None:
    for source in ("", "int4", "int8", "numeric", "float8"):
        assert found("int4", str(number), str(number), source)
        assert (
            not found("int4", str(number), f"{number}.5", source) if source in ("numeric", "float8") else True
        )


@given(st.integers(-(10**8), 10**8).map(lambda cents: f"{cents / 100:.2f}"))
def test_numerics_of_floats(text: str) -> None:
    assert found("numeric(12,2)", text, text, "float8")
    assert found("float8", text, text, "numeric")


def test_floats_of_another_width_are_not_rounded() -> None:
    assert not found("float4", "0.1", "0.1", "float8")
    assert found("float4", "0.5", "0.5", "float8")
    assert found("float8", "0.10000000149011612", "0.1", "float4")
    assert not found("float4", "16777216", "16777217", "int4")
    assert found("float8", "NaN", "NaN", "numeric")


def test_char_ignores_trailing_spaces_but_not_against_text() -> None:
    assert found("char(4)", "ab", "ab  ")
    assert found("char(4)", "ab", "ab  ", "varchar")
    assert not found("char(4)", "ab", "ab  ", "text")


def test_dates_are_midnights() -> None:
    berlin = "Europe/Berlin"
    assert found("date", "2024-07-01", "2024-07-01 00:00", "timestamp")
    assert found("date", "2024-07-01", "2024-06-30 22:00Z", "timestamptz", berlin)
    assert found("timestamptz", "2024-07-01 00:00+02", "2024-07-01", "date", berlin)
    assert found("timestamp", "2024-07-01 00:00", "2024-06-30 22:00Z", "timestamptz", berlin)
    assert found("timestamp", "infinity", "infinity", "date")


def test_arrays_are_compared_element_by_element() -> None:
    assert found("numeric(8,2)[]", "{1.50,NULL}", "{1.5,NULL}")
    assert found("int4[]", "{1,2}", "{1,2}", "int8[]")


@pytest.mark.parametrize(
    ("field", "raw", "source"),
    [
        ("int8", "9007199254740992", "float8"),
        ("numeric(20,4)", "9007199254740992", "float8"),
        ("varchar(5)", "a", "char"),
    ],
)
def test_what_may_equal_several_stored_values_is_refused(field: str, raw: str, source: str) -> None:
    assert refused(field, raw, source) == "0A000"


def test_a_moment_that_two_local_times_stand_for_is_refused() -> None:
    assert refused("timestamp", "2024-03-31 01:30Z", "timestamptz", "Europe/Berlin") == "0A000"


@pytest.mark.parametrize(
    ("field", "source"), [("uuid", "int4"), ("text", "int4"), ("bool", "int4"), ("int4", "int4[]")]
)
def test_types_with_no_such_operator(field: str, source: str) -> None:
    assert refused(field, "{}" if source.endswith("]") else "1", source) == "42883"


def test_a_malformed_value_is_an_error_all_the_same() -> None:
    assert refused("int4", "x") == "22P02"
    assert refused("int4", "99999999999") == "22003"
