"""A client of bare frames: it sends what it is told to, byte for byte, and reads whole messages."""

from __future__ import annotations

import socket
from types import TracebackType

from proxy.wire.frames import BACKEND_LIMITS, ERROR_RESPONSE, HEADER, READY_FOR_QUERY, SYNC, boundaries, frame
from proxy.wire.frontend import Bind, Describe, Execute, Parse, Query
from proxy.wire.startup import PROTOCOL_3_0, StartupMessage

_PATIENCE = 20.0
SYNC_FRAME = frame(SYNC)

Message = tuple[str, bytes]  # type letter, body


class Raw:
    """One session, from after its start-up on."""

    def __init__(self, host: str, port: int, database: str) -> None:
        self.socket = socket.create_connection((host, port), timeout=_PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        startup = StartupMessage(PROTOCOL_3_0, {b"user": b"postgres", b"database": database.encode()})
        self.socket.sendall(startup.pack())
        self.until_ready()

    def __enter__(self) -> Raw:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, *frames: bytes, one_at_a_time: bool = False) -> None:
        data = b"".join(frames)
        if not one_at_a_time:
            self.socket.sendall(data)
            return
        for i in range(len(data)):
            self.socket.sendall(data[i : i + 1])

    def message(self) -> Message | None:
        """The next message; None at the end of the connection. Raises TimeoutError where nothing comes."""
        while True:
            for kind, start, end in boundaries(self._buffer, BACKEND_LIMITS):
                body = self._buffer[start + HEADER : end]
                self._buffer = self._buffer[end:]
                return chr(kind), body
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                assert not self._buffer, "the connection ended inside a message"
                return None
            self._buffer += data

    def until_ready(self, count: int = 1) -> list[Message]:
        """Messages up to and with so many ReadyForQuery."""
        messages: list[Message] = []
        while count:
            message = self.message()
            assert message is not None, f"closed after {messages}"
            messages.append(message)
            count -= message[0] == chr(READY_FOR_QUERY)
        return messages

    def until_closed(self) -> list[Message]:
        """Messages up to the end of the connection."""
        messages = []
        while (message := self.message()) is not None:
            messages.append(message)
        return messages

    def query(self, sql: str) -> list[Message]:
        """A simple query and its answer."""
        self.send(Query(sql.encode()).pack())
        return self.until_ready()


def parse(sql: str, name: str = "", types: tuple[int, ...] = ()) -> bytes:
    return Parse(name.encode(), sql.encode(), types).pack()


def bind(*params: str | None, name: str = "", portal: str = "") -> bytes:
    values = tuple(None if value is None else value.encode() for value in params)
    return Bind(portal.encode(), name.encode(), (), values).pack()


def describe(kind: bytes, name: str = "") -> bytes:
    return Describe(kind, name.encode()).pack()


def execute(portal: str = "", rows: int = 0) -> bytes:
    return Execute(portal.encode(), rows).pack()


def statement(sql: str, *params: str | None) -> bytes:
    """Parse, Bind, Describe, Execute of the unnamed statement and portal."""
    return parse(sql) + bind(*params) + describe(b"P") + execute()


def letters(messages: list[Message]) -> str:
    """The types of messages, without what may come at any time (notices and parameter status)."""
    return "".join(kind for kind, _ in messages if kind not in "NSA")


def sqlstates(messages: list[Message]) -> list[str]:
    """The SQLSTATE of each error."""
    return [
        next(part[1:].decode() for part in body.split(b"\0") if part[:1] == b"C")
        for kind, body in messages
        if kind == chr(ERROR_RESPONSE)
    ]


def rows(messages: list[Message]) -> list[list[bytes | None]]:
    """The values of each DataRow."""
    found = []
    for kind, body in messages:
        if kind == "D":
            values: list[bytes | None] = []
            at = 2
            while at < len(body):
                length = int.from_bytes(body[at : at + 4], "big", signed=True)
                at += 4
                values.append(None if length < 0 else body[at : at + length])
                at += max(length, 0)
            found.append(values)
    return found


def status(messages: list[Message]) -> str:
    """What the last ReadyForQuery said."""
    return messages[-1][1].decode()
