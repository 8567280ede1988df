"""Messages from frontend to backend, those that pgveil reads or makes. PostgreSQL documentation, 54.7.

`parse` takes the body of a frame and raises ProtocolError unless it is exactly one message;
`pack` returns the whole frame. Names and SQL are bytes, in the client's encoding.
A repr leaves out what may hold a value.
Sync, Flush, Terminate and CopyDone have no body: `frame(SYNC)`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import error, unpack_from

from proxy.wire.errors import ProtocolError
from proxy.wire.frames import (
    BIND,
    CLOSE,
    COPY_DATA,
    COPY_FAIL,
    DESCRIBE,
    EXECUTE,
    FUNCTION_CALL,
    PARSE,
    PASSWORD,
    QUERY,
    frame,
)
from proxy.wire.reader import (
    INT16,
    INT32,
    UINT16,
    UINT32,
    Buffer,
    Reader,
    pack_int16s,
    pack_oids,
    pack_string,
    pack_value,
    pack_values,
)

STATEMENT = b"S"  # the kinds of Describe and Close
PORTAL = b"P"

TEXT, BINARY = 0, 1  # format codes


@dataclass(frozen=True, slots=True)
class Query:
    """A simple query: one string of any number of statements."""

    sql: bytes = field(repr=False)

    @classmethod
    def parse(cls, body: Buffer) -> Query:
        data = bytes(body)
        if data.find(0) != len(data) - 1 or not data:
            raise ProtocolError("invalid message format")
        return cls(data[:-1])

    def pack(self) -> bytes:
        return frame(QUERY, pack_string(self.sql))


@dataclass(frozen=True, slots=True)
class Parse:
    """Make a prepared statement. `types` are OIDs, 0 for unspecified; there may be more parameters."""

    name: bytes
    sql: bytes = field(repr=False)
    types: tuple[int, ...] = ()

    @classmethod
    def parse(cls, body: Buffer) -> Parse:
        reader = Reader(body)
        message = cls(reader.string(), reader.string(), reader.counted_oids())
        reader.end()
        return message

    def pack(self) -> bytes:
        return frame(PARSE, pack_string(self.name) + pack_string(self.sql) + pack_oids(self.types))


@dataclass(frozen=True, slots=True)
class Bind:
    """Make a portal. Formats: none (all text), one (for all), or one each. A parameter None is NULL."""

    portal: bytes
    statement: bytes
    param_formats: tuple[int, ...] = ()
    params: tuple[bytes | None, ...] = field(default=(), repr=False)
    result_formats: tuple[int, ...] = ()

    @classmethod
    def parse(cls, body: Buffer) -> Bind:
        # Written out, not with a Reader: this runs for every execution of a prepared statement.
        data = bytes(body)
        try:
            middle = data.index(0)
            at = data.index(0, middle + 1) + 1
            statement = data[middle + 1 : at - 1]
            param_formats, at = formats_at(data, at)
            params, at = _params(data, at)
            result_formats, at = formats_at(data, at)
        except (error, ValueError):
            raise ProtocolError("invalid Bind message") from None
        if at != len(data):
            raise ProtocolError("invalid message format")
        if len(param_formats) > 1 and len(param_formats) != len(params):
            counts = f"{len(param_formats)} parameter formats but {len(params)} parameters"
            raise ProtocolError(f"bind message has {counts}")
        return cls(data[:middle], statement, param_formats, params, result_formats)

    def param_format(self, index: int) -> int:
        """The format code of the parameter at `index`, counted from 0."""
        return format_of(self.param_formats, index)

    def pack(self) -> bytes:
        names = pack_string(self.portal) + pack_string(self.statement)
        params = pack_int16s(self.param_formats) + pack_values(self.params)
        return frame(BIND, names + params + pack_int16s(self.result_formats))


def result_formats(data: bytes, at: int, end: int) -> tuple[int, ...]:
    """The result formats of a Bind message in data[:end] whose parameter formats begin at `at`.

    Its parameters are passed over by their lengths. Raises ProtocolError and struct.error.
    """
    at += 2 + 2 * UINT16.unpack_from(data, at)[0]
    (count,) = UINT16.unpack_from(data, at)
    at += 2
    for _ in range(count):
        at += 4 + max(INT32.unpack_from(data, at)[0], 0)
    formats, at = formats_at(data, at)
    if at != end:
        raise ProtocolError("invalid message format")
    return formats


def format_of(formats: tuple[int, ...], index: int) -> int:
    """The format code at `index` of a list as Bind has it: none is all text, one is for all."""
    if not formats:
        return 0
    return formats[0] if len(formats) == 1 else formats[index]


def formats_at(data: bytes, at: int) -> tuple[tuple[int, ...], int]:
    """Format codes with their count before them, and where they end. Raises struct.error."""
    (count,) = UINT16.unpack_from(data, at)
    if count == 0:
        return (), at + 2
    if count == 1:
        return INT16.unpack_from(data, at + 2), at + 4
    return unpack_from(f"!{count}h", data, at + 2), at + 2 + 2 * count


def _params(data: bytes, at: int) -> tuple[tuple[bytes | None, ...], int]:
    """Values with their count before them, and where they end. Raises struct.error and ValueError.

    The last value may end past the data: the read of what must follow it then fails.
    """
    (count,) = UINT16.unpack_from(data, at)
    at += 2
    values: list[bytes | None] = []
    for _ in range(count):
        (length,) = INT32.unpack_from(data, at)
        at += 4
        if length >= 0:
            values.append(data[at : at + length])
            at += length
        elif length == -1:
            values.append(None)
        else:
            raise ProtocolError("invalid length of a parameter")
    return tuple(values), at


@dataclass(frozen=True, slots=True)
class _Named:
    kind: bytes
    name: bytes

    @classmethod
    def _read(cls, body: Buffer) -> tuple[bytes, bytes]:
        reader = Reader(body)
        kind, name = reader.take(1), reader.string()
        reader.end()
        if kind not in (STATEMENT, PORTAL):
            raise ProtocolError("invalid message subtype")
        return kind, name

    def _body(self) -> bytes:
        return self.kind + pack_string(self.name)


@dataclass(frozen=True, slots=True)
class Describe(_Named):
    """Ask for the description of a statement (`kind` b"S") or a portal (b"P")."""

    @classmethod
    def parse(cls, body: Buffer) -> Describe:
        return cls(*cls._read(body))

    def pack(self) -> bytes:
        return frame(DESCRIBE, self._body())


@dataclass(frozen=True, slots=True)
class Close(_Named):
    """Close a statement (`kind` b"S") or a portal (b"P"); closing what does not exist is no error."""

    @classmethod
    def parse(cls, body: Buffer) -> Close:
        return cls(*cls._read(body))

    def pack(self) -> bytes:
        return frame(CLOSE, self._body())


@dataclass(frozen=True, slots=True)
class Execute:
    """Run a portal for at most `max_rows` rows; 0 is no limit."""

    portal: bytes
    max_rows: int = 0

    @classmethod
    def parse(cls, body: Buffer) -> Execute:
        reader = Reader(body)
        message = cls(reader.string(), reader.number(INT32))
        reader.end()
        return message

    def pack(self) -> bytes:
        return frame(EXECUTE, pack_string(self.portal) + INT32.pack(self.max_rows))


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """Call a function by its OID; libpq's large objects use it."""

    oid: int
    arg_formats: tuple[int, ...] = ()
    args: tuple[bytes | None, ...] = field(default=(), repr=False)
    result_format: int = 0

    @classmethod
    def parse(cls, body: Buffer) -> FunctionCall:
        reader = Reader(body)
        message = cls(
            reader.number(UINT32), reader.counted_int16s(), reader.counted_values(), reader.number(INT16)
        )
        reader.end()
        return message

    def pack(self) -> bytes:
        body = UINT32.pack(self.oid) + pack_int16s(self.arg_formats) + pack_values(self.args)
        return frame(FUNCTION_CALL, body + INT16.pack(self.result_format))


