"""COPY's binary format."""

from __future__ import annotations

import pytest

from tests.session.copying import BINARY, Transforms, binary, check, fails, sealed, shout


def test_rows():
    transforms: Transforms = [None, shout, None, shout]
    check(
        BINARY,
        transforms,
        binary([b"a", b"b", None, b"d"], [None, None, b"", None], [b"e", b"", b"g", b"hh" * 99]),
        binary([b"a", b"B", None, b"D"], [None, None, b"", None], [b"e", b"", b"g", b"HH" * 99]),
    )
    check(BINARY, [sealed], binary([b"a"], extension=b"more"), binary([b"<61>"], extension=b"more"))
    check(BINARY, [sealed], binary([b"a"], flags=7, trailer=False), binary([b"<61>"], flags=7, trailer=False))
    check(BINARY, [sealed], binary(), binary())


@pytest.mark.parametrize(
    "data",
    [
        b"PGCOPY\n\xff\r\r\0" + bytes(8),
        binary([b"a"], flags=1 << 16),
        binary([b"a"], flags=1 << 31),
        binary([b"a", b"b"]),
        binary([]),
        binary([b"a"]) + b"x",
        binary([b"a"], trailer=False) + b"\0",
        binary([b"a"], trailer=False)[:-1],
        binary(trailer=False) + b"\0\1\xff\xff\xff\xfe",
        binary(trailer=False)[:-1],
    ],
)
def test_streams_that_postgresql_would_not_take(data: bytes):
    fails(BINARY, [sealed], data)
