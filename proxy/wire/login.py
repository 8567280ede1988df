"""Messages from backend to frontend between StartupMessage and the first ReadyForQuery.

PostgreSQL documentation, 54.2.1 and 54.7. Errors stand in `backend.py`. A repr leaves out what is secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from proxy.wire.errors import ProtocolError
from proxy.wire.frames import AUTHENTICATION, BACKEND_KEY_DATA, NEGOTIATE_PROTOCOL_VERSION, frame
from proxy.wire.reader import INT32, Buffer, Reader, pack_string
from proxy.wire.startup import SECRET_SIZES

AUTH_OK = 0
AUTH_CLEARTEXT_PASSWORD = 3
AUTH_MD5_PASSWORD = 5
AUTH_GSS = 7
AUTH_GSS_CONTINUE = 8
AUTH_SSPI = 9
AUTH_SASL = 10
AUTH_SASL_CONTINUE = 11
AUTH_SASL_FINAL = 12


@dataclass(frozen=True, slots=True)
class Authentication:
    """Any authentication request: its code (AUTH_...) and the data of it, such as salt or challenge."""

    code: int
    data: bytes = field(default=b"", repr=False)

    @classmethod
    def parse(cls, body: Buffer) -> Authentication:
        reader = Reader(body)
        return cls(reader.number(INT32), reader.rest())

    def pack(self) -> bytes:
        return frame(AUTHENTICATION, INT32.pack(self.code) + self.data)


@dataclass(frozen=True, slots=True)
class AuthenticationSASL:
    """The SASL mechanisms that the server offers, the preferred one first."""

    mechanisms: tuple[bytes, ...]

    @classmethod
    def parse(cls, body: Buffer) -> AuthenticationSASL:
        reader = Reader(body)
        if reader.number(INT32) != AUTH_SASL:
            raise ProtocolError("not an AuthenticationSASL message")
        mechanisms = []
        while name := reader.string():
            mechanisms.append(name)
        reader.end()
        return cls(tuple(mechanisms))

    def pack(self) -> bytes:
        names = b"".join([pack_string(name) for name in self.mechanisms])
        return Authentication(AUTH_SASL, names + b"\0").pack()


@dataclass(frozen=True, slots=True)
class BackendKeyData:
    """What a CancelRequest must name: 4 bytes of secret, up to 256 from protocol 3.2 on."""

    pid: int
    secret: bytes = field(repr=False)

    @classmethod
    def parse(cls, body: Buffer) -> BackendKeyData:
        reader = Reader(body)
        message = cls(reader.number(INT32), reader.rest())
        if len(message.secret) not in SECRET_SIZES:
            raise ProtocolError("invalid length of query cancel key")
        return message

    def pack(self) -> bytes:
        return frame(BACKEND_KEY_DATA, INT32.pack(self.pid) + self.secret)


@dataclass(frozen=True, slots=True)
class NegotiateProtocolVersion:
    """The newest version that the server speaks, and the options (`_pq_.*`) that it does not know."""

    version: int
    options: tuple[bytes, ...] = ()

    @classmethod
    def parse(cls, body: Buffer) -> NegotiateProtocolVersion:
        reader = Reader(body)
        version, count = reader.number(INT32), reader.number(INT32)
        if not 0 <= count <= len(reader.data):
            raise ProtocolError("invalid number of protocol options")
        message = cls(version, tuple([reader.string() for _ in range(count)]))
        reader.end()
        return message

    def pack(self) -> bytes:
        names = b"".join([pack_string(option) for option in self.options])
        head = INT32.pack(self.version) + INT32.pack(len(self.options))
        return frame(NEGOTIATE_PROTOCOL_VERSION, head + names)
