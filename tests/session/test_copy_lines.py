"""Rows of text and csv: whole at once, too long, and of the wrong number of fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import ServerError
from proxy.session.copy import CopyOptions, copy_transformer
from tests.session.copying import BINARY, BOTH, CSV, SECOND, TEXT, binary, fails, shout, stream


def test_an_error_names_the_column_that_is_missing():
    with pytest.raises(ServerError, match='missing data for column "y"'):
        stream(CopyOptions("text", columns=("x", "y")), BOTH, b"a\n")


@pytest.mark.parametrize(
    ("options", "data"),
    [
        (CopyOptions("text", row_limit=100), b"a\tb\n" + b"x" * 300),
        (CopyOptions("text", row_limit=100), b"x" * 300),
        (CopyOptions("csv", row_limit=100), b'a,b\n"' + b"\n" * 300),
        (CopyOptions("binary", row_limit=100), binary([b"a", b"b"], [b"x" * 300, b"y"])),
        (CopyOptions("binary", row_limit=100), binary(extension=b"x" * 300)),
    ],
)
def test_a_row_that_is_too_long_is_refused(options: CopyOptions, data: bytes):
    fails(options, BOTH, data, "54000")


def test_rows_leave_as_soon_as_they_are_whole():
    transformer = copy_transformer(TEXT, SECOND)
    assert [transformer.feed(p) for p in (b"a\t", b"b\nc", b"\td\n", b"e\tf")] == [
        b"",
        b"a\tB\n",
        b"c\tD\n",
        b"",
    ]
    assert transformer.finish() == b"e\tF"


def test_a_long_first_row_in_small_pieces_takes_linear_time():
    transformer = copy_transformer(CSV, [shout])
    out = [transformer.feed(b'"')]
    out += [transformer.feed(b"\n" * 100 + b"x" * 900) for _ in range(3000)]
    out += [transformer.feed(b'"\n'), transformer.finish()]
    assert b"".join(out) == b'"' + (b"\n" * 100 + b"X" * 900) * 3000 + b'"\n'


def outcome(options: CopyOptions, pieces: list[bytes]) -> bytes | str:
    """What comes of a stream fed in these pieces: the bytes, or the error."""
    transformer = copy_transformer(options, BOTH)
    try:
        return b"".join([transformer.feed(piece) for piece in pieces]) + transformer.finish()
    except ServerError as error:
        return f"{error.sqlstate} {error.message}"


ALPHABET = [
    b"a",
    b"\t",
    b",",
    b'"',
    b"\\",
    b".",
    b"\n",
    b"\r",
    b"\r\n",
    b"a\tb\n",
    b"a,b\n",
    b"\\.\n",
    b"\\N",
]
FORMATS = [
    TEXT,
    CSV,
    CopyOptions("csv", escape="\\", header=True),
    CopyOptions("csv", server_version=160_000),
]


@given(st.sampled_from(FORMATS), st.lists(st.lists(st.sampled_from(ALPHABET), max_size=8).map(b"".join)))
def test_where_a_stream_is_cut_does_not_matter(options: CopyOptions, pieces: list[bytes]):
    whole = outcome(options, [b"".join(pieces)])
    assert outcome(options, pieces) == whole
    assert outcome(options, [bytes([byte]) for piece in pieces for byte in piece]) == whole


@given(st.lists(st.binary(max_size=8)))
def test_where_a_binary_stream_is_cut_does_not_matter(pieces: list[bytes]):
    pieces = [binary([b"x", None], trailer=False), *pieces]
    whole = outcome(BINARY, [b"".join(pieces)])
    assert outcome(BINARY, pieces) == whole
    assert outcome(BINARY, [bytes([byte]) for piece in pieces for byte in piece]) == whole
