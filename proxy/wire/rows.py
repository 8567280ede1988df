"""DataRow frames, backend to frontend, rewritten in bulk: the hottest code of pgveil.

PostgreSQL documentation, 54.7 (DataRow): type byte D, int32 length, int16 count of columns, then for
each an int32 length (-1: NULL) and that many bytes.

A rewriter walks a row by its lengths, up to the last protected column only, and hands the pieces to a
list that its caller joins once. What makes it fast (`bench/rows.py` measures it): one `unpack_from`
call cuts out a column *and* reads the length of the next one, by a layout that is kept for each
length; lengths that are often needed are kept packed; nothing is allocated that is not part of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from struct import Struct, error
from typing import Any

from proxy.wire.errors import ProtocolError
from proxy.wire.frames import DATA_ROW, HEADER, LENGTH

Opener = Callable[[bytes], bytes]  # it may raise NullValue
RowRewriter = Callable[[bytes, int, int, list[bytes]], tuple[int, int]]
_Unpack = Callable[[bytes, int], tuple[Any, ...]]
_NULL = LENGTH.pack(-1)

_KEPT = 2048  # sizes below this one keep their layout and their packed form
_PACKED = tuple([LENGTH.pack(size) for size in range(_KEPT)])
_START = Struct("!BiHi")  # type, length, count of columns, length of the first column
_HEAD = Struct("!BiH")


class NullValue(Exception):
    """What an opener raises for a value that the client sees as NULL: rare, and so no concern of the rest."""


class _Columns(dict[int, _Unpack]):
    """Length of a column -> unpack, from its length field on: (that field and the value, next length)."""

    def __missing__(self, size: int) -> _Unpack:
        if size < -1:
            raise ProtocolError("invalid length of a column")
        unpack = Struct(f"!{4 + max(size, 0)}si").unpack_from
        if size < _KEPT:
            self[size] = unpack
        return unpack


class _Values(dict[int, _Unpack]):
    """Length of a column that is not NULL -> unpack, from its length field on: (value, next length)."""

    def __missing__(self, size: int) -> _Unpack:
        unpack = Struct(f"!4x{size}si").unpack_from
        if size < _KEPT:
            self[size] = unpack
        return unpack


class _Heads(dict[int, bytes]):
    """Length of a DataRow frame of `count` columns -> the frame up to its first column."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __missing__(self, length: int) -> bytes:
        head = _HEAD.pack(DATA_ROW, length, self.count)
        if length < _KEPT:
            self[length] = head
        return head


_columns = _Columns()
_values = _Values()
_heads = cache(_Heads)


def make_row_rewriter(openers: Sequence[Opener | None]) -> RowRewriter:
    """Make the rewriter of rows whose column i goes through openers[i], or is left alone where that is None.

    `rewrite(buffer, start, end, out)` rewrites the whole DataRow frames from `start` on, up to the first
    frame that is of another type or not there whole before `end`; it appends the pieces to `out` and
    returns where it stopped and how many rows it did. NULL stays NULL: its opener is not called.

    Raises ProtocolError for a row that is malformed or has another count of columns, and whatever an
    opener raises; `out` then ends with the last row before that one.
    """
    last = max((i for i, opener in enumerate(openers) if opener is not None), default=-1)
    if last < 0 or (open_last := openers[last]) is None:
        raise ValueError("a row rewriter needs at least one protected column")
    most = _rewriter(len(openers), tuple(openers[:last]), open_last)

    def rewrite(buffer: bytes, start: int, end: int, out: list[bytes]) -> tuple[int, int]:
        at, rows, met_null = most(buffer, start, end, out)
        while met_null:
            at = _with_nulls(buffer, at, openers, out)
            at, more, met_null = most(buffer, at, end, out)
            rows += 1 + more
        return at, rows

    return rewrite


