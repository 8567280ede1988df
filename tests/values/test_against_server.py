"""The codecs against a real server: values are stored in columns of their types, and read in both formats.

A value must have the same outcome here and there: the same text, the same binary, or the same SQLSTATE. Only
forms of dates, times and intervals may be refused here though the server reads them, never the other way.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import psycopg
import pytest
from psycopg import pq

from policy.types import TYPES, LogicalType
from proxy.errors import ServerError
from proxy.values import Settings, comparand, convert
from tests.postgres import Postgres
from tests.values import random_values, spellings
from tests.values.support import ISO, canonical, codec_of

Outcome = tuple[bytes, bytes] | str  # text and binary, or the SQLSTATE
_SETTINGS = {
    "encoding": "client_encoding",
    "date_style": "DateStyle",
    "interval_style": "IntervalStyle",
    "time_zone": "TimeZone",
}


@dataclass
class Peer:
    """A session with the server, and the settings that it has."""

    connection: psycopg.Connection[tuple[object, ...]]
    settings: Settings = ISO
    tables: set[str] = field(default_factory=set)  # one for each type

    def set(self, **changes: str) -> None:
        for name, value in changes.items():
            self.connection.pgconn.exec_(f"SET {_SETTINGS[name]} = '{value}'".encode())
            reported = self.connection.pgconn.parameter_status(_SETTINGS[name].encode())
            assert reported is not None
            if name != "encoding":
                self.settings = replace(self.settings, **{name: reported.decode()})

    def run(self, sql: str, raw: bytes, fmt: int, oid: int, result_format: int) -> bytes | str:
        """The one value that a statement with one parameter gives, or its SQLSTATE."""
        result = self.connection.pgconn.exec_params(sql.encode(), [raw], [oid], [fmt], result_format)
        if result.status != pq.ExecStatus.TUPLES_OK:
            state = result.error_field(pq.DiagnosticField.SQLSTATE)
            assert state is not None
            return state.decode()
        value = result.get_value(0, 0)
        return "NULL" if value is None else value

    def stores(self, spelling: str, raw: bytes, fmt: int = 0, oid: int = 0) -> Outcome:
        """What the server makes of a value that is assigned to a column."""
        table = "".join(letter if letter.isalnum() else "_" for letter in spelling)
        if table not in self.tables:
            self.connection.pgconn.exec_(f"CREATE TEMP TABLE {table} (v {spelling})".encode())
            self.tables.add(table)
        sql = f"INSERT INTO {table} VALUES ($1) RETURNING v"
        text, binary = (self.run(sql, raw, fmt, oid, wanted) for wanted in (0, 1))
        if isinstance(text, str) or isinstance(binary, str):
            return str(text)
        return text, binary

    def veil(self, spelling: str, raw: bytes, fmt: int = 0, oid: int = 0) -> Outcome:
        """What pgveil makes of it."""
        codec = codec_of(spelling)
        try:
            plain = convert(raw, fmt, oid, LogicalType.parse(spelling), self.settings)
        except ServerError as error:
            return error.sqlstate
        return codec.to_text(plain, self.settings), codec.to_binary(plain, self.settings)


@pytest.fixture(params=["postgres16", "postgres18"])
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    server: Postgres = request.getfixturevalue(request.param)
    with server.connect() as connection:
        peer = Peer(connection)
        peer.set(encoding="UTF8", date_style="ISO, MDY", interval_style="postgres", time_zone="UTC")
        connection.pgconn.exec_(b"SET client_min_messages = error; SET log_statement = none")
        yield peer


def differences(
    peer: Peer,
    spelling: str,
    values: Iterable[str | bytes],
    fmt: int = 0,
    oid: int = 0,
    excused: Callable[[Outcome, Outcome], bool] = lambda there, here: False,
) -> list[tuple[str, str | bytes, Outcome, Outcome]]:
    """The values of which the server and pgveil make different things, but for the excused."""
    found = []
    for value in values:
        raw = value.encode() if isinstance(value, str) else value
        there, here = peer.stores(spelling, raw, fmt, oid), peer.veil(spelling, raw, fmt, oid)
        if there != here and not excused(there, here):
            found.append((spelling, value, there, here))
    return found


def refused_with_a_hint(there: Outcome, here: Outcome) -> bool:
    """A form that pgveil does not read with certainty; or refused by both, for one of several reasons."""
    return isinstance(here, str) and (here in ("22007", "0A000", "54001") or isinstance(there, str))


def frames(there: Outcome, here: Outcome) -> bool:
    """Malformed binary: the server complains of the message as a whole."""
    return here == "22P03" and there in ("08P01", "XX000")


@pytest.mark.parametrize("spelling", sorted(spellings.EXACT))
def test_texts_have_the_same_outcome(peer: Peer, spelling: str) -> None:
    values = [*spellings.EXACT[spelling], *random_values.random_texts(spelling, random.Random(1), 300)]
    assert differences(peer, spelling, values) == []


@pytest.mark.parametrize("spelling", sorted(spellings.BINARY))
def test_binary_values_have_the_same_outcome(peer: Peer, spelling: str) -> None:
    values = [*spellings.BINARY[spelling], *random_values.random_binaries(spelling, random.Random(2), 300)]
    assert differences(peer, spelling, values, fmt=1, excused=frames) == []


@pytest.mark.parametrize(
    "style", ["ISO, MDY", "ISO, DMY", "ISO, YMD", "SQL, DMY", "SQL, MDY", "German, DMY", "Postgres, MDY"]
)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Shanghai", "Africa/Monrovia", "<+02>-02"])
def test_dates_and_times(peer: Peer, style: str, zone: str) -> None:
    peer.set(date_style=style, time_zone=zone)
    texts = random_values.random_datetimes(random.Random(style + zone), 150)
    assert sum(isinstance(peer.veil("timestamptz", text.encode()), tuple) for text in texts) > 50
    for spelling in ("timestamptz", "timestamp(2)", "date", "time"):
        assert differences(peer, spelling, texts, excused=refused_with_a_hint) == []
    moments = random_values.random_binaries("timestamptz", random.Random(zone), 100)
    assert differences(peer, "timestamptz", moments, fmt=1) == []


@pytest.mark.parametrize("style", ["ISO, MDY", "ISO, YMD", "German, DMY"])
def test_dates_with_a_zone_and_no_time(peer: Peer, style: str) -> None:
    """A java.sql.Date is sent so."""
    peer.set(date_style=style, time_zone="Europe/Berlin")
    texts = spellings.dates_with_zones()
    taken = [text for text in texts if isinstance(peer.veil("timestamptz", text.encode()), tuple)]
    assert len(taken) > len(texts) // 4
    for spelling in ("timestamptz", "timestamp", "date", "time"):
        assert differences(peer, spelling, texts, excused=refused_with_a_hint) == []


@pytest.mark.parametrize("style", ["postgres", "postgres_verbose", "sql_standard", "iso_8601"])
def test_intervals(peer: Peer, style: str) -> None:
    peer.set(interval_style=style)
    texts = [*spellings.INTERVALS, *random_values.random_intervals(random.Random(style), 400)]
    assert sum(isinstance(peer.veil("interval", text.encode()), tuple) for text in texts) > 150
    assert differences(peer, "interval", texts, excused=refused_with_a_hint) == []
    parts = random_values.random_binaries("interval", random.Random(style), 200)
    assert differences(peer, "interval", parts, fmt=1) == []


@pytest.mark.parametrize("source", sorted(spellings.ONE_OF_EACH))
def test_declared_types_are_cast_as_an_assignment_does(peer: Peer, source: str) -> None:
    peer.set(time_zone="Europe/Berlin")
    oid = TYPES[source].oid
    targets = [*TYPES, "varchar(5)", "numeric(8,2)", "timestamp(0)", "time(0)"]
    strings = ("text", "varchar", "bpchar")

    def excused(there: Outcome, here: Outcome) -> bool:  # an infinite timestamp as a time is NULL
        return (there, here) == ("NULL", "22008") or (source in strings and there == "42804")

    for target in targets:
        if target == "bpchar":
            target = "char(7)"
        values = spellings.ONE_OF_EACH[source]
        assert differences(peer, target, values, oid=oid, excused=excused) == []


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize("field", sorted(spellings.FIELDS))
def test_comparisons_hold_as_the_servers_do(peer: Peer, field: str, zone: str) -> None:
    """Or are refused, where one value may equal several."""
    peer.set(time_zone=zone)
    type_ = LogicalType.parse(field)
    for source, values in spellings.ONE_OF_EACH.items():
        if source in ("text", "bpchar") and type_.name not in ("text", "varchar", "bpchar"):
            continue  # strings are read as the field's type, where PostgreSQL has no operator
        for value in values:
            try:
                looked_for: bytes | str = comparand(
                    value.encode(), 0, TYPES[source].oid, type_, peer.settings
                )
            except ServerError as error:
                looked_for = error.sqlstate
            if looked_for == "0A000":
                continue
            for stored in spellings.FIELDS[field]:
                sql = f"SELECT '{stored}'::{field} = $1"
                there = peer.run(sql, value.encode(), 0, TYPES[source].oid, 0)
                here = looked_for
                if isinstance(looked_for, bytes):
                    here = b"t" if looked_for == canonical(field, stored, peer.settings) else b"f"
                assert there == here, (stored, source, value)
