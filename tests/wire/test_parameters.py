"""Bind messages sealed in place: the same as taken apart and put together, for any values and formats."""

from __future__ import annotations

from struct import error

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.errors import ProtocolError
from proxy.wire.frames import HEADER
from proxy.wire.frontend import Bind
from proxy.wire.parameters import raw_formats, rewrite_parameters

VALUES = st.lists(st.one_of(st.none(), st.binary(max_size=300)), max_size=6)


def shout(value: bytes) -> bytes:
    return value.upper() + b"!" * (len(value) % 5)


def rewritten(message: Bind, protected: list[bool], before: bytes = b"", after: bytes = b"") -> bytes:
    frame = message.pack()
    data = before + frame + after
    at = len(before) + HEADER + len(message.portal) + len(message.statement) + 2
    formats = raw_formats(data, at)
    sealers = [shout if is_protected else None for is_protected in protected]
    end = len(before) + len(frame)
    sealed, found = rewrite_parameters(data, len(before), at + len(formats), end, sealers)
    assert found == message.result_formats
    return sealed


@given(VALUES, st.data())
def test_as_if_taken_apart(values: list[bytes | None], data: st.DataObject) -> None:
    """Also in the middle of a chunk, whose other bytes are nobody's business."""
    protected = [data.draw(st.booleans()) for _ in values]
    names = data.draw(st.tuples(*[st.binary(max_size=5).filter(lambda name: 0 not in name)] * 2))
    formats = data.draw(st.sampled_from([(), (1,), (0,), (1,) * len(values)]))
    results = data.draw(st.lists(st.sampled_from([0, 1]), max_size=3).map(tuple))
    message = Bind(*names, formats, tuple(values), results)
    expected = tuple(
        shout(value) if is_protected and value is not None else value
        for value, is_protected in zip(values, protected, strict=True)
    )
    surroundings = data.draw(st.tuples(st.binary(max_size=9), st.binary(max_size=9)))
    assert rewritten(message, protected, *surroundings) == Bind(*names, formats, expected, results).pack()


@given(VALUES.filter(bool), st.data())
def test_whatever_is_cut_or_altered_is_an_error_or_a_bind(
    values: list[bytes | None], data: st.DataObject
) -> None:
    frame = bytearray(Bind(b"", b"s", (), tuple(values), (1,)).pack())
    for _ in range(data.draw(st.integers(0, 3))):
        frame[data.draw(st.integers(HEADER + 7, len(frame) - 1))] = data.draw(st.integers(0, 255))
    del frame[data.draw(st.integers(HEADER + 7, len(frame))) :]
    try:
        sealed, formats = rewrite_parameters(bytes(frame), 0, HEADER + 5, len(frame), [shout] * len(values))
    except (ProtocolError, error):
        return
    assert len(Bind.parse(sealed[HEADER:]).params) == len(values)
    assert Bind.parse(sealed[HEADER:]).result_formats == formats


def test_an_error_of_a_sealer_is_raised() -> None:
    def refuse(value: bytes) -> bytes:
        raise ValueError("no")

    frame = Bind(b"", b"", (), (b"x",)).pack()
    with pytest.raises(ValueError, match="no"):
        rewrite_parameters(frame, 0, HEADER + 4, len(frame), [refuse])