def _with_nulls(buffer: bytes, at: int, openers: Sequence[Opener | None], out: list[bytes]) -> int:
    """Rewrite the one row at `at`, of so many columns, the frame of which is there; returns where it ends.

    Raises ProtocolError.
    """
    following = at + 1 + LENGTH.unpack_from(buffer, at + 1)[0]
    position = at + _HEAD.size
    columns: list[bytes] = []
    for opener in openers:
        if position + 4 > following:
            break
        (size,) = LENGTH.unpack_from(buffer, position)
        if size < -1:
            raise ProtocolError("invalid length of a column")
        whole = buffer[position : position + 4 + max(size, 0)]
        position += 4 + max(size, 0)
        if position > following:
            break
        if opener is not None and size >= 0:
            try:
                value = opener(whole[4:])
                whole = LENGTH.pack(len(value)) + value
            except NullValue:
                whole = _NULL
        columns.append(whole)
    if len(columns) != len(openers) or position != following:
        raise ProtocolError("a row is shorter than its columns")
    row = b"".join(columns)
    out += (_HEAD.pack(DATA_ROW, _HEAD.size - 1 + len(row), len(openers)), row)
    return position


def _rewriter(
    columns: int, openers: tuple[Opener | None, ...], open_last: Opener
) -> Callable[[bytes, int, int, list[bytes]], tuple[int, int, bool]]:
    """The rewriter of rows in which nothing becomes NULL; it stops at one in which something does."""
    read_start, read_column, read_value = _START.unpack_from, _columns, _values
    packed, kept, heads = _PACKED, _KEPT, _heads(columns)

    def rewrite(buffer: bytes, start: int, end: int, out: list[bytes]) -> tuple[int, int, bool]:
        # `position` is always that of a column's length field, and `size` the length that stands there.
        at = start
        rows = 0
        row_start = len(out)
        append = out.append
        stop = end - _START.size
        try:
            while at <= stop:
                kind, length, count, size = read_start(buffer, at)
                following = at + 1 + length
                if kind != DATA_ROW or following > end:
                    break
                if count != columns:
                    raise ProtocolError("a row has another number of columns than its description")
                row_start = len(out)
                append(b"")  # the head, whose length is known last
                position = at + _HEAD.size
                for opener in openers:
                    if opener is None or size < 0:
                        column, size = read_column[size](buffer, position)
                        append(column)
                        position += len(column)
                    else:
                        value, next_size = read_value[size](buffer, position)
                        value = opener(value)
                        new_size = len(value)
                        append(packed[new_size] if new_size < kept else LENGTH.pack(new_size))
                        append(value)
                        position += 4 + size
                        length += new_size - size
                        size = next_size
                if size >= 0:
                    value_end = position + 4 + size
                    if value_end > following:
                        raise ProtocolError("a row is shorter than its columns")
                    value = open_last(buffer[position + 4 : value_end])
                    new_size = len(value)
                    append(packed[new_size] if new_size < kept else LENGTH.pack(new_size))
                    append(value)
                    append(buffer[value_end:following])
                    length += new_size - size
                elif size == -1 and position + 4 <= following:
                    append(buffer[position:following])
                else:
                    raise ProtocolError("a row is shorter than its columns")
                out[row_start] = heads[length]
                at = following
                rows += 1
        except NullValue:
            del out[row_start:]
            return at, rows, True
        except error:
            del out[row_start:]
            raise ProtocolError("a row is shorter than its columns") from None
        except BaseException:
            del out[row_start:]
            raise
        _check_rest(buffer, at, end)
        return at, rows, False

    return rewrite


def _check_rest(buffer: bytes, at: int, end: int) -> None:
    """Raise ProtocolError where a DataRow frame at `at` is whole, but too short to have a column."""
    if end - at >= HEADER and buffer[at] == DATA_ROW:
        following = at + 1 + LENGTH.unpack_from(buffer, at + 1)[0]
        if following <= end:
            raise ProtocolError("a row is shorter than its columns")
