"""Options of sockets, the same on both legs."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket

# A peer that vanished is found after about two minutes, on an idle connection. There is no TCP_USER_TIMEOUT,
# as by default in PostgreSQL: Linux also counts a peer that is alive and does not read, such as a pager.
KEEPALIVE_IDLE = 60
KEEPALIVE_INTERVAL = 10
KEEPALIVE_COUNT = 6


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """No delay for small writes, and probes that find a dead peer; nothing for a Unix socket."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    with contextlib.suppress(AttributeError, OSError):  # what the platform does not have
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_COUNT)


def is_unix(transport: asyncio.BaseTransport) -> bool:
    sock = transport.get_extra_info("socket")
    return sock is not None and sock.family == socket.AF_UNIX


def peer_host(transport: asyncio.BaseTransport) -> str:
    """The address of the peer without its port; `local` over a Unix socket, nothing where it is gone."""
    if is_unix(transport):
        return "local"
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""


def is_local(transport: asyncio.BaseTransport) -> bool:
    """Whether the peer is on this very host: a Unix socket, or a loopback address."""
    if is_unix(transport):
        return True
    peer = transport.get_extra_info("peername")
    if not isinstance(peer, tuple) or not peer:
        return False
    address = ipaddress.ip_address(peer[0].partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
