"""Fields of a message's body, each checked against its end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from proxy.wire.errors import ProtocolError
from proxy.wire.reader import INT16, INT32, UINT16, UINT32, Reader, pack_string, pack_value


def test_fields_in_their_order():
    reader = Reader(b"\xff\xfe\xff\xff\xff\xfename\0\0\0\0\2ab\xff\xff\xff\xffrest")
    assert (reader.number(INT16), reader.number(INT32)) == (-2, -2)
    assert (reader.string(), reader.value(), reader.value()) == (b"name", b"ab", None)
    assert reader.rest() == b"rest"
    reader.end()


def test_numbers_with_and_without_a_sign():
    data = b"\xff\xff\xff\xff"
    assert [Reader(data).number(layout) for layout in (INT16, UINT16, INT32, UINT32)] == [
        -1,
        65535,
        -1,
        2**32 - 1,
    ]


def test_counted_fields():
    reader = Reader(b"\0\2\0\1\xff\xff\0\1\xff\xff\xff\xff\0\0\0\1\0\0\0\1x")
    assert reader.counted_int16s() == (1, -1)
    assert reader.counted_oids() == (0xFFFFFFFF,)
    assert reader.counted_values() == ()
    assert reader.counted_values() == (b"x",)


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (lambda r: r.number(INT32), b"\0\0\0"),
        (lambda r: r.string(), b"no end"),
        (lambda r: r.take(3), b"ab"),
        (lambda r: r.take(-1), b"ab"),
        (lambda r: r.value(), b"\0\0\0\2a"),
        (lambda r: r.value(), b"\xff\xff\xff\xfe"),
        (lambda r: r.counted_int16s(), b"\0\2\0\1\0"),
        (lambda r: r.counted_oids(), b"\0"),
        (lambda r: r.counted_values(), b"\0\1"),
        (lambda r: r.end(), b"x"),
    ],
)
def test_what_is_too_short_or_too_long_is_refused(read: Callable[[Reader], object], data: bytes):
    with pytest.raises(ProtocolError):
        read(Reader(data))


def test_values_are_packed_with_their_length():
    assert (pack_value(b"ab"), pack_value(b""), pack_value(None)) == (b"\0\0\0\2ab", bytes(4), b"\xff" * 4)
    assert pack_string(b"ab") == b"ab\0"
