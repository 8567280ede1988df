"""Where frames begin and end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire import frames
from proxy.wire.errors import ProtocolError
from proxy.wire.frames import (
    BACKEND_LIMITS,
    DATA_ROW,
    FRONTEND_LIMITS,
    LARGE,
    QUERY,
    READY_FOR_QUERY,
    SMALL,
    SYNC,
    boundaries,
    frame,
)


def header(kind: int, length: int) -> bytes:
    return bytes([kind]) + length.to_bytes(4, "big", signed=True)


def test_a_frame_counts_its_length_but_not_its_type():
    assert frame(SYNC) == b"S\0\0\0\x04"
    assert frame(QUERY, b"x\0") == b"Q\0\0\0\x06x\0"


def test_boundaries_of_whole_frames_only():
    data = frame(QUERY, b"select 1\0") + frame(SYNC) + b"Q\0\0\0\x05"
    assert list(boundaries(data, FRONTEND_LIMITS)) == [(QUERY, 0, 14), (SYNC, 14, 19)]
    assert list(boundaries(data, FRONTEND_LIMITS, 14)) == [(SYNC, 14, 19)]
    assert list(boundaries(data, FRONTEND_LIMITS, 0, 18)) == [(QUERY, 0, 14)]


def test_an_unknown_type_is_refused_by_direction():
    with pytest.raises(ProtocolError):
        list(boundaries(frame(READY_FOR_QUERY, b"I"), FRONTEND_LIMITS))
    with pytest.raises(ProtocolError):
        list(boundaries(frame(QUERY, b"\0"), BACKEND_LIMITS))
    assert list(boundaries(frame(READY_FOR_QUERY, b"I"), BACKEND_LIMITS)) == [(READY_FOR_QUERY, 0, 6)]


@pytest.mark.parametrize("length", [-(2**31), -1, 0, 3, SMALL + 1, 2**31 - 1])
def test_an_impossible_length_is_refused_before_the_body_comes(length: int):
    with pytest.raises(ProtocolError):
        list(boundaries(header(SYNC, length), FRONTEND_LIMITS))


@pytest.mark.parametrize(("kind", "length"), [(SYNC, SMALL), (QUERY, LARGE), (QUERY, 4)])
def test_the_greatest_length_of_a_type_is_allowed(kind: int, length: int):
    assert frames.frame_size(header(kind, length), 0, FRONTEND_LIMITS) == length + 1
    with pytest.raises(ProtocolError):
        frames.frame_size(header(QUERY, LARGE + 1), 0, FRONTEND_LIMITS)


def test_every_type_byte_is_the_one_of_the_documentation():
    letters = {"BCDEFHPQSXfpcd": FRONTEND_LIMITS, "123ACDEGHIKNRSTVWZnstvcd": BACKEND_LIMITS}
    for written, limits in letters.items():
        assert {chr(kind) for kind in limits} == set(written)


@given(st.lists(st.tuples(st.sampled_from(sorted(BACKEND_LIMITS)), st.binary(max_size=9))), st.data())
def test_any_stream_is_cut_where_it_was_joined(messages: list[tuple[int, bytes]], data: st.DataObject):
    stream = b"".join(frame(kind, body) for kind, body in messages)
    cut = data.draw(st.integers(0, len(stream)))
    found = list(boundaries(stream, BACKEND_LIMITS, 0, cut))
    whole = found[-1][2] if found else 0
    found += boundaries(stream, BACKEND_LIMITS, whole)
    assert [(kind, stream[start + 5 : end]) for kind, start, end in found] == messages


@given(st.binary(max_size=40))
def test_any_bytes_are_frames_or_a_protocol_error(data: bytes):
    for stream in (data, header(DATA_ROW, 10) + data):
        try:
            for _, start, end in boundaries(stream, BACKEND_LIMITS):
                assert 5 <= end - start <= len(stream)
        except ProtocolError:
            pass
