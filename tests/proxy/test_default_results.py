"""DEFAULTs in clear: spelled as PostgreSQL spells them, and only where they stand as wholes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy.types import LogicalType
from proxy.default_results import DefaultResults, sql_literal
from proxy.openers import Openers
from proxy.protector import Protector
from proxy.sql.plan import DefaultText
from proxy.values import Settings, codec
from proxy.wire.frontend import TEXT
from tests.postgres import Postgres
from tests.session.playbook import FIELDS, KEYS, UTF8

SPELLED = {
    "text": ("it's\\", "'it''s\\'::text"),
    "varchar(20)": ("a", "'a'::character varying"),
    "char(3)": ("ab", "'ab '::bpchar"),
    "bytea": ("\\x00ff", "'\\x00ff'::bytea"),
    "bool": ("t", "true"),
    "int2": ("-5", "'-5'::smallint"),
    "int4": ("5", "5"),
    "int8": ("-9223372036854775808", "'-9223372036854775808'::bigint"),
    "float8": ("NaN", "'NaN'::double precision"),
    "numeric(12,2)": ("12.5", "12.50"),
    "date": ("1973-03-31", "'1973-03-31'::date"),
    "time": ("12:00:00", "'12:00:00'::time without time zone"),
    "timestamptz": ("2026-01-01 00:00:00+00", "'2026-01-01 00:00:00+00'::timestamp with time zone"),
    "interval": ("1 day", "'1 day'::interval"),
    "uuid": (
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
    ),
    "jsonb": ('{"a": 1}', "'{\"a\": 1}'::jsonb"),
    "inet": ("10.0.0.1", "'10.0.0.1'::inet"),
    "text[]": ('{"a b",c}', "'{\"a b\",c}'::text[]"),
    "int4[]": ("{1,2}", "'{1,2}'::integer[]"),
}


@pytest.mark.parametrize("spelling", SPELLED)
def test_a_literal_is_what_the_server_writes(spelling: str, postgres: Postgres) -> None:
    logical, settings = LogicalType.parse(spelling), Settings("utf-8", "ISO, MDY", "postgres", "UTC")
    text, expected = SPELLED[spelling]
    written = sql_literal(codec(logical).from_text(text.encode(), settings), logical, settings).decode()
    assert written == expected
    with postgres.connect() as connection:
        connection.execute(f"CREATE TEMP TABLE d (c {spelling} DEFAULT {written})")
        shown = "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'd'::regclass"
        assert connection.execute(shown).fetchall() == [(written,)]


def test_only_the_whole_text_of_a_known_default_is_opened() -> None:
    field = FIELDS["users.email"]
    protector = Protector(KEYS, UTF8)
    sealed = protector.sealer(field, TEXT)(b"kanarie").decode()
    other = protector.sealer(field, TEXT)(b"other").decode()
    text = f"('{sealed}'::text)::character varying"
    known = DefaultText(field, "(", sealed, ")::character varying", text)
    opened = DefaultResults(Openers(KEYS, UTF8), (known,)).open
    assert opened(text.encode()) == b"('kanarie'::text)::character varying"
    for raw in (f"'{sealed}'::text", f"x {text}", text.replace(sealed, other), "", "clear"):
        assert opened(raw.encode()) == raw.encode()


def test_what_does_not_open_is_shown_as_it_is() -> None:
    """A DEFAULT that somebody has altered, or that never was a value of its column."""
    field = FIELDS["users.email"]
    protector = Protector(KEYS, UTF8)
    sealed = protector.sealer(field, TEXT)(b"kanarie").decode()
    broken = sealed[:-2] + ("AA" if sealed[-2:] != "AA" else "BB")
    known = DefaultText(field, "", broken, "", f"'{broken}'::text")
    assert DefaultResults(Openers(KEYS, UTF8), (known,)).open(known.text.encode()) == known.text.encode()
    typed = replace(field, type=LogicalType("int4"))
    number = DefaultText(typed, "", sealed, "", f"'{sealed}'::text")
    assert DefaultResults(Openers(KEYS, UTF8), (number,)).open(number.text.encode()) == number.text.encode()
