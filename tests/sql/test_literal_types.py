"""The type of a literal follows from how it is written, as the server's pg_typeof() says."""

from __future__ import annotations

import psycopg
import pytest

from policy.types import TYPES
from proxy.sql.array_literal import NUMBER
from proxy.sql.literal_types import declared_type
from proxy.sql.plan import Slot
from tests.postgres import Postgres

NUMBERS = ("0", "2147483647", "2147483648", "9223372036854775807", "9223372036854775808", "1.0", "1e3", ".5")


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_have_the_type_that_their_size_gives_them(postgres18: Postgres, number: str) -> None:
    with postgres18.connect() as connection:
        found = oid_of(connection, number)
    assert declared_type(Slot(0), number.encode(), number.encode()) == found


@pytest.mark.parametrize("items", ["1,2", "1,2147483648", "1,NULL,1.5", "1,9223372036854775808"])
def test_arrays_of_numbers_have_the_type_of_the_widest(postgres18: Postgres, items: str) -> None:
    with postgres18.connect() as connection:
        found = oid_of(connection, f"ARRAY[{items}]")
    raw = f"{{{items}}}".lower().encode()
    assert declared_type(Slot(-1, elements=(), kind=NUMBER), b"", raw) == found


def oid_of(connection: psycopg.Connection[tuple[int]], expression: str) -> int:
    row = connection.execute(f"SELECT pg_typeof({expression})::oid::int".encode()).fetchone()
    assert row is not None
    return row[0]


def test_strings_have_none_and_keywords_are_booleans() -> None:
    assert declared_type(Slot(0), b"'5'", b"5") == 0
    assert declared_type(Slot(-1, fixed="true"), b"", b"true") == TYPES["bool"].oid
    assert declared_type(Slot(-1, elements=(), kind="text"), b"", b"{a}") == TYPES["text"].array_oid
