"""COPY through the transformers, against what PostgreSQL itself does with the same bytes.

In: the same stream is copied into one table as it is, and transformed (each value sealed) into another;
both take it, with the same rows after unsealing, or neither does. Out: a table of sealed values is
copied and unsealed; the bytes are those of the COPY of the plain table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from psycopg.sql import quote

from proxy.errors import ServerError
from proxy.session.copy import CopyOptions, copy_transformer
from tests.postgres import Database

Rows = list[tuple[Any, ...]]
COLUMNS = ("a", "b", "c")
SEALED = b'<"\\,\n|;\r\t'  # what a sealed value begins with: all that a format must escape or quote
MARKER_INSIDE = re.compile(rb"[^\r\n]\\\.")  # what PostgreSQL 18 refuses, and so does pgveil for all
quick = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def seal(value: bytes) -> bytes:
    return SEALED + value.hex().encode() + b">"


def unseal(value: bytes) -> bytes:
    return bytes.fromhex(value.removeprefix(SEALED)[:-1].decode())


def clause(options: CopyOptions) -> str:
    """The options as SQL."""
    parts = [f"FORMAT {options.format}"]
    for name in ("delimiter", "null", "quote", "escape", "default"):
        value = getattr(options, name)
        parts += [] if value is None else [f"{name} {quote(value)}"]
    parts += [f"{n} ({', '.join(sorted(v))})" for n in FORCES if (v := getattr(options, n))]
    if options.header:
        parts.append("HEADER")
    return ", ".join(parts)


FORCES = ("force_quote", "force_null", "force_not_null")


class Twins:
    """Tables plain and sealed, and COPY of both."""

    def __init__(self, database: Database) -> None:
        self.version = database.postgres.version * 10_000
        self.connection = database.connect()
        for table in ("plain", "sealed"):
            self.connection.execute(f"CREATE TABLE {table} (n serial, a text DEFAULT 'x', b text, c text)")

    def options(self, options: CopyOptions, default: str | None) -> CopyOptions:
        """The options for this server; a DEFAULT marker has come with PostgreSQL 16."""
        default = default if self.version >= 160_000 else None
        return replace(options, default=default, server_version=self.version)

    def empty(self) -> None:
        self.connection.execute("TRUNCATE plain, sealed RESTART IDENTITY")

    def copy_in(self, table: str, how: str, data: bytes) -> str | None:
        """None, or the SQLSTATE of the error."""
        try:
            with self.connection.cursor().copy(f"COPY {table} (a, b, c) FROM STDIN ({how})") as copy:
                copy.write(data)
        except psycopg.Error as error:
            return error.sqlstate
        return None

    def copy_out(self, table: str, how: str) -> bytes:
        with self.connection.cursor().copy(f"COPY {table} (a, b, c) TO STDOUT ({how})") as copy:
            return b"".join(bytes(piece) for piece in copy)

    def rows(self, table: str, read: Callable[[str], str]) -> Rows:
        found = self.connection.execute(f"SELECT a, b, c FROM {table} ORDER BY n").fetchall()
        return [tuple(None if v is None else read(v) for v in row) for row in found]


def read_plain(value: str) -> str:
    return value


def read_sealed(value: str) -> str:
    """Unsealed, if it is sealed: a default is not."""
    return unseal(value.encode()).decode() if value.startswith("<") else value


@pytest.fixture
def twins(database: Database) -> Iterator[Twins]:
    twins = Twins(database)
    yield twins
    twins.connection.close()


def streams(alphabet: list[bytes]) -> st.SearchStrategy[bytes]:
    """Rows of three fields mostly, made of what matters to the format, with some disorder."""
    field = st.lists(st.sampled_from(alphabet), max_size=5).map(b"".join)
    row = st.lists(field, min_size=3, max_size=3).map(alphabet[0].join)
    ends = st.sampled_from([b"\n"] * 3 + [b"\r\n", b"\r"])
    tidy = st.tuples(ends, st.lists(row, max_size=5), st.booleans()).map(
        lambda p: p[0].join(p[1]) + (p[0] if p[2] else b"")
    )
    untidy = st.lists(st.sampled_from([*alphabet, alphabet[0], b"\n", b"\r", b"\\.\n"]), max_size=25).map(
        b"".join
    )
    return tidy | untidy


text_options = st.builds(
    CopyOptions,
    format=st.just("text"),
    delimiter=st.sampled_from([None, "|", ";"]),
    null=st.sampled_from([None, "", "x"]),
    header=st.booleans(),
    columns=st.just(COLUMNS),
)
csv_options = st.builds(
    CopyOptions,
    format=st.just("csv"),
    delimiter=st.sampled_from([None, "|", ";"]),
    quote=st.sampled_from([None, "'"]),
    escape=st.sampled_from([None, "\\", '"']),
    null=st.sampled_from([None, "x", "\\N"]),
    header=st.booleans(),
    force_null=st.frozensets(st.sampled_from(COLUMNS)),
    force_not_null=st.frozensets(st.sampled_from(COLUMNS)),
    columns=st.just(COLUMNS),
)


def compare_in(twins: Twins, options: CopyOptions, data: bytes) -> None:
    twins.empty()
    expected = twins.copy_in("plain", clause(options), data)
    transformer = copy_transformer(options, [seal, seal, seal])
    error: ServerError | None = None
    try:
        sealed = transformer.feed(data) + transformer.finish()
    except ServerError as caught:
        error = caught
    if error is not None:
        assert expected == error.sqlstate
        return
    assert twins.copy_in("sealed", clause(options), sealed) == expected
    assert twins.rows("sealed", read_sealed) == twins.rows("plain", read_plain)


@quick
@given(text_options, st.data(), st.sampled_from([None, "\\D"]))
def test_text_in(twins: Twins, options: CopyOptions, data: st.DataObject, default: str | None):
    delimiter = (options.delimiter or "\t").encode()
    alphabet = [delimiter, b"x", b"\\", b"\\N", b"\\\\", b"\\n", b"\\x4", b"\\" + delimiter, b"\\\n"]
    alphabet += [b"\\101", b"\xc3\xa9", b"\\.", b"\\D", b"1"]
    options = twins.options(options, default)
    stream = data.draw(streams(alphabet))
    assume(twins.version >= 180_000 or not MARKER_INSIDE.search(re.sub(rb"\\[^.]", b"xx", stream)))
    compare_in(twins, options, stream)


@quick
@given(csv_options, st.data(), st.sampled_from([None, "\\D"]))
def test_csv_in(twins: Twins, options: CopyOptions, data: st.DataObject, default: str | None):
    q = (options.quote or '"').encode()
    alphabet = [(options.delimiter or ",").encode(), b"x", b"\\", b'"', q, q * 2, q + b"x\n" + q]
    alphabet += [b"\\N", q + b"x" + q, b"\xc3\xa9", q + b"\r\n" + q, b"\\D", b"\n"]
    options = twins.options(options, default)
    compare_in(twins, options, data.draw(streams(alphabet)))


values = st.none() | st.text(
    st.sampled_from("x\\,|;\"'\n\r\t\b\v\f.N\u00e9 ") | st.characters(codec="utf-8", exclude_characters="\0"),
    max_size=6,
)


@quick
@given(
    text_options | csv_options,
    st.frozensets(st.sampled_from(COLUMNS)),
    st.lists(st.tuples(values, values, values), max_size=5),
)
def test_out(twins: Twins, options: CopyOptions, forced: frozenset[str], rows: Rows):
    forced = forced if options.format == "csv" else frozenset()
    no_columns: frozenset[str] = frozenset()
    options = replace(options, force_quote=forced, force_null=no_columns, force_not_null=no_columns)
    twins.empty()
    with twins.connection.cursor() as cursor:
        for row in rows:
            sealed = [None if value is None else seal(value.encode()).decode() for value in row]
            cursor.execute("INSERT INTO plain (a, b, c) VALUES (%s, %s, %s)", row)
            cursor.execute("INSERT INTO sealed (a, b, c) VALUES (%s, %s, %s)", sealed)
    how = clause(options)
    transformer = copy_transformer(options, [unseal, unseal, unseal])
    out = transformer.feed(twins.copy_out("sealed", how)) + transformer.finish()
    assert out == twins.copy_out("plain", how)


def test_binary_both_ways(twins: Twins):
    twins.connection.execute(
        "INSERT INTO plain (a, b, c) SELECT 'a' || n, nullif(repeat('b', n), ''),"
        " CASE n % 3 WHEN 0 THEN 'é' END FROM generate_series(0, 99) n"
    )
    stream = twins.copy_out("plain", "FORMAT binary")
    sealing = copy_transformer(CopyOptions("binary"), [None, seal, seal])
    assert twins.copy_in("sealed", "FORMAT binary", sealing.feed(stream) + sealing.finish()) is None
    assert twins.rows("sealed", read_sealed) == twins.rows("plain", read_plain)
    unsealing = copy_transformer(CopyOptions("binary"), [None, unseal, unseal])
    assert unsealing.feed(twins.copy_out("sealed", "FORMAT binary")) + unsealing.finish() == stream
