"""Members of JSON records: found where they stand, and read as PostgreSQL's input functions get them."""

from __future__ import annotations

import json

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.types import LogicalType
from proxy.errors import InvalidValue
from proxy.values.json_spans import members, sql_text
from tests.postgres import Postgres

NAMES = st.text(st.characters(codec="utf-8"), max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=4)


@given(RECORDS, st.sampled_from([None, 1]), st.booleans())
def test_every_member_is_found_where_it_stands(
    records: list[dict[str, object]], indent: int | None, ascii_only: bool
) -> None:
    text = f" {json.dumps(records, indent=indent, ensure_ascii=ascii_only)}\n"
    found = [(name, json.loads(text[start:end])) for name, start, end in members(text, many=True)]
    assert found == [member for record in records for member in record.items()]


def test_equal_names_are_all_found() -> None:
    text = '{"a": 1, "\\u0061" :2}'
    assert [(name, text[start:end]) for name, start, end in members(text, many=False)] == [
        ("a", "1"),
        ("a", "2"),
    ]


@pytest.mark.parametrize(
    ("text", "many"),
    [("[]", False), ("1", False), ('"a"', True), ("{}", True), ("[1]", True), ("[[]]", True)],
)
def test_what_holds_no_records(text: str, many: bool) -> None:
    with pytest.raises(InvalidValue) as raised:
        list(members(text, many=many))
    assert raised.value.sqlstate == "22023"


CASES = [
    ("text", '"say \\"\\u00e9\\""'),
    ("text", "1.50"),
    ("text", "1e2"),
    ("text", "true"),
    ("text", '{"a":  [1]}'),
    ("int4", "42"),
    ("int4", '"42"'),
    ("bool", "false"),
    ("date", '"2026-07-01"'),
    ("json", '{"a":  [1.50]}'),
    ("json", '"\\u0041\\n"'),
    ("jsonb", '["x", null]'),
    ("text[]", '["a,b", null, "NULL", "", 1, {"a": "\\""}]'),
    ("text[]", '"{a,b}"'),
    ("int4[]", "[1, null]"),
    ("int4[]", "[ ]"),
]


@pytest.mark.parametrize(("spelled", "value"), CASES)
def test_a_value_is_what_the_server_reads_of_it(postgres18: Postgres, spelled: str, value: str) -> None:
    logical = LogicalType.parse(spelled)
    with postgres18.connect() as connection:
        query = f"SELECT x.a::text FROM json_to_record(%s) AS x(a {spelled})".encode()
        (expected,) = connection.execute(query, (f'{{"a": {value}}}',)).fetchone() or ("no row",)
        query = f"SELECT (%s::text)::{spelled}::text".encode()
        (found,) = connection.execute(query, (sql_text(value, logical).decode(),)).fetchone() or ("no row",)
    assert found == expected


def test_arrays_of_arrays_are_refused() -> None:
    with pytest.raises(InvalidValue) as raised:
        sql_text("[[1], [2]]", LogicalType("int4", array=True))
    assert raised.value.sqlstate == "0A000"


def test_half_a_surrogate_pair_is_no_text(postgres18: Postgres) -> None:
    with pytest.raises(InvalidValue) as raised:
        sql_text('"\\ud800"', LogicalType("text"))
    with postgres18.connect() as connection, pytest.raises(psycopg.Error) as theirs:
        connection.execute('SELECT * FROM json_to_record(\'{"a": "\\ud800"}\') AS x(a text)')
    assert raised.value.sqlstate == theirs.value.sqlstate
