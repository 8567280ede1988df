"""JSON that the server made: opened, it is the JSON that the server would have made of the values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from crypto.errors import UnknownKey
from crypto.keyring import Keyring
from policy.types import LogicalType
from proxy.errors import CannotOpen
from proxy.json_results import DocumentArrays, JsonResults, json_value, writer
from proxy.openers import Openers
from proxy.sql.plan import JsonMember
from proxy.values import Settings, codec
from proxy.values.arrays import join_binary, join_text, split_binary
from tests.postgres import Postgres
from tests.session.playbook import FIELDS, KEYS, UTF8, stored

VALUES = {
    "text": ["", "a", 'say "hi"', "back\\slash", "\n\t\x01\x7f", "é 漢 👋", "</script>", "pgv1:x"],
    "varchar(20)": ["kanarie"],
    "char(5)": ["ab", ""],
    "bytea": ["\\x", "\\x00ff5c"],
    "bool": ["t", "f"],
    "int2": ["-32768"],
    "int4": ["0", "-5"],
    "int8": ["9223372036854775807"],
    "float4": ["1.5", "NaN", "Infinity", "1e30"],
    "float8": ["-Infinity", "0.1", "1e-300"],
    "numeric": ["12.50", "NaN", "-0.001", "1e50", "Infinity"],
    "date": ["1815-12-10", "infinity", "0044-03-15 BC"],
    "time": ["12:34:56.789", "24:00:00"],
    "timestamp": ["1815-12-10 12:34:56", "2026-01-01 00:00:00.000001", "-infinity", "0044-03-15 12:00:00 BC"],
    "timestamptz": ["2026-07-01 12:00:00+00", "1815-12-10 12:34:56+00", "infinity"],
    "interval": ["1 year 2 mons 3 days 04:05:06.7", "-1 days"],
    "uuid": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "json": ['{"b": 1,  "a": [1, 2]}', '"text"', "null"],
    "jsonb": ['{"b": 1,  "a": [1, 2]}', "1.50"],
    "inet": ["192.168.0.1/24", "::1"],
    "text[]": ["{}", '{a,NULL,"say \\"hi\\""}', '{"NULL","a,b"}'],
    "int4[]": ["{1,-2,NULL}"],
    "date[]": ["{1815-12-10,infinity}"],
    "timestamptz[]": ['{"2026-07-01 12:00:00+00"}'],
    "bool[]": ["{t,f}"],
    "numeric[]": ["{1.50,NaN}"],
}
SETTINGS = {
    "plain": Settings("utf-8", "ISO, MDY", "postgres", "UTC"),
    "german": Settings("utf-8", "German, DMY", "postgres", "Europe/Berlin"),
    "verbose": Settings("utf-8", "SQL, DMY", "postgres_verbose", "Asia/Kolkata"),
    "standard": Settings("utf-8", "Postgres, MDY", "sql_standard", "America/St_Johns"),
    "iso": Settings("utf-8", "ISO, YMD", "iso_8601", "UTC"),
}


@pytest.fixture(scope="module")
def server(postgres18: Postgres) -> Iterator[psycopg.Connection[tuple[str]]]:
    with postgres18.connect() as connection:
        yield connection


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("spelled", VALUES)
def test_a_value_is_written_as_the_server_writes_it(
    server: psycopg.Connection[tuple[str]], spelled: str, name: str
) -> None:
    settings = SETTINGS[name]
    server.execute(f"SET DateStyle = '{settings.date_style}'".encode())
    server.execute(f"SET IntervalStyle = {settings.interval_style}".encode())
    server.execute(f"SET TimeZone = '{settings.time_zone}'".encode())
    logical = LogicalType.parse(spelled)
    for value in VALUES[spelled]:
        found = server.execute(f"SELECT to_json(%s::text::{spelled})::text".encode(), (value,)).fetchone()
        canonical = codec(logical).from_text(value.encode(), UTF8)
        assert found == (json_value(canonical, logical, replace(settings, date_style="ISO, MDY")).decode(),)
        found = server.execute(f"SELECT to_jsonb(%s::text::{spelled})::text".encode(), (value,)).fetchone()
        normal = JsonMember(FIELDS["users.email"], logical, normal=True)
        assert found == (writer(normal, settings)(canonical).decode(),)


def results(*columns: str) -> JsonResults:
    return JsonResults(Openers(KEYS, UTF8), tuple(member(column) for column in columns))


def member(column: str, *, normal: bool = False, indented: bool = False) -> JsonMember:
    return JsonMember(FIELDS[column], FIELDS[column].type, normal, indented)


def sealed(column: str, value: str) -> str:
    """A stored value as the server's JSON shows it."""
    return (
        json.dumps(stored(column, value).decode()) if "doc" not in column else stored(column, value).decode()
    )


