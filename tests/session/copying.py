"""What the tests of COPY share: transforms to tell apart, and streams fed in pieces of several sizes."""

from __future__ import annotations

import pytest

from proxy.errors import ServerError
from proxy.session.copy import CopyOptions, Transform, copy_transformer
from proxy.session.copy_binary import SIGNATURE

Transforms = list[Transform | None]


def sealed(value: bytes) -> bytes:
    return b"<" + value.hex().encode() + b">"


def shout(value: bytes) -> bytes:
    return value.upper()


def stream(options: CopyOptions, transforms: Transforms, data: bytes, piece: int = 0) -> bytes:
    """The data transformed, fed whole or in pieces of that many bytes."""
    transformer = copy_transformer(options, transforms)
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)] if piece else [data]
    return b"".join([transformer.feed(piece) for piece in pieces]) + transformer.finish()


def check(options: CopyOptions, transforms: Transforms, data: bytes, expected: bytes) -> None:
    for piece in (0, 1, 2, 3, 5):
        assert stream(options, transforms, data, piece) == expected


def fails(options: CopyOptions, transforms: Transforms, data: bytes, sqlstate: str = "22P04") -> None:
    for piece in (0, 1, 3):
        with pytest.raises(ServerError) as caught:
            stream(options, transforms, data, piece)
        assert caught.value.sqlstate == sqlstate


TEXT = CopyOptions("text")
CSV = CopyOptions("csv")
SECOND: Transforms = [None, shout]
BOTH: Transforms = [shout, shout]


def binary(*rows: list[bytes | None], flags: int = 0, extension: bytes = b"", trailer: bool = True) -> bytes:
    """A stream of COPY's binary format."""
    pieces = [SIGNATURE, flags.to_bytes(4, "big"), len(extension).to_bytes(4, "big"), extension]
    for row in rows:
        pieces.append(len(row).to_bytes(2, "big"))
        for value in row:
            size = -1 if value is None else len(value)
            pieces += (size.to_bytes(4, "big", signed=True), value or b"")
    return b"".join(pieces) + (b"\xff\xff" if trailer else b"")


BINARY = CopyOptions("binary")
