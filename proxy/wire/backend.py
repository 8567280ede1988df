"""Messages from backend to frontend, those that pgveil reads or makes. PostgreSQL documentation, 54.7.

`parse` takes the body of a frame and raises ProtocolError unless it is exactly one message;
`pack` returns the whole frame. Names and texts are bytes, in the client's encoding.
A repr leaves out what may hold a value.
ParseComplete, BindComplete, CloseComplete, NoData, EmptyQueryResponse, PortalSuspended and CopyDone
have no body: `frame(NO_DATA)`. CopyData is the same as the frontend's. What comes before the first
ReadyForQuery stands in `login.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import ClassVar, Self

from proxy.wire.errors import ProtocolError
from proxy.wire.frames import (
    COMMAND_COMPLETE,
    COPY_BOTH_RESPONSE,
    COPY_IN_RESPONSE,
    COPY_OUT_RESPONSE,
    DATA_ROW,
    ERROR_RESPONSE,
    FUNCTION_CALL_RESPONSE,
    NOTICE_RESPONSE,
    NOTIFICATION_RESPONSE,
    PARAMETER_DESCRIPTION,
    PARAMETER_STATUS,
    READY_FOR_QUERY,
    ROW_DESCRIPTION,
    frame,
)
from proxy.wire.reader import (
    INT32,
    UINT16,
    Buffer,
    Reader,
    pack_int16s,
    pack_oids,
    pack_string,
    pack_value,
    pack_values,
)

_FIELD = Struct("!IhIhih")  # table OID, attribute number, type OID, typlen, typmod, format
_BYTE = Struct("!B")


@dataclass(frozen=True, slots=True)
class FieldDescription:
    """One column of a RowDescription; table_oid and attnum are 0 where it is no column of a table."""

    name: bytes
    table_oid: int
    attnum: int
    type_oid: int
    typlen: int
    typmod: int
    format: int


@dataclass(frozen=True, slots=True)
class RowDescription:
    """The columns of the rows that follow."""

    fields: tuple[FieldDescription, ...]

    @classmethod
    def parse(cls, body: Buffer) -> RowDescription:
        reader = Reader(body)
        count = reader.number(UINT16)
        fields = tuple([FieldDescription(reader.string(), *reader.numbers(_FIELD)) for _ in range(count)])
        reader.end()
        return cls(fields)

    def pack(self) -> bytes:
        pieces = [UINT16.pack(len(self.fields))]
        for f in self.fields:
            numbers = _FIELD.pack(f.table_oid, f.attnum, f.type_oid, f.typlen, f.typmod, f.format)
            pieces += (pack_string(f.name), numbers)
        return frame(ROW_DESCRIPTION, b"".join(pieces))


@dataclass(frozen=True, slots=True)
class ParameterDescription:
    """The type OIDs of a prepared statement's parameters."""

    types: tuple[int, ...]

    @classmethod
    def parse(cls, body: Buffer) -> ParameterDescription:
        reader = Reader(body)
        message = cls(reader.counted_oids())
        reader.end()
        return message

    def pack(self) -> bytes:
        return frame(PARAMETER_DESCRIPTION, pack_oids(self.types))


@dataclass(frozen=True, slots=True)
class DataRow:
    """One row; None is NULL. Rows in bulk are the business of `rows.py`."""

    values: tuple[bytes | None, ...] = field(repr=False)

    @classmethod
    def parse(cls, body: Buffer) -> DataRow:
        reader = Reader(body)
        message = cls(reader.counted_values())
        reader.end()
        return message

    def pack(self) -> bytes:
        return frame(DATA_ROW, pack_values(self.values))


@dataclass(frozen=True, slots=True)
class _Fields:
    """Field codes of 54.8 (S severity, C SQLSTATE, M message, D detail, H hint, P position ...) to texts."""

    kind: ClassVar[int]
    fields: Mapping[str, bytes]

    @classmethod
    def parse(cls, body: Buffer) -> Self:
        reader = Reader(body)
        fields: dict[str, bytes] = {}
        while code := reader.number(_BYTE):
            fields[chr(code)] = reader.string()
        reader.end()
        return cls(fields)

    @classmethod
    def of(
        cls,
        severity: str,
        sqlstate: str,
        message: str,
        *,
        detail: str | None = None,
        hint: str | None = None,
        position: int | None = None,
        context: str | None = None,
        routine: str | None = None,
        encoding: str = "utf-8",
    ) -> Self:
        """Make one of texts. What the client's encoding (a Python codec's name) cannot hold becomes `?`."""
        texts: dict[str, str | None] = {
            "S": severity,
            "V": severity,
            "C": sqlstate,
            "M": message,
            "D": detail,
            "H": hint,
        }
        if position is not None:
            texts["P"] = str(position)
        texts |= {"W": context, "R": routine}
        return cls(
            {
                code: text.replace("\0", "?").encode(encoding, "replace")
                for code, text in texts.items()
                if text is not None
            }
        )

    def pack(self) -> bytes:
        pieces = [code.encode("latin-1") + pack_string(text) for code, text in self.fields.items()]
        return frame(self.kind, b"".join(pieces) + b"\0")


