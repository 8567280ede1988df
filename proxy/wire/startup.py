"""The first packet of a connection, from frontend to backend: it has a length but no type byte.

PostgreSQL documentation, 54.7 (StartupMessage, CancelRequest, SSLRequest, GSSENCRequest).
`parse_startup` takes what follows the length; `pack` returns the whole packet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from proxy.wire.errors import ProtocolError
from proxy.wire.reader import INT32, Buffer, Reader, pack_string

STARTUP_LIMIT = 10_000 + 4  # MAX_STARTUP_PACKET_LENGTH, which leaves the length itself out
STARTUP_LEAST = 8  # a length and a code

PROTOCOL_3_0 = 0x0003_0000
PROTOCOL_3_2 = 0x0003_0002
CANCEL_CODE = 80877102
SSL_CODE = 80877103
GSSENC_CODE = 80877104

SECRET_SIZES = range(4, 257)  # bytes of a cancel key: always 4 before protocol 3.2


@dataclass(frozen=True, slots=True)
class StartupMessage:
    """Protocol version (major << 16 | minor) and parameters; where a name comes twice, the last one holds."""

    version: int
    parameters: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)

    @property
    def major(self) -> int:
        return self.version >> 16

    @property
    def minor(self) -> int:
        return self.version & 0xFFFF

    def pack(self) -> bytes:
        pairs = [pack_string(n) + pack_string(v) for n, v in self.parameters.items()]
        return _packet(self.version, b"".join(pairs) + b"\0")


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Cancel what the backend `pid` does, if `secret` is its key."""

    pid: int
    secret: bytes = field(repr=False)

    def pack(self) -> bytes:
        return _packet(CANCEL_CODE, INT32.pack(self.pid) + self.secret)


@dataclass(frozen=True, slots=True)
class SSLRequest:
    """Ask for TLS: the answer is one byte, S or N."""

    def pack(self) -> bytes:
        return _packet(SSL_CODE, b"")


@dataclass(frozen=True, slots=True)
class GSSENCRequest:
    """Ask for GSSAPI encryption: the answer is one byte, G or N."""

    def pack(self) -> bytes:
        return _packet(GSSENC_CODE, b"")


def startup_size(buffer: Buffer, at: int = 0) -> int:
    """Bytes of the untyped packet that starts at `at`, of which four are there.

    Raises ProtocolError for a length that no such packet has.
    """
    size = int(INT32.unpack_from(buffer, at)[0])
    if not STARTUP_LEAST <= size <= STARTUP_LIMIT:
        raise ProtocolError("invalid length of startup packet")
    return size


def parse_startup(body: Buffer) -> StartupMessage | CancelRequest | SSLRequest | GSSENCRequest:
    """Read an untyped packet, without its length. Raises ProtocolError.

    A version that nobody speaks is no error here, as long as its layout is that of version 3.
    """
    reader = Reader(body)
    code = reader.number(INT32)
    if code == CANCEL_CODE:
        return _cancel_request(reader)
    if code == SSL_CODE:
        reader.end()
        return SSLRequest()
    if code == GSSENC_CODE:
        reader.end()
        return GSSENCRequest()
    return StartupMessage(code, _parameters(reader))


def _cancel_request(reader: Reader) -> CancelRequest:
    request = CancelRequest(reader.number(INT32), reader.rest())
    if len(request.secret) not in SECRET_SIZES:
        raise ProtocolError("invalid length of query cancel key")
    return request


def _parameters(reader: Reader) -> dict[bytes, bytes]:
    parameters: dict[bytes, bytes] = {}
    while name := reader.string():
        parameters[name] = reader.string()
    if reader.at != len(reader.data):
        raise ProtocolError("invalid startup packet layout: expected terminator as last byte")
    return parameters


def _packet(code: int, rest: bytes) -> bytes:
    return INT32.pack(len(rest) + 8) + INT32.pack(code) + rest
