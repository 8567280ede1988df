"""The table of logical types, their spellings and modifiers."""

from __future__ import annotations

import pytest

from policy.types import BY_OID, TYPES, LogicalType


@pytest.mark.parametrize(
    ("spelling", "name", "modifier", "array", "shown"),
    [
        ("text", "text", -1, False, "text"),
        ("Character  Varying (50)", "varchar", 54, False, "varchar(50)"),
        ("char", "bpchar", 5, False, "char(1)"),
        ("bpchar", "bpchar", -1, False, "char"),
        ("integer[]", "int4", -1, True, "int4[]"),
        ("numeric(10, 2)", "numeric", 655366, False, "numeric(10,2)"),
        ("numeric(3,-2)", "numeric", ((3 << 16) | (-2 & 0x7FF)) + 4, False, "numeric(3,-2)"),
        ("timestamp(3)", "timestamp", 3, False, "timestamp(3)"),
        ("timestamp with time zone", "timestamptz", -1, False, "timestamptz"),
        ("double precision", "float8", -1, False, "float8"),
    ],
)
def test_types_are_read_as_sql_spells_them(
    spelling: str, name: str, modifier: int, array: bool, shown: str
) -> None:
    parsed = LogicalType.parse(spelling)
    assert parsed == LogicalType(name, modifier, array)
    assert str(parsed) == shown


@pytest.mark.parametrize(
    "spelling",
    ["", "point", "text(5)", "varchar(0)", "varchar(10485761)", "numeric(0)", "numeric(1001)", "int4[][]"],
)
def test_other_types_are_refused(spelling: str) -> None:
    with pytest.raises(ValueError, match="type"):
        LogicalType.parse(spelling)


@pytest.mark.parametrize("row", TYPES.values(), ids=lambda row: row.name)
def test_a_column_and_an_array_of_each_type_are_known_by_oid(row: object) -> None:
    name = getattr(row, "name", "")
    scalar, array = LogicalType(name), LogicalType(name).array_of
    assert LogicalType.from_catalog(scalar.oid, -1) == scalar
    assert LogicalType.from_catalog(array.oid, -1) == array
    assert array.element == scalar
    assert array.storage == "bytea"
    assert array.family != scalar.family


def test_no_oid_stands_for_two_types() -> None:
    assert len(BY_OID) == 2 * len(TYPES)
    assert LogicalType.from_catalog(600, -1) is None


@pytest.mark.parametrize("spelling", ["numeric(10,2)", "text", "timestamptz", "float8", "inet", "uuid[]"])
def test_equal_values_have_equal_bytes(spelling: str) -> None:
    assert LogicalType.parse(spelling).deterministic


@pytest.mark.parametrize("spelling", ["numeric", "json", "jsonb", "interval", "interval[]", "numeric[]"])
def test_equal_values_may_differ_in_bytes(spelling: str) -> None:
    assert not LogicalType.parse(spelling).deterministic


def test_limits_are_seen() -> None:
    assert LogicalType.parse("varchar(12)").length == 12
    assert LogicalType.parse("varchar").length is None
    assert LogicalType.parse("numeric(10,2)").precision_scale == (10, 2)
    assert LogicalType.parse("numeric(3,-2)").precision_scale == (3, -2)
    assert LogicalType.parse("numeric").precision_scale is None
