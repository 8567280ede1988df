"""Which types are assigned to and compared with which: as a real server says."""

from __future__ import annotations

from itertools import product

import psycopg
import pytest

from policy.conversions import assignable, common_type, comparable, holds, sql_name
from policy.types import TYPES, LogicalType
from proxy.values.casts import cast
from tests.postgres import Database

PAIRS = list(product([*TYPES, "text[]", "varchar[]", "int4[]", "int8[]", "date[]", "timestamp[]"], repeat=2))


def _works(connection: psycopg.Connection[tuple[object, ...]], sql: str, sqlstate: str) -> bool:
    try:
        connection.execute(sql)
    except psycopg.errors.lookup(sqlstate):
        return False
    return True


def test_the_tables_are_the_servers(database18: Database) -> None:
    with database18.connect() as connection:
        for name in {name for name, _ in PAIRS}:
            connection.execute(f'CREATE TEMP TABLE "t_{name}" (v {name})')
        for one, other in PAIRS:
            source, target = LogicalType.parse(one), LogicalType.parse(other)
            equal = _works(connection, f"SELECT NULL::{one} = NULL::{other}", "42883")
            assert comparable(source, target) == equal, (one, other)
            stored = _works(connection, f'INSERT INTO "t_{other}" SELECT NULL::{one}', "42804")
            assert assignable(source, target) == stored, (one, other)


@pytest.mark.parametrize(("one", "other"), [pair for pair in PAIRS if pair[0] != pair[1]])
def test_what_is_assignable_can_be_converted(one: str, other: str) -> None:
    source, target = LogicalType.parse(one), LogicalType.parse(other)
    if source.array and target.array:
        source, target = source.element, target.element
    found = cast(f"{source.name}{'[]' * source.array}", f"{target.name}{'[]' * target.array}")
    assert assignable(source, target) == (found is not None or source == target)


def test_alternatives_have_the_type_that_the_server_gives_them(database18: Database) -> None:
    with database18.connect() as connection:
        for one, other in PAIRS:
            common = common_type([LogicalType.parse(one), LogicalType.parse(other)])
            try:
                sql = f"SELECT pg_typeof(COALESCE(NULL::{one}, NULL::{other}))::text"
                row = connection.execute(sql).fetchone()
            except (psycopg.errors.DatatypeMismatch, psycopg.errors.CannotCoerce):
                row = None
            assert row == (common and (sql_name(common),)), (one, other)


def test_names_are_those_of_messages(database18: Database) -> None:
    with database18.connect() as connection:
        for name in TYPES:
            row = connection.execute(f"SELECT format_type('{name}'::regtype, NULL)").fetchone()
            assert row == (sql_name(LogicalType(name)),)
    assert sql_name(LogicalType("int4", array=True)) == "integer[]"


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ("varchar(20)", "varchar(20)", True),
        ("varchar(20)", "varchar(5)", True),
        ("varchar(20)", "varchar(21)", False),
        ("varchar(20)", "text", False),
        ("text", "varchar(20)", True),
        ("text", "varchar", True),
        ("varchar", "text", True),
        ("text", "char(5)", False),
        ("int8", "int2", True),
        ("int4", "int8", False),
        ("int4", "numeric(5,0)", False),
        ("numeric(12,2)", "numeric(10,2)", False),
        ("varchar(20)[]", "varchar(5)[]", True),
        ("text", "text[]", False),
        ("timestamptz", "timestamp", False),
    ],
)
def test_a_type_holds_the_values_of_another(wide: str, narrow: str, expected: bool) -> None:
    """Every value of the narrow one goes into the wide one unchanged."""
    assert holds(LogicalType.parse(wide), LogicalType.parse(narrow)) == expected
