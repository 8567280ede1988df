"""text, varchar(n), char(n): lengths, padding, and the session's encoding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import InvalidValue
from proxy.values.encodings import postgresql_encoding, python_encoding
from tests.values.support import ISO, canonical, codec_of, refusal, sent, settings, shown, sqlstate

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(TEXTS)
def test_text_is_what_was_sent(text: str) -> None:
    assert canonical("text", text) == text.encode()
    assert shown("text", text) == text
    assert sent("text", text) == text.encode()


@given(st.binary())
def test_only_utf8_without_nul_is_text(raw: bytes) -> None:
    try:
        fits = "\0" not in raw.decode()
    except UnicodeDecodeError:
        fits = False
    if fits:
        assert canonical("text", raw) == raw
    else:
        assert sqlstate("text", raw) == "22021"


def test_length_counts_characters_and_forgives_spaces() -> None:
    assert canonical("varchar(3)", "äöü") == "äöü".encode()
    assert canonical("varchar(3)", "ab   ") == b"ab "
    error = refusal("varchar(3)", "secret")
    assert (error.sqlstate, error.message) == ("22001", "value too long for type character varying(3)")
    assert refusal("char(3)", "secret").message == "value too long for type character(3)"


def test_char_is_stored_without_its_padding_and_printed_with_it() -> None:
    assert canonical("char(4)", "ä ") == canonical("char(9)", "ä") == "ä".encode()
    assert shown("char(4)", "ä") == "ä   "
    assert sent("char(4)", "ä") == "ä   ".encode()
    assert canonical("char(2)", "a      ") == b"a"


def test_a_value_longer_than_the_type_is_printed_whole() -> None:
    """It was written while the column was wider."""
    assert codec_of("char(2)").to_text(b"abcd", ISO) == b"abcd"
    assert codec_of("varchar(2)").to_text(b"abcd", ISO) == b"abcd"


def test_a_session_in_another_encoding_reads_and_writes_in_it() -> None:
    latin = settings(encoding="latin-1")
    assert canonical("text", "é".encode("latin-1"), latin) == "é".encode()
    assert codec_of("text").to_text("é".encode(), latin) == b"\xe9"
    assert codec_of("char(3)").to_text("é".encode(), latin) == b"\xe9  "
    assert canonical("bytea", b"\xe9\\000", latin) == "é\0".encode()
    with pytest.raises(InvalidValue) as caught:
        codec_of("text").to_text("中".encode(), latin)
    assert caught.value.sqlstate == "22P05"
    assert "LATIN1" in caught.value.message


def test_bytes_that_an_encoding_does_not_know_are_refused() -> None:
    assert sqlstate("text", b"\x81", settings(encoding="cp1252")) == "22021"
    assert sqlstate("text", b"a\0", settings(encoding="latin-1")) == "22021"


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("UTF8", "utf-8"),
        ("utf-8", "utf-8"),
        ("SQL_ASCII", "utf-8"),
        ("LATIN1", "latin-1"),
        ("ISO_8859_5", "iso8859-5"),
        ("WIN1252", "cp1252"),
        ("KOI8U", "koi8-u"),
        ("SJIS", None),  # Python and PostgreSQL disagree about hundreds of characters
        ("EUC_JP", None),
    ],
)
def test_client_encodings(name: str, codec: str | None) -> None:
    assert python_encoding(name) == codec


def test_messages_name_encodings_as_postgresql_does() -> None:
    assert postgresql_encoding("utf-8") == "UTF8"
    assert postgresql_encoding("cp1251") == "WIN1251"
