"""Rows rewritten in bulk are the rows that the dataclass would have made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.backend import CommandComplete, DataRow
from proxy.wire.errors import ProtocolError
from proxy.wire.rows import NullValue, Opener, make_row_rewriter

Row = tuple[bytes | None, ...]


def shout(value: bytes) -> bytes:
    return value.upper() + b"!"


def shrink(value: bytes) -> bytes:
    return value[:1]


def erase(value: bytes) -> bytes:
    """The key of every other value was destroyed."""
    if len(value) % 2:
        raise NullValue
    return value


def shown(opener: Opener | None, value: bytes | None) -> bytes | None:
    if value is None or opener is None:
        return value
    try:
        return opener(value)
    except NullValue:
        return None


def packed(rows: list[Row]) -> bytes:
    return b"".join(DataRow(row).pack() for row in rows)


def rewritten(openers: list[Opener | None], data: bytes) -> tuple[bytes, int, int]:
    out: list[bytes] = []
    at, rows = make_row_rewriter(openers)(data, 0, len(data), out)
    return b"".join(out), at, rows


def expected(openers: list[Opener | None], rows: list[Row]) -> bytes:
    return packed(
        [tuple(shown(opener, value) for value, opener in zip(row, openers, strict=True)) for row in rows]
    )


def test_protected_columns_are_opened_and_the_others_left():
    rows: list[Row] = [(b"1", b"ada", b"x", b"secret", b"z"), (b"22", b"", b"", b"", b"")]
    openers = [None, shout, None, shrink, None]
    result, at, count = rewritten(openers, packed(rows))
    assert result == packed([(b"1", b"ADA!", b"x", b"s", b"z"), (b"22", b"!", b"", b"", b"")])
    assert (at, count) == (len(packed(rows)), 2)


def test_null_stays_null_wherever_it_stands():
    openers = [shout, None, shout, None]
    for mask in range(16):
        row: Row = tuple(None if mask >> i & 1 else b"v%d" % i for i in range(4))
        assert rewritten(openers, packed([row]))[0] == expected(openers, [row])


def test_a_value_may_become_null():
    rows: list[Row] = [(b"1", b"xx", b"a"), (b"2", b"x", b"b"), (b"3", b"x", None), (b"4", b"xx", b"c")]
    assert rewritten([None, erase, shout], packed(rows)) == (
        packed([(b"1", b"xx", b"A!"), (b"2", None, b"B!"), (b"3", None, None), (b"4", b"xx", b"C!")]),
        len(packed(rows)),
        4,
    )


def test_the_first_frame_of_another_type_stops_it():
    rows = packed([(b"a",), (b"b",)])
    data = rows + CommandComplete(b"SELECT 2").pack() + packed([(b"c",)])
    assert rewritten([shout], data) == (packed([(b"A!",), (b"B!",)]), len(rows), 2)


def test_it_starts_and_ends_where_it_is_told():
    data = packed([(b"a",), (b"b",), (b"c",)])
    one = len(data) // 3
    out: list[bytes] = [b"before"]
    assert make_row_rewriter([shout])(data, one, 2 * one, out) == (2 * one, 1)
    assert b"".join(out) == b"before" + packed([(b"B!",)])


def test_a_row_that_is_not_there_whole_is_left_for_later():
    first, second = packed([(b"a", b"first")]), packed([(b"b", b"second")])
    for cut in range(len(second)):
        result, at, count = rewritten([None, shout], first + second[:cut])
        assert (result, at, count) == (packed([(b"a", b"FIRST!")]), len(first), 1)


@pytest.mark.parametrize("size", [2040, 2047, 2048, 2049, 70_000])
def test_sizes_around_the_kept_ones(size: int):
    rows: list[Row] = [(b"i" * size, b"v" * size, b"t" * size), (None, b"v" * (size - 1), b"")]
    openers = [None, shout, shrink]
    assert rewritten(openers, packed(rows))[0] == expected(openers, rows)


def test_a_failing_opener_leaves_the_rows_before_it():
    def fussy(value: bytes) -> bytes:
        if value == b"bad":
            raise KeyError("no")
        return value

    out: list[bytes] = []
    data = packed([(b"x", b"ok", b"y"), (b"x", b"bad", b"y"), (b"x", b"ok", b"y")])
    with pytest.raises(KeyError):
        make_row_rewriter([fussy, fussy, None])(data, 0, len(data), out)
    assert b"".join(out) == packed([(b"x", b"ok", b"y")])


def test_nothing_to_open_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError):
        make_row_rewriter([None, None])
    with pytest.raises(ValueError):
        make_row_rewriter([])


MALFORMED = {
    "another count of columns": b"D\0\0\0\x0e\0\1\0\0\0\1a\0\0\0\1b"[:15],
    "no room for a column": b"D\0\0\0\x06\0\2",
    "no room for a count": b"D\0\0\0\x04",
    "a length below that of a header": b"D\0\0\0\0\0\2\0\0\0\1a\0\0\0\1b",
    "a negative length of the frame": b"D\xff\xff\xff\xff\0\2\0\0\0\1a\0\0\0\1b",
    "an unprotected column with a negative length": b"D\0\0\0\x10\0\2\xff\xff\xff\xfe\0\0\0\1b\0",
    "a protected column with a negative length": b"D\0\0\0\x10\0\2\0\0\0\1b\xff\xff\xff\xfe\0",
    "a value longer than its frame": b"D\0\0\0\x10\0\2\0\0\0\1a\0\0\0\2b",
    "a value longer than its frame, with data after it": b"D\0\0\0\x10\0\2\0\0\0\1a\0\0\0\2b" + b"D" * 99,
    "a first value longer than all": b"D\0\0\0\x10\0\2\0\0\1\0a\0\0\0\2b",
    "a NULL past the end": b"D\0\0\0\x0b\0\2\0\0\0\1a" + b"\xff" * 20,
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed_rows_are_refused(data: bytes):
    with pytest.raises(ProtocolError):
        rewritten([None, bytes], data)


values = st.none() | st.binary(max_size=12) | st.integers(2040, 2060).map(bytes)


@given(st.data(), st.integers(1, 6))
def test_any_rows_in_any_pieces(data: st.DataObject, columns: int):
    openers = data.draw(
        st.lists(st.sampled_from([None, shout, shrink, erase]), min_size=columns, max_size=columns)
    )
    if not any(openers):
        openers[data.draw(st.integers(0, columns - 1))] = shout
    rows = data.draw(st.lists(st.tuples(*[values] * columns), max_size=6))
    stream = packed(rows)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    rewrite = make_row_rewriter(openers)
    out: list[bytes] = []
    rest, done = b"", 0
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        buffer = rest + stream[start:end]
        at, count = rewrite(buffer, 0, len(buffer), out)
        rest = buffer[at:]
        done += count
    assert (rest, done) == (b"", len(rows))
    assert b"".join(out) == expected(openers, rows)


def null(value: bytes) -> bytes:
    raise NullValue


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("openers", [[null, bytes], [bytes, null], [null, None]])
def test_malformed_rows_are_refused_where_values_become_null(data: bytes, openers: list[Opener | None]):
    with pytest.raises(ProtocolError):
        rewritten(openers, data)


@given(st.binary(max_size=60), st.sampled_from([[bytes], [None, bytes], [bytes, None, bytes, None]]))
def test_any_bytes_are_rows_or_a_protocol_error(data: bytes, openers: list[Opener | None]):
    for stream in (data, b"D\0\0\0\x20\0" + bytes([len(openers)]) + data):
        try:
            result, at, _ = rewritten(openers, stream)
        except ProtocolError:
            continue
        assert result == stream[:at]
