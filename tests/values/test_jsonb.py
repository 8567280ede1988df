"""jsonb: PostgreSQL's own text of a document."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given

from tests.values.support import ISO, binary_sqlstate, canonical, codec_of, refusal, sent, shown, sqlstate
from tests.values.test_json_text import DOCUMENTS


def exactly(text: str) -> object:
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


@given(DOCUMENTS)
def test_jsonb_means_the_same_and_is_its_own_normal_form(document: object) -> None:
    written = json.dumps(document)
    text = shown("jsonb", written)
    assert exactly(text) == exactly(written)
    assert shown("jsonb", text) == text
    assert sent("jsonb", text) == b"\1" + text.encode()


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ('{"b":1,"a":2,"aa":3}', '{"a": 2, "b": 1, "aa": 3}'),
        ('{"é":1,"zz":2,"b":3}', '{"b": 3, "zz": 2, "é": 1}'),
        ('{"k":1,"k":2}', '{"k": 2}'),
        ("[1,[ ],{ }]", "[1, [], {}]"),
        ("1e3", "1000"),
        ("1.10", "1.10"),
        ("-0.0", "0.0"),
        ("12345678901234567890.5", "12345678901234567890.5"),
        ('"\\u00e9\\ud83d\\ude00\\/"', '"é😀/"'),
        ('"\\u001f\\n\\t\\"\\\\\\u007f"', '"\\u001f\\n\\t\\"\\\\\x7f"'),
        (" null ", "null"),
    ],
)
def test_normal_form(text: str, printed: str) -> None:
    assert shown("jsonb", text) == printed


def test_what_it_cannot_hold() -> None:
    error = refusal("jsonb", '"\\u0000"')
    assert (error.sqlstate, error.message) == ("22P05", "unsupported Unicode escape sequence")
    for text in ('"\\ud800"', '"\\udc00"', '"\\ud800\\ud800"', '"\\ud800x\\udc00"', '"\\ud83d\\n\\ude00"'):
        assert sqlstate("jsonb", text) == "22P02"
    assert canonical("jsonb", '"\\\\u0000"') == b'"\\\\u0000"'
    assert sqlstate("jsonb", "1e400000") == "22003"


def test_binary_has_a_version() -> None:
    assert codec_of("jsonb").from_binary(b'\1{"b":1,"a":2}', ISO) == b'{"a": 2, "b": 1}'
    assert binary_sqlstate("jsonb", b"") == binary_sqlstate("jsonb", b"\2{}") == "22P03"