@dataclass(frozen=True, slots=True)
class CopyData:
    """A piece of a COPY stream, in either direction; its ends need not be those of rows."""

    data: bytes = field(repr=False)

    @classmethod
    def parse(cls, body: Buffer) -> CopyData:
        return cls(bytes(body))

    def pack(self) -> bytes:
        return frame(COPY_DATA, self.data)


@dataclass(frozen=True, slots=True)
class CopyFail:
    """The client gives up its COPY FROM STDIN; the server answers with an error of this text."""

    message: bytes

    @classmethod
    def parse(cls, body: Buffer) -> CopyFail:
        reader = Reader(body)
        message = cls(reader.string())
        reader.end()
        return message

    def pack(self) -> bytes:
        return frame(COPY_FAIL, pack_string(self.message))


@dataclass(frozen=True, slots=True)
class PasswordMessage:
    """The password, in clear or as an MD5 digest."""

    password: bytes = field(repr=False)

    @classmethod
    def parse(cls, body: Buffer) -> PasswordMessage:
        reader = Reader(body)
        message = cls(reader.string())
        reader.end()
        return message

    def pack(self) -> bytes:
        return frame(PASSWORD, pack_string(self.password))


@dataclass(frozen=True, slots=True)
class SASLInitialResponse:
    """The chosen SASL mechanism and the first answer to it; None where there is no answer yet."""

    mechanism: bytes
    response: bytes | None = field(repr=False)

    @classmethod
    def parse(cls, body: Buffer) -> SASLInitialResponse:
        reader = Reader(body)
        message = cls(reader.string(), reader.value())
        reader.end()
        return message

    def pack(self) -> bytes:
        return frame(PASSWORD, pack_string(self.mechanism) + pack_value(self.response))


@dataclass(frozen=True, slots=True)
class SASLResponse:
    """A further answer of a SASL exchange."""

    data: bytes = field(repr=False)

    @classmethod
    def parse(cls, body: Buffer) -> SASLResponse:
        return cls(bytes(body))

    def pack(self) -> bytes:
        return frame(PASSWORD, self.data)
