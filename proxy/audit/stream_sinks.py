"""The trail as a stream: standard output, and syslog (RFC 5424). Each process has a chain of its own.

A stream ends with a seal when its process ends in order, so that a missing end shows. What could not be sent
is sent again: a record may come twice, byte for byte.

Everything here blocks, and runs in a thread of its own.
"""

from __future__ import annotations

import os
import re
import select
import socket
import time
from collections.abc import Sequence
from typing import Any, Protocol

from proxy.addresses import Endpoint, SyslogAddress
from proxy.audit.chain import ChainKeys, chained, new_chain
from proxy.audit.record import Entry, Event, timestamp

TIMEOUT = 5.0  # seconds for a syslog server to take a record

_PRIORITY = 10 * 8 + 5  # security messages (authpriv), notice
_ACTOR = "pgveil"


class Channel(Protocol):
    """What takes lines, each with its newline."""

    def send(self, line: bytes) -> None: ...  # raises OSError
    def close(self) -> None: ...


class StreamSink:
    """Sends each line by `channel`."""

    def __init__(self, name: str, channel: Channel) -> None:
        self._name = name
        self._channel = channel
        self._link = new_chain()

    def __str__(self) -> str:
        return self._name

    def check(self) -> None:
        """Nothing can be said before there is a record."""

    def write(self, entries: Sequence[Entry], keys: ChainKeys) -> None:
        """Send records. Raises OSError; those before the failure have been sent, and may come again."""
        if not self._link.seq:
            opened = Entry(Event.OPENED.value, time.time(), _ACTOR, (("follows", "nothing"),))
            entries = [opened, *entries]
        for entry in entries:
            line, link = chained(entry, self._link, keys.newest)
            self._channel.send(line)
            self._link = link

    def close(self, keys: ChainKeys) -> None:
        """End the chain with its seal. Raises OSError."""
        if self._link.seq:
            self.write([Entry(Event.SEALED.value, time.time(), _ACTOR)], keys)
        self._channel.close()


class Descriptor:
    """Writes to a file descriptor; a line of less than PIPE_BUF bytes is never mixed with another's."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, line: bytes) -> None:
        """Raises OSError."""
        view = memoryview(line)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def close(self) -> None:
        """Nothing to do: it belongs to the process."""


class Syslog:
    """Sends lines as messages of RFC 5424: a datagram each (Unix socket, UDP), or counted by octets (TCP)."""

    def __init__(self, address: SyslogAddress) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        host = re.sub(r"[^!-~]", "", socket.gethostname())[:255] or "-"
        self._head = f"{host} pgveil {os.getpid()} audit -"

    def send(self, line: bytes) -> None:
        """Raises OSError; the next call connects again."""
        message = f"<{_PRIORITY}>1 {timestamp(time.time())} {self._head} ".encode() + line.rstrip(b"\n")
        try:
            sock = self._connected()
            if sock.type == socket.SOCK_STREAM:
                sock.sendall(b"%d %b" % (len(message), message))
            else:
                sock.send(message)
        except OSError:
            self.close()
            raise

    def _connected(self) -> socket.socket:
        if self._socket is not None and _ended(self._socket):
            self.close()
        if self._socket is None:
            self._socket = self._connect()
        return self._socket

    def _connect(self) -> socket.socket:
        where = self._address.where
        if not isinstance(where, Endpoint):
            return _datagrams(socket.AF_UNIX, where)
        if self._address.kind == "tcp":
            return socket.create_connection((where.host, where.port), TIMEOUT)
        family, _, _, _, place = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_DGRAM)[0]
        return _datagrams(family, place)

    def close(self) -> None:
        """Let go of the connection; the next record makes another one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _datagrams(family: socket.AddressFamily, where: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.settimeout(TIMEOUT)
        sock.connect(where)
    except OSError:
        sock.close()
        raise
    return sock


def _ended(sock: socket.socket) -> bool:
    """Whether the other side has closed a stream: what is sent then would vanish without an error."""
    if sock.type != socket.SOCK_STREAM:
        return False
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    try:
        return bool(poll.poll(0)) and sock.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True