def test_envelopes_are_opened_where_they_stand() -> None:
    raw = f'[{{"e":{sealed("users.email", "kanarie")},"n" : null, "a":{sealed("users.age", "36")}}}, "clear"]'
    opened = results("users.email", "users.age").open(raw.encode())
    assert opened == b'[{"e":"kanarie","n" : null, "a":36}, "clear"]'


def test_only_planned_fields_are_opened() -> None:
    raw = f"[{sealed('users.email', 'shown')}, {sealed('users.ssn', 'hidden')}]".encode()
    opened = json.loads(results("users.email").open(raw))
    assert opened[0] == "shown"
    assert opened[1].startswith("pgv1:")


def test_documents_come_back_as_documents() -> None:
    raw = f'{{"doc": {sealed("users.doc", json.dumps({"b": [1, None], "a": "x"}))}}}'.encode()
    assert json.loads(results("users.doc").open(raw)) == {"doc": {"a": "x", "b": [1, None]}}


def test_arrays_come_back_as_arrays() -> None:
    raw = f"[{sealed('users.tags', '{a,NULL}')}]".encode()
    assert json.loads(results("users.tags").open(raw)) == [["a", None]]


def test_bytea_in_its_escape_format() -> None:
    envelope = stored("users.age", "36", 1)
    escaped = "".join(
        "\\\\" if byte == 0x5C else chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}" for byte in envelope
    )
    assert (
        results("users.age").open(json.dumps([escaped, r"\377PV\999"]).encode()) == rb'[36, "\\377PV\\999"]'
    )


def test_arrays_of_json_agg_stand_on_lines_of_their_own() -> None:
    tags = sealed("users.tags", "{a}")
    opener = JsonResults(Openers(KEYS, UTF8), (member("users.tags", indented=True),))
    assert opener.open(f"[{tags}, {tags}]".encode()) == b'[["a"], \n ["a"]]'


def test_arrays_within_jsonb_have_its_spaces() -> None:
    tags = sealed("users.tags", "{a,b}")
    opener = JsonResults(Openers(KEYS, UTF8), (member("users.tags", normal=True),))
    assert opener.open(f"[{tags}]".encode()) == b'[["a", "b"]]'


def test_an_envelope_behind_a_quote_of_a_string_is_text() -> None:
    raw = '["x \\"' + stored("users.email", "kanarie").decode() + '"]'
    assert results("users.email").open(raw.encode()) == raw.encode()


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_arrays_of_documents(encoding: str) -> None:
    """In GB18030 the second byte of a character may be a backslash, which quotes nothing."""
    settings = Settings(encoding, "ISO, MDY", "postgres", "UTC")
    documents = [
        json.dumps([stored("users.email", value).decode(), "崜"], ensure_ascii=False) for value in "é漢"
    ]
    openers = Openers(KEYS, settings)
    raw = join_text([document.encode() for document in documents]).decode().encode(encoding)
    opened = DocumentArrays(openers, (member("users.email"),), binary=False).open(raw)
    assert opened.decode(encoding) == r'{"[\"é\", \"崜\"]","[\"漢\", \"崜\"]"}'
    items = [document.encode(encoding) for document in documents] + [None]
    binary = DocumentArrays(openers, (member("users.email"),), binary=True).open(join_binary(items, 114))
    assert split_binary(binary) == (
        114,
        ['["é", "崜"]'.encode(encoding), '["漢", "崜"]'.encode(encoding), None],
    )


@pytest.mark.parametrize(
    "text", ['"pgv1:"', '"pgv1:***"', '"pgv1:AAAA"', r'"\\x00"', r'"\\x0"', '"x pgv1:AAAA"', r'"\"pgv1:AAAA"']
)
def test_what_only_looks_like_an_envelope_stays(text: str) -> None:
    assert results("users.email", "users.age").open(text.encode()) == text.encode()


def test_an_altered_envelope_is_an_error() -> None:
    good = stored("users.email", "kanarie").decode()
    altered = good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB")
    with pytest.raises(CannotOpen):
        results("users.email").open(json.dumps([altered]).encode())


def test_an_unknown_key_is_asked_for() -> None:
    opener = JsonResults(Openers(Keyring(()), UTF8), (member("users.email"),))
    with pytest.raises(UnknownKey):
        opener.open(json.dumps([stored("users.email", "kanarie").decode()]).encode())


def test_other_encodings() -> None:
    latin = Settings("latin-1", "ISO, MDY", "postgres", "UTC")
    opener = JsonResults(Openers(KEYS, latin), (member("users.email"),))
    raw = json.dumps([stored("users.email", "é").decode()]).encode()
    assert opener.open(raw) == b'["\xe9"]'
