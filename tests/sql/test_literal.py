"""The value of a literal is what PostgreSQL makes of it; what PostgreSQL refuses is refused."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pglast import parser

from proxy.errors import ServerError
from proxy.sql.literal import LITERAL_TOKENS, literal_value
from tests.postgres import Postgres

Server = psycopg.Connection[tuple[object]]


@pytest.fixture(scope="module")
def server(postgres18: Postgres) -> Iterator[Server]:
    with postgres18.connect() as connection:
        yield connection


def server_says(server: Server, literal: str) -> str | None:
    """What the server takes a literal for, as text; None where it refuses it."""
    try:
        row = server.execute(f"SELECT ({literal})::text".encode()).fetchone()
    except psycopg.Error:
        return None
    assert row is not None
    return str(row[0])


def is_one_literal(text: str) -> bool:
    try:
        tokens = parser.scan(text)
    except parser.ParseError:
        return False
    return len(tokens) == 1 and tokens[0].name in LITERAL_TOKENS


def value(literal: str) -> str | None:
    try:
        return literal_value(literal)
    except ServerError:
        return None


_BODY = st.text(st.sampled_from("ab'\\n\ntuU0123xX1f+$é👋 \t-\""), max_size=10)
_BODIES = st.one_of(_BODY, st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=10))
_STRINGS = st.one_of(
    _BODIES.map(lambda body: "'" + body.replace("'", "''") + "'"),
    _BODY.map(lambda body: f"E'{body}'"),
    _BODY.map(lambda body: f"e'{body}'"),
    _BODY.map(lambda body: f"U&'{body}'"),
    _BODIES.map(lambda body: f"$${body}$$"),
    _BODIES.map(lambda body: f"$é1${body}$é1$"),
    st.tuples(_BODY, _BODY).map(lambda two: f"'{two[0]}' \n '{two[1]}'"),
    st.tuples(_BODY, _BODY).map(lambda two: f"E'{two[0]}'\n'{two[1]}'"),
    st.tuples(_BODY, _BODY).map(lambda two: f"'{two[0]}' -- it's\n '{two[1]}'"),
    st.lists(
        st.sampled_from(
            [r"\u0061", r"\U0001F44B", r"\x41", r"\101", r"\n", r"\'", "''", r"\\", r"\u12", r"\q", r"\xg"]
        ),
        max_size=4,
    ).map(lambda parts: "E'" + "".join(parts) + "'"),
    st.lists(
        st.sampled_from([r"\0061", r"\+01F44B", r"\\", "''", r"\00", r"\D83D\DC4B", r"\0000", "x"]),
        max_size=4,
    ).map(lambda parts: "U&'" + "".join(parts) + "'"),
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much], max_examples=200
)
@given(literal=_STRINGS.filter(is_one_literal))
def test_strings_mean_what_the_server_says(server: Server, literal: str) -> None:
    mine, its = value(literal), server_says(server, literal)
    if mine is not None:  # PostgreSQL knows more spellings than are taken for a protected value
        assert mine == its


@pytest.mark.parametrize(
    ("literal", "meaning"),
    [
        ("'it''s'", "it's"),
        ("''", ""),
        (r"'a\n'", r"a\n"),
        (r"E'\n\t\b\f\r\\\'\q'", "\n\t\b\f\r\\'q"),
        (r"E'\x41\101\u00e9\U0001F44B'", "AAé👋"),
        ("e''", ""),
        (r"U&'d\0061t\+000061 \\'", "data \\"),
        ("$$it's$$", "it's"),
        ("$tag$a$$b$tag$", "a$$b"),
        ("'one '\n  'string'", "one string"),
        ("E'\\1'\n'0'", "\x010"),  # an escape ends with its piece
        ("U&'\\00'\n'61'", "a"),  # but not here
        ("'one ' \t\n\n 'two' \n ' three'", "one two three"),
        ("E'a\\n'\n'b\\n'", "a\nb\n"),
        ("'漢字'", "漢字"),
    ],
)
def test_spellings(server: Server, literal: str, meaning: str) -> None:
    assert literal_value(literal) == meaning == server_says(server, literal)


@pytest.mark.parametrize(
    "literal",
    [
        r"E'\xff'",
        r"E'\377'",
        r"E'\x00'",
        r"E'\000'",
        r"E'\u0000'",
        r"E'\uD83D\uDC4B'",
        r"U&'\D83D\DC4B'",
        r"U&'\0000'",
    ],
)
def test_refuses_bytes_and_surrogates(literal: str) -> None:
    with pytest.raises(ServerError) as refused:
        literal_value(literal)
    assert refused.value.sqlstate == "22P06"


_DIGITS = st.from_regex(r"[0-9]{1,5}(_[0-9]{1,3}){0,2}", fullmatch=True)
_NUMBERS = st.one_of(
    _DIGITS,
    st.tuples(_DIGITS, _DIGITS).map(".".join),
    st.tuples(_DIGITS, st.sampled_from(["e", "E"]), st.sampled_from(["", "+", "-"]), st.integers(0, 20)).map(
        lambda parts: "".join(map(str, parts))
    ),
    _DIGITS.map(lambda digits: f".{digits}"),
    _DIGITS.map(lambda digits: f"{digits}."),
    st.from_regex(r"0[xX][0-9a-fA-F]{1,10}", fullmatch=True),
    st.from_regex(r"0[oO][0-7]{1,10}", fullmatch=True),
    st.from_regex(r"0[bB][01]{1,20}", fullmatch=True),
)


def number(text: str) -> Decimal:
    return Decimal(int(text, 0)) if text[:2].lower() in ("0x", "0o", "0b") else Decimal(text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(literal=_NUMBERS.filter(is_one_literal))
def test_numbers_mean_what_the_server_says(server: Server, literal: str) -> None:
    its = server_says(server, literal)
    assert its is not None
    assert number(literal_value(literal)) == Decimal(its)
