"""Blocks of rows give what the same rows give one by one, or leave them to be taken one by one."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import ServerError
from proxy.session.copy import CopyOptions, CopyTransformer, Transform, copy_transformer
from proxy.session.copy_blocks import MOST
from proxy.wire.frames import COPY_DATA, frame

FORMATS = [
    CopyOptions("text"),
    CopyOptions("text", null="", delimiter="|"),
    CopyOptions("csv"),
    CopyOptions("csv", null="X", quote="'"),
]


def tagged(value: bytes) -> bytes:
    """Gives, for some values, what has to be escaped or quoted, or could be taken for NULL."""
    if value == b"no":
        raise ServerError("no", sqlstate="22P02")
    return {b"x": b"X", b"e": b"", b"n": b"\\N", b"t": b"a\tb,|'\"", b"l": b"a\n,|\t"}.get(
        value, value + b"!"
    )


def one_by_one(options: CopyOptions, transforms: list[Transform | None], data: bytes) -> bytes:
    """Fed in pieces of less than a row."""
    transformer = copy_transformer(options, transforms)
    return b"".join([transformer.feed(data[at : at + 1]) for at in range(len(data))]) + transformer.finish()


def started(options: CopyOptions, transforms: list[Transform | None], row: bytes) -> CopyTransformer:
    """A transformer that knows by now how lines end."""
    transformer = copy_transformer(options, transforms)
    transformer.feed(row)
    return transformer


values = st.lists(
    st.sampled_from([b"x", b"e", b"n", b"t", b"l", b"", b"\\N", b"X", b"\\x41", b"y", b"\xc3\xa9"]),
    min_size=3,
    max_size=3,
)


@given(st.sampled_from(FORMATS), st.lists(values, min_size=2, max_size=6))
def test_a_block_is_what_its_rows_are(options: CopyOptions, rows: list[list[bytes]]) -> None:
    delimiter = (options.delimiter or ("," if options.format == "csv" else "\t")).encode()
    lines = [delimiter.join(row) + b"\n" for row in rows]
    transforms: list[Transform | None] = [tagged, None, tagged]
    expected = one_by_one(options, transforms, b"".join(lines))
    first = one_by_one(options, transforms, lines[0])
    transformer = started(options, transforms, lines[0])
    assert first + transformer.feed(b"".join(lines[1:])) == expected
    transformer = started(options, transforms, lines[0])
    messages = b"".join(frame(COPY_DATA, line) for line in lines[1:])
    found = transformer.rewritten(messages + b"d\0", 0, len(messages) + 2)
    if found is not None:
        assert found[1] == len(messages)
        assert first + b"".join(payloads(found[0], len(lines) - 1)) == expected


def payloads(messages: bytes, count: int) -> list[bytes]:
    """The contents of CopyData messages, which must be so many: drivers take each for a row."""
    found, at = [], 0
    while at < len(messages):
        (length,) = struct.unpack_from("!i", messages, at + 1)
        found.append(messages[at + 5 : at + 1 + length])
        at += 1 + length
    assert len(found) == count
    return found


def test_many_rows_that_are_no_block_are_looked_at_once() -> None:
    """A row with quotes among the next ones sends all of them one by one."""
    transformer = started(CopyOptions("csv"), [None, tagged], b"a,x\n")
    messages = frame(COPY_DATA, b'"a,a",x\n') * 5 * MOST
    looked_at, at = 0, 0
    while at < len(messages):
        rest = _Counted(messages)
        assert transformer.rewritten(rest, at, len(messages)) is None
        looked_at += rest.looked_at
        at += 13
    assert looked_at <= 6 * MOST
    assert transformer.rewritten(frame(COPY_DATA, b"a,x\n"), 0, 9) is None  # until the others are through


class _Counted(bytes):
    """Counts the slices taken of it."""

    looked_at = 0

    def __getitem__(self, place: Any) -> Any:
        self.looked_at += 1
        return super().__getitem__(place)


@pytest.mark.parametrize("options", FORMATS[::2])
def test_the_row_that_fails_is_named_and_those_before_it_are_done(options: CopyOptions) -> None:
    named = CopyOptions(options.format, table="users", columns=("a", "b"))
    row = b"x,%b\n" if options.format == "csv" else b"x\t%b\n"
    transformer = started(named, [None, tagged], row % b"x")
    with pytest.raises(ServerError) as caught:
        transformer.feed(row % b"y" + row % b"no" + row % b"y")
    assert caught.value.context == "COPY users, line 3, column b"
    assert transformer.done == row % b"y!"
    transformer.renew([None, bytes])
    assert transformer.feed(b"") == row % b"no" + row % b"y"


def test_rows_of_uneven_length_do_not_make_up_for_each_other() -> None:
    transformer = started(CopyOptions("text"), [None, tagged], b"a\tx\n")
    with pytest.raises(ServerError, match="extra data"):
        transformer.feed(b"a\tx\ty\na\n")
