"""What a connection is, by its socket."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from proxy.sockets import is_local, is_unix, keep_alive


class Transport(asyncio.BaseTransport):
    def __init__(self, family: int, peer: Any) -> None:
        super().__init__({"socket": socket.socket(family), "peername": peer})


@pytest.mark.parametrize(
    ("family", "peer", "local"),
    [
        (socket.AF_INET, ("127.0.0.1", 1), True),
        (socket.AF_INET, ("127.8.8.8", 1), True),
        (socket.AF_INET, ("192.0.2.1", 1), False),
        (socket.AF_INET6, ("::1", 1, 0, 0), True),
        (socket.AF_INET6, ("fe80::1%eth0", 1, 0, 2), False),
        (socket.AF_INET6, ("::ffff:127.0.0.1", 1, 0, 0), True),
        (socket.AF_INET6, ("::ffff:192.0.2.1", 1, 0, 0), False),
        (socket.AF_UNIX, "", True),
    ],
)
def test_who_is_on_this_host(family: int, peer: Any, local: bool) -> None:
    transport = Transport(family, peer)
    assert is_local(transport) is local
    assert is_unix(transport) is (family == socket.AF_UNIX)
    transport.get_extra_info("socket").close()


def test_a_connection_is_kept_alive_and_has_no_delay() -> None:
    transport = Transport(socket.AF_INET, None)
    keep_alive(transport)
    sock = transport.get_extra_info("socket")
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    sock.close()


def test_a_unix_socket_needs_nothing() -> None:
    transport = Transport(socket.AF_UNIX, "")
    keep_alive(transport)
    transport.get_extra_info("socket").close()
