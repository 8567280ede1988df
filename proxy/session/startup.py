"""The untyped first packets of a connection (frontend to backend): what does the client want?

    Rule 1  A packet is its length (int32, itself included) and a code (int32); at most 10,004 bytes.
    Rule 2  SSLRequest and GSSENCRequest are answered with one byte, each once, in either order.
    Rule 3  Behind an SSLRequest that is granted nothing may have come in clear; none may follow inside TLS.
    Rule 4  0x16 as the very first byte is a TLS ClientHello (direct negotiation), which then needs ALPN.
    Rule 5  CancelRequest or StartupMessage ends this phase; their bytes go upstream as they came.

Source: PostgreSQL documentation, 54.2.1 (Start-up), 54.2.10 and 54.2.11 (encryption), 54.7 (formats).
Pure: no socket and no clock. The shell feeds bytes to `receive` and does what the events say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from proxy.errors import ProtocolViolation, ServerError
from proxy.wire.errors import ProtocolError
from proxy.wire.startup import (
    CANCEL_CODE,
    GSSENC_CODE,
    SSL_CODE,
    CancelRequest,
    GSSENCRequest,
    SSLRequest,
    StartupMessage,
    parse_startup,
    startup_size,
)

ALPN = "postgresql"

_CLIENT_HELLO = 0x16  # the record type of a TLS handshake; as a length it would be 352 MiB or more
_REQUEST_CODES = (CANCEL_CODE, SSL_CODE, GSSENC_CODE)


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """A StartupMessage and the bytes it came in.

    parameters  by name; names and values are decoded so that every byte survives (UTF-8, surrogateescape)
    """

    raw: bytes = field(repr=False)
    minor: int
    parameters: Mapping[str, str]

    @property
    def user(self) -> str:
        return self.parameters["user"]

    @property
    def database(self) -> str:
        """The database asked for; the server's default is the user's name."""
        return self.parameters.get("database") or self.user

    @property
    def extensions(self) -> frozenset[str]:
        """The protocol extensions asked for (`_pq_.` parameters)."""
        return frozenset(name for name in self.parameters if name.startswith("_pq_."))

    @property
    def physical_replication(self) -> bool:
        """Whether the connection is for streaming WAL only: the server takes no SQL on it."""
        value = self.parameters.get("replication", "").lower()
        return value in {"on", "1"} or (value != "" and ("true".startswith(value) or "yes".startswith(value)))


@dataclass(frozen=True, slots=True)
class Answer:
    """Send these bytes to the client, in clear."""

    data: bytes


@dataclass(frozen=True, slots=True)
class StartTLS:
    """Begin TLS as the server: send `answer` in clear; `hello` is what came of the handshake already."""

    answer: bytes
    hello: bytes


@dataclass(frozen=True, slots=True)
class Cancel:
    """Hand these bytes to the upstream on a connection of their own."""

    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Begin:
    """The client wants a session; `rest` came behind its StartupMessage."""

    request: SessionRequest
    rest: bytes = field(repr=False)


Event = Answer | StartTLS | Cancel | Begin


class Startup:
    """The first phase of one connection.

    tls           whether TLS can be offered on this leg
    tls_required  whether a StartupMessage in clear is refused
    """

    def __init__(self, *, tls: bool, tls_required: bool = False) -> None:
        self._tls = tls
        self._tls_required = tls_required
        self._encrypted = False
        self._direct = False
        self._first = True
        self._ssl_allowed = True
        self._gss_allowed = True
        self._buffer = b""

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes from the client; return what is to be done, in order.

        After `Begin`, `Cancel` or an exception feed nothing more; after `StartTLS` decrypted bytes only.
        Raises ServerError, of severity FATAL, for what the protocol does not allow.
        """
        if self._first and data:
            self._first = False
            if data[0] == _CLIENT_HELLO:
                return [self._direct_tls(data)]
        self._buffer += data
        events: list[Event] = []
        while (packet := self._packet()) is not None:
            event = self._handle(packet)
            events.append(event)
            if not isinstance(event, Answer):
                break
        return events

    def secured(self, alpn: str | None) -> None:
        """The TLS handshake is done; `alpn` is the protocol that it agreed on. Raises ProtocolViolation."""
        if self._direct and alpn != ALPN:
            raise ProtocolViolation("direct SSL connection without the ALPN protocol " + ALPN)
        self._encrypted = True

    def _packet(self) -> bytes | None:
        """The next whole packet, taken from the buffer; None if there is none yet."""
        if len(self._buffer) < 4:
            return None
        try:
            size = startup_size(self._buffer)
        except ProtocolError as error:
            raise ProtocolViolation(str(error)) from None
        if len(self._buffer) < size:
            return None
        packet, self._buffer = self._buffer[:size], self._buffer[size:]
        return packet

    def _handle(self, packet: bytes) -> Event:
        code = int.from_bytes(packet[4:8], "big")
        if code >> 16 != 3 and (code not in _REQUEST_CODES or not self._allowed(code)):
            raise _unsupported(code)
        try:
            message = parse_startup(packet[4:])
        except ProtocolError as error:
            raise ProtocolViolation(str(error)) from None
        match message:
            case CancelRequest():
                return Cancel(packet)
            case SSLRequest():
                return self._ssl_request()
            case GSSENCRequest():
                self._gss_allowed = False
                return Answer(b"N")
            case StartupMessage():
                return self._begin(packet, message)

    def _allowed(self, code: int) -> bool:
        """Whether a request of this kind may (still) come."""
        return {SSL_CODE: self._ssl_allowed, GSSENC_CODE: self._gss_allowed}.get(code, True)

    def _ssl_request(self) -> Event:
        self._ssl_allowed = False
        if not self._tls:
            return Answer(b"N")
        if self._buffer:  # whoever sits between client and proxy may have put it there (CVE-2021-23214)
            raise ProtocolViolation("received unencrypted data after SSL request")
        self._gss_allowed = False
        return StartTLS(answer=b"S", hello=b"")

    def _direct_tls(self, hello: bytes) -> Event:
        if not self._tls:
            raise ProtocolViolation("received direct SSL connection request, but TLS is not configured")
        self._direct = True
        self._ssl_allowed = self._gss_allowed = False
        return StartTLS(answer=b"", hello=hello)

    def _begin(self, packet: bytes, message: StartupMessage) -> Event:
        parameters = {_text(name): _text(value) for name, value in message.parameters.items()}
        if not parameters.get("user"):
            raise _fatal("28000", "no PostgreSQL user name specified in startup packet")
        if self._tls_required and not self._encrypted:
            hint = "Connect with sslmode=require, or verify-full."
            raise _fatal("28000", "pgveil takes encrypted connections only", hint)
        rest, self._buffer = self._buffer, b""
        return Begin(SessionRequest(packet, message.minor, parameters), rest)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _fatal(sqlstate: str, message: str, hint: str | None = None) -> ServerError:
    return ServerError(message, sqlstate=sqlstate, hint=hint, severity="FATAL")


def _unsupported(code: int) -> ServerError:
    version = f"{code >> 16}.{code & 0xFFFF}"
    return _fatal("0A000", f"unsupported frontend protocol {version}: pgveil supports 3.0 to 3.2")
