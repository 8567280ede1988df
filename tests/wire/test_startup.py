"""The untyped first packet of a connection."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire import startup as s
from proxy.wire.errors import ProtocolError

STARTUP = s.StartupMessage(s.PROTOCOL_3_0, {b"user": b"ada", b"database": b"app"})
PACKETS: list[tuple[Any, bytes]] = [
    (STARTUP, b"\0\0\0\x1f\0\3\0\0user\0ada\0database\0app\0\0"),
    (s.StartupMessage(s.PROTOCOL_3_2), b"\0\0\0\x09\0\3\0\2\0"),
    (s.CancelRequest(7, b"abcd"), b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x07abcd"),
    (s.CancelRequest(-7, b"k" * 256), b"\0\0\1\x0c\x04\xd2\x16\x2e\xff\xff\xff\xf9" + b"k" * 256),
    (s.SSLRequest(), b"\0\0\0\x08\x04\xd2\x16\x2f"),
    (s.GSSENCRequest(), b"\0\0\0\x08\x04\xd2\x16\x30"),
]


@pytest.mark.parametrize(("packet", "written"), PACKETS)
def test_whole(packet: Any, written: bytes):
    assert packet.pack() == written
    assert s.startup_size(written) == len(written)
    assert s.parse_startup(written[4:]) == packet
    assert s.parse_startup(memoryview(written)[4:]) == packet


@pytest.mark.parametrize("packet", [STARTUP, s.SSLRequest(), s.CancelRequest(7, b"abcd")])
def test_cut_short_at_each_byte(packet: Any):
    body = packet.pack()[4:]
    for size in range(len(body)):
        with pytest.raises(ProtocolError):
            s.parse_startup(body[:size])


@pytest.mark.parametrize("packet", [STARTUP, s.SSLRequest(), s.GSSENCRequest()])
def test_data_after_it(packet: Any):
    with pytest.raises(ProtocolError):
        s.parse_startup(packet.pack()[4:] + b"x")


@pytest.mark.parametrize("size", [-1, 0, 7, 10_005, 0x16030100, 2**31 - 1])
def test_an_impossible_length_is_refused(size: int):
    with pytest.raises(ProtocolError):
        s.startup_size(size.to_bytes(4, "big", signed=True))


@pytest.mark.parametrize("size", [3, 257])
def test_a_cancel_key_has_4_to_256_bytes(size: int):
    with pytest.raises(ProtocolError):
        s.parse_startup(s.CancelRequest(7, b"k" * size).pack()[4:])


def test_version_parts():
    assert (STARTUP.major, STARTUP.minor) == (3, 0)
    assert s.StartupMessage(s.PROTOCOL_3_2).minor == 2


def test_a_name_that_comes_twice_has_its_last_value():
    body = b"\0\3\0\0user\0ada\0user\0bob\0\0"
    assert s.parse_startup(body) == s.StartupMessage(s.PROTOCOL_3_0, {b"user": b"bob"})


@given(st.binary(max_size=60))
def test_any_bytes_are_a_packet_or_a_protocol_error(data: bytes):
    for body in (data, b"\0\3\0\0" + data, b"\x04\xd2\x16\x2e" + data):
        try:
            packet = s.parse_startup(body)
        except ProtocolError:
            continue
        assert s.parse_startup(packet.pack()[4:]) == packet