class ErrorResponse(_Fields):
    """An error; in the extended protocol the backend then ignores messages up to the next Sync."""

    __slots__ = ()
    kind = ERROR_RESPONSE


class NoticeResponse(_Fields):
    """A warning or notice, which may come at any time."""

    __slots__ = ()
    kind = NOTICE_RESPONSE


@dataclass(frozen=True, slots=True)
class CommandComplete:
    """A statement has ended; the tag is such as b"INSERT 0 1"."""

    tag: bytes

    @classmethod
    def parse(cls, body: Buffer) -> CommandComplete:
        reader = Reader(body)
        message = cls(reader.string())
        reader.end()
        return message

    def pack(self) -> bytes:
        return frame(COMMAND_COMPLETE, pack_string(self.tag))


@dataclass(frozen=True, slots=True)
class ReadyForQuery:
    """The backend waits. Status: b"I" idle, b"T" in a transaction, b"E" in a failed one."""

    status: bytes

    @classmethod
    def parse(cls, body: Buffer) -> ReadyForQuery:
        status = bytes(body)
        if status not in (b"I", b"T", b"E"):
            raise ProtocolError("invalid transaction status")
        return cls(status)

    def pack(self) -> bytes:
        return frame(READY_FOR_QUERY, self.status)


@dataclass(frozen=True, slots=True)
class ParameterStatus:
    """A run-time parameter that clients follow has this value now; may come at any time."""

    name: bytes
    value: bytes

    @classmethod
    def parse(cls, body: Buffer) -> ParameterStatus:
        reader = Reader(body)
        message = cls(reader.string(), reader.string())
        reader.end()
        return message

    def pack(self) -> bytes:
        return frame(PARAMETER_STATUS, pack_string(self.name) + pack_string(self.value))


@dataclass(frozen=True, slots=True)
class _CopyResponse:
    """`format` is 0 for text and csv, 1 for binary; so are those of the columns."""

    kind: ClassVar[int]
    format: int
    column_formats: tuple[int, ...]

    @classmethod
    def parse(cls, body: Buffer) -> Self:
        reader = Reader(body)
        message = cls(reader.number(_BYTE), reader.counted_int16s())
        reader.end()
        return message

    def pack(self) -> bytes:
        return frame(self.kind, _BYTE.pack(self.format) + pack_int16s(self.column_formats))


class CopyInResponse(_CopyResponse):
    """The backend is ready to take COPY data."""

    __slots__ = ()
    kind = COPY_IN_RESPONSE


class CopyOutResponse(_CopyResponse):
    """COPY data from the backend follows."""

    __slots__ = ()
    kind = COPY_OUT_RESPONSE


class CopyBothResponse(_CopyResponse):
    """A replication stream begins: COPY data both ways."""

    __slots__ = ()
    kind = COPY_BOTH_RESPONSE


@dataclass(frozen=True, slots=True)
class NotificationResponse:
    """A NOTIFY of the backend `pid`; may come at any time."""

    pid: int
    channel: bytes
    payload: bytes = field(repr=False)

    @classmethod
    def parse(cls, body: Buffer) -> NotificationResponse:
        reader = Reader(body)
        message = cls(reader.number(INT32), reader.string(), reader.string())
        reader.end()
        return message

    def pack(self) -> bytes:
        body = INT32.pack(self.pid) + pack_string(self.channel) + pack_string(self.payload)
        return frame(NOTIFICATION_RESPONSE, body)


@dataclass(frozen=True, slots=True)
class FunctionCallResponse:
    """The result of a FunctionCall; None is NULL."""

    value: bytes | None = field(repr=False)

    @classmethod
    def parse(cls, body: Buffer) -> FunctionCallResponse:
        reader = Reader(body)
        message = cls(reader.value())
        reader.end()
        return message

    def pack(self) -> bytes:
        return frame(FUNCTION_CALL_RESPONSE, pack_value(self.value))
