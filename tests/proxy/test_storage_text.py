"""Arrays and bytea as the server writes and reads them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.storage_text import array_items, array_text, binary_array, binary_items, bytea_bytes
from tests.postgres import Postgres

Server = psycopg.Connection[tuple[bytes]]
server_settings = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@pytest.fixture(scope="module")
def server(postgres18: Postgres) -> Iterator[Server]:
    with postgres18.connect() as connection:
        yield connection


def asked(server: Server, sql: str, *values: object) -> bytes:
    """The one value of a query, as the server writes it in text format."""
    raw = psycopg.RawCursor(server).execute(sql, values)
    assert raw.pgresult is not None
    found = raw.pgresult.get_value(0, 0)
    assert found is not None
    return found


TEXTS = st.lists(
    st.one_of(st.none(), st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=8)),
    max_size=5,
)
ODD = ["", "NULL", "null", '"', "\\", "a,b", "{", "}", " a ", "\n", 'a"b\\c', "pgv1:AAAA", "é"]


@server_settings
@given(st.one_of(TEXTS, st.lists(st.sampled_from(ODD), max_size=5)))
def test_reads_what_the_server_writes(server: Server, items: list[str | None]) -> None:
    written = asked(server, "SELECT $1::text[]::text", items)
    assert array_items(written) == [None if item is None else item.encode() for item in items]


@server_settings
@given(st.one_of(TEXTS, st.lists(st.sampled_from(ODD), max_size=5)))
def test_writes_what_the_server_reads(server: Server, items: list[str | None]) -> None:
    mine = array_text([None if item is None else item.encode() for item in items])
    assert asked(server, "SELECT ($1::text[])::text", mine.decode()) == asked(
        server, "SELECT $1::text[]::text", items
    )


@server_settings
@given(st.lists(st.one_of(st.none(), st.binary(max_size=8)), max_size=5))
def test_binary_arrays(server: Server, items: list[bytes | None]) -> None:
    cursor = server.execute("SELECT %b::bytea[]", (items,), binary=True)
    assert cursor.pgresult is not None
    written = cursor.pgresult.get_value(0, 0)
    assert written is not None
    assert binary_items(written) == items
    assert binary_array(items, 17) == written


@pytest.mark.parametrize("output", ["hex", "escape"])
def test_bytea_in_both_outputs(server: Server, output: str) -> None:
    server.execute(f"SET bytea_output = {output}".encode())
    every = bytes(range(256)) + b"\\\\x"
    try:
        assert bytea_bytes(asked(server, "SELECT $1::bytea::text", every)) == every
        assert bytea_bytes(asked(server, "SELECT ''::bytea::text")) == b""
    finally:
        server.execute("RESET bytea_output")


@pytest.mark.parametrize("text", [b"", b"a", b"{a", b"{{a},{b}}", b"[2:3]={{a},{b}}"])
def test_what_is_no_array_of_one_dimension(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"array|dimension"):
        array_items(text)


def test_subscripts_that_do_not_start_at_one() -> None:
    assert array_items(b"[0:1]={a,b}") == [b"a", b"b"]


@pytest.mark.parametrize("cut", range(5, 24))
def test_a_truncated_binary_array(cut: int) -> None:
    whole = binary_array([b"abcd"], 25)
    with pytest.raises(ValueError, match="truncated"):
        binary_items(whole[: len(whole) - cut])


def test_an_array_of_two_dimensions_in_binary() -> None:
    with pytest.raises(ValueError, match="dimension"):
        binary_items(b"\0\0\0\2" + b"\0" * 24)


@pytest.mark.parametrize("text", [b"\\x0", b"\\xzz"])
def test_what_is_no_bytea(text: bytes) -> None:
    with pytest.raises(ValueError):
        bytea_bytes(text)
