"""Composite values, held against what a server reads and writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.records import change_array, change_record, record_items, record_text
from tests.postgres import Database

ITEMS = [
    None,
    b"",
    b"plain",
    b"a,b",
    b'say "x"',
    b"back\\slash",
    b"(nested)",
    b" spaces ",
    b"line\nbreak",
    b"{}",
]


def mark(raw: bytes, oid: int) -> bytes:
    return b"<" + raw + b">"


@given(st.lists(st.one_of(st.none(), st.binary()), min_size=2))
def test_text_comes_back(items: list[bytes | None]) -> None:
    assert record_items(record_text(items)) == items


@pytest.mark.parametrize("raw", [b"", b"a", b"(", b'("a)', b"(a", b'(a,")'])
def test_what_is_no_record(raw: bytes) -> None:
    with pytest.raises(ValueError, match="record"):
        record_items(raw)


def test_the_server_writes_what_is_read_and_reads_what_is_written(database16: Database) -> None:
    database16.execute("CREATE TYPE pair AS (one text, other text)")
    with database16.connect() as connection:
        for one in ITEMS:
            for other in ITEMS:
                values = [None if item is None else item.decode() for item in (one, other)]
                shown = connection.execute("SELECT ROW(%s::text, %s::text)::pair::text", values).fetchone()
                assert shown is not None
                assert record_items(shown[0].encode()) == [one, other]
                written = record_text([one, other]).decode()
                read = connection.execute(
                    "SELECT (p).one, (p).other FROM (SELECT %s::pair AS p) s", [written]
                )
                assert read.fetchone() == tuple(values)


@pytest.mark.parametrize("binary", [False, True])
def test_attributes_of_an_array_are_changed(database16: Database, *, binary: bool) -> None:
    database16.execute("CREATE TYPE pair AS (one text, other text)")
    made = "ARRAY[ROW('a', 'b'), NULL, ROW(NULL, NULL), ROW('c,\"', '')]::pair[]"
    expected = "ARRAY[ROW('a', '<b>'), NULL, ROW(NULL, NULL), ROW('c,\"', '<>')]::pair[]"
    with database16.connect() as connection:
        cursor = connection.cursor(binary=binary)
        cursor.execute(f"SELECT {made}, {expected}, (ARRAY['{{}}'::pair[]])[1:0]")
        result = cursor.pgresult
        assert result is not None
        raw, wanted = result.get_value(0, 0), result.get_value(0, 1)
        assert raw is not None
        changed = change_array(raw, {1: mark}, binary=binary)
        if binary:
            assert changed == wanted
            with pytest.raises(ValueError, match="truncated"):
                change_array(raw[:-1], {1: mark}, binary=True)
        else:
            same = connection.execute(f"SELECT %s::pair[] = {expected}", [changed.decode()]).fetchone()
            assert same == (True,)
    assert change_record(b"(a,b)", {0: mark}, binary=False) == b'("<a>","b")'
