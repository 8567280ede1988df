"""json: checked, and kept to the letter."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.values.json_text import parse, refuse_word
from tests.values.support import canonical, codec_of, sent, settings, shown, sqlstate

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


@given(DOCUMENTS, st.booleans())
def test_json_stays_as_it_was_written(document: object, indented: bool) -> None:
    text = json.dumps(document, indent=2 if indented else None)
    assert shown("json", text) == text
    assert sent("json", text) == canonical("json", text) == text.encode()


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', " [1 ,\n2] ", '"\\u0000"', '"\\ud800"', "1E400"])
def test_what_json_holds_though_jsonb_may_not(text: str) -> None:
    assert shown("json", text) == text


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1,]", "{'a':1}", "NaN", "-Infinity", "01", "+1", ".5", '"a\nb"', '"\\x"', "\ufeff1", "1 2"],
)
def test_what_is_no_json(text: str) -> None:
    assert sqlstate("json", text) == sqlstate("jsonb", text) == "22P02"


def test_nesting_has_a_limit() -> None:
    assert shown("json", "[" * 500 + "]" * 500) == "[" * 500 + "]" * 500
    for type_name in ("json", "jsonb"):
        assert sqlstate(type_name, "[" * 100_000 + "]" * 100_000) == "54001"


def test_words_of_other_notations_are_errors() -> None:
    decoder = json.JSONDecoder(parse_constant=refuse_word)
    assert parse("[true]", decoder) == [True]
    assert sqlstate("json", "[Infinity]") == "22P02"


def test_json_in_another_encoding() -> None:
    latin = settings(encoding="latin-1")
    assert canonical("json", '"é"'.encode("latin-1"), latin) == '"é"'.encode()
    assert codec_of("jsonb").to_text('"é"'.encode(), latin) == b'"\xe9"'
