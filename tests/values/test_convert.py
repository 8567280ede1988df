"""Parameters that the client declares with a type of its own: read by it, then assigned to the field."""

from __future__ import annotations

import struct

import pytest

from policy.types import BY_OID, TYPES, LogicalType
from proxy.errors import InvalidValue
from proxy.values import convert
from proxy.values.casts import cast
from proxy.values.convert import assign, declared, readers
from tests.values.support import ISO, canonical, settings

TEXT, BINARY = 0, 1


def converted(raw: str | bytes, source: str, target: str, fmt: int = TEXT, zone: str = "UTC") -> bytes:
    """A parameter that is declared as `source` (an empty name: not at all), for a field of type `target`."""
    kind = LogicalType.parse(source) if source else None
    data = raw.encode() if isinstance(raw, str) else raw
    return convert(data, fmt, kind.oid if kind else 0, LogicalType.parse(target), settings(time_zone=zone))


def refused(raw: str | bytes, source: str, target: str) -> str:
    with pytest.raises(InvalidValue) as caught:
        converted(raw, source, target)
    return caught.value.sqlstate


@pytest.mark.parametrize("source", ["", "int4", "text", "varchar"])
def test_the_own_type_none_or_a_string_is_read_as_the_field(source: str) -> None:
    assert converted("42", source, "int4") == canonical("int4", "42")


def test_unknown_is_no_type() -> None:
    assert convert(b"42", TEXT, 705, LogicalType("int4"), ISO) == canonical("int4", "42")
    assert convert(struct.pack(">i", 42), BINARY, 705, LogicalType("int4"), ISO) == canonical("int4", "42")


@pytest.mark.parametrize(
    ("raw", "source", "target", "stored"),
    [
        ("42", "int8", "int2", "42"),
        ("42", "int4", "numeric(8,2)", "42.00"),
        ("2.5", "float8", "int4", "2"),  # half to even
        ("2.5", "numeric", "int4", "3"),  # half away from zero
        ("0.123456789012345678", "float8", "numeric", "0.123456789012346"),
        ("0.1", "float4", "float8", "0.10000000149011612"),
        ("16777217", "int4", "float4", "16777216"),
        ("2024-02-29 23:00", "timestamp", "date", "2024-02-29"),
        ("2024-02-29", "date", "timestamp", "2024-02-29 00:00"),
        ("infinity", "date", "timestamp", "infinity"),
        ("25:00:00", "interval", "time", "01:00"),
        ("01:00", "time", "interval", "01:00:00"),
        ('{"b":1, "a":2}', "json", "jsonb", '{"a": 2, "b": 1}'),
        ("t", "bool", "text", "true"),
        ("10.0.0.1", "inet", "text", "10.0.0.1/32"),
        ("1.50", "numeric", "varchar(9)", "1.50"),
        ("{1,2}", "int4[]", "text", "{1,2}"),
        ("{1,NULL}", "int8[]", "numeric(8,2)[]", "{1.00,NULL}"),
    ],
)
def test_assignment_casts(raw: str, source: str, target: str, stored: str) -> None:
    assert converted(raw, source, target) == canonical(target, stored)


def test_local_times_are_the_sessions() -> None:
    berlin = "Europe/Berlin"
    assert converted("2024-07-01 12:00", "timestamp", "timestamptz", zone=berlin) == canonical(
        "timestamptz", "2024-07-01 10:00Z"
    )
    assert converted("2024-07-01 23:00Z", "timestamptz", "date", zone=berlin) == canonical(
        "date", "2024-07-02"
    )
    assert converted("2024-07-01", "date", "timestamptz", zone=berlin) == canonical(
        "timestamptz", "2024-06-30 22:00Z"
    )


def test_binary_is_read_by_the_declared_type() -> None:
    assert converted(struct.pack(">d", 7.0), "float8", "int8", BINARY) == canonical("int8", "7")
    assert converted(struct.pack(">h", 7), "int2", "int8", BINARY) == canonical("int8", "7")
    assert converted(b"7", "text", "int8", BINARY) == canonical("int8", "7")


def test_char_loses_its_padding_on_the_way() -> None:
    assert convert(b"ab  ", TEXT, 1042, LogicalType("text"), ISO) == b"ab"


def test_cidr_is_an_inet() -> None:
    assert convert(b"10.0.0.0/8", TEXT, 650, LogicalType("inet"), ISO) == canonical("inet", "10.0.0.0/8")


@pytest.mark.parametrize(
    ("raw", "source", "target", "state"),
    [
        ("40000", "int4", "int2", "22003"),
        ("1e300", "float8", "float4", "22003"),
        ("NaN", "numeric", "int4", "0A000"),
        ("NaN", "float8", "int4", "22003"),
        ("5874897-12-31", "date", "timestamp", "22008"),
        ("infinity", "timestamp", "time", "22008"),
        ("t", "bool", "int4", "42804"),
        ("1", "int4", "bool", "42804"),
        ("1", "int4", "date", "42804"),
        ("{1}", "int4[]", "int4", "42804"),
    ],
)
def test_what_the_server_would_refuse(raw: str, source: str, target: str, state: str) -> None:
    assert refused(raw, source, target) == state


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(InvalidValue) as caught:
        convert(b"x", TEXT, 4_000_000_000, LogicalType("text"), ISO)
    assert caught.value.sqlstate == "42804"


def test_every_type_is_cast_to_text_and_to_itself() -> None:
    for oid in BY_OID:
        source = declared(oid)
        assert source is not None
        text, binary = readers(oid, LogicalType("text"))
        assert callable(text)
        assert callable(binary)
    for name in TYPES:
        assert cast(name, "text") is not None
    assert cast("uuid", "int4") is None
    whole = canonical("numeric", "1.5")
    assert assign(whole, LogicalType("numeric"), LogicalType.parse("numeric(8,2)"), ISO) == b"1.50"
