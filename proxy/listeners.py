"""Sockets to listen on: reserved once, before workers are forked, so that a port in use is found at once.

TCP   each worker listens on a socket of its own (SO_REUSEPORT), so that a dead worker is left out by the
      kernel; what `reserve` keeps is bound but does not listen: it holds the port.
Unix  one socket listens for all workers.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterable
from pathlib import Path

from proxy.addresses import Endpoint
from proxy.config import ConfigError

_BACKLOG = 1024
_REUSEPORT = getattr(socket, "SO_REUSEPORT", None)


class Reservation:
    """The sockets of one list of endpoints, kept for as long as pgveil runs."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        """Raises ConfigError with the address that cannot be had."""
        self._held: list[socket.socket] = []
        self._paths: list[Path] = []
        try:
            for endpoint in endpoints:
                self._reserve(endpoint)
        except BaseException:
            self.release()
            raise

    @property
    def addresses(self) -> list[str]:
        """Where the sockets really are."""
        return [_name(sock) for sock in self._held]

    def sockets(self) -> list[socket.socket]:
        """The sockets for one worker to listen on."""
        return [sock if sock.family == socket.AF_UNIX else _sibling(sock) for sock in self._held]

    def forget(self) -> None:
        """In a forked worker: leave everything to the parent."""
        self._paths.clear()

    def release(self) -> None:
        """Close what is held, and remove the Unix sockets."""
        for sock in self._held:
            sock.close()
        for path in self._paths:
            with contextlib.suppress(OSError):
                path.unlink()
        self._held.clear()
        self._paths.clear()

    def _reserve(self, endpoint: Endpoint) -> None:
        try:
            if endpoint.unix:
                self._held.append(_bind_unix(Path(endpoint.socket_path)))
                self._paths.append(Path(endpoint.socket_path))
                return
            for family, address in _resolve(endpoint):
                self._held.append(_bind_tcp(family, address))
        except OSError as error:
            reason = (
                "address in use" if error.errno == errno.EADDRINUSE else error.strerror or "cannot be had"
            )
            raise ConfigError([f"cannot listen on {endpoint}: {reason}"]) from None


def _resolve(endpoint: Endpoint) -> list[tuple[int, tuple[str, int]]]:
    """Every address of a name; `*` is any address, of both families where there is IPv6."""
    host = None if endpoint.host == "*" else endpoint.host
    found = socket.getaddrinfo(host, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(
        dict.fromkeys((family, (str(host), int(port))) for family, _, _, _, (host, port, *_) in found)
    )


def _bind_tcp(family: int, address: tuple[str, int]) -> socket.socket:
    """A socket that holds the port and does not listen."""
    with _tcp_socket(family) as probe:  # without SO_REUSEPORT: another pgveil's port is not ours to share
        probe.bind(address)
        name = probe.getsockname()
    sock = _tcp_socket(family, reuse=True)
    sock.bind(name)
    return sock


def _tcp_socket(family: int, *, reuse: bool = False) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if reuse and _REUSEPORT is not None:
        sock.setsockopt(socket.SOL_SOCKET, _REUSEPORT, 1)
    return sock


def _sibling(held: socket.socket) -> socket.socket:
    """A socket on the same port; the held one itself where a port cannot be shared."""
    if _REUSEPORT is None:
        return held
    sock = _tcp_socket(held.family, reuse=True)
    sock.bind(held.getsockname())
    return sock


def _bind_unix(path: Path) -> socket.socket:
    """A listening Unix socket; one that a dead process left behind is replaced."""
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(path))
        path.chmod(0o777)  # as PostgreSQL: who may connect is decided by the directory and by authentication
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _remove_stale(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise OSError(errno.EEXIST, "is there, and is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()  # nobody listens there any more
        else:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _name(sock: socket.socket) -> str:
    if sock.family == socket.AF_UNIX:
        return str(sock.getsockname())
    host, port = sock.getsockname()[:2]
    return str(Endpoint(host, port))
