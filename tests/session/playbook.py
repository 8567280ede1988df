"""Sessions as playbooks: messages of either side in, what reaches the other side out, as lines to read.

    play = Playbook()
    assert play.client(query("DELETE FROM users WHERE email = 'kanarie'")) == [
        "Query DELETE FROM users WHERE email = [kanarie]"
    ]
    assert play.server(complete("DELETE 1"), ready()) == ["CommandComplete DELETE 1", "ReadyForQuery I"]

A value in brackets was encrypted. Protected values of tests begin with `kanarie`: none may reach the server.
The schema is that of tests/sql/world.py; the server's part is played by the test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from crypto.envelope import SUITES, from_ascii, is_ascii, is_binary, key_id
from crypto.keyring import FieldKey, Keyring
from crypto.keyset import KeyState
from policy.binding import BoundField
from policy.types import LogicalType
from proxy.errors import AuditUnavailable
from proxy.openers import Openers, Transform
from proxy.protector import Protector
from proxy.session.session import Session, SessionContext
from proxy.sql.plan import ResultColumn, Shape
from proxy.sql.planner import Planner
from proxy.values import Settings, codec
from proxy.wire import backend, frames, frontend
from proxy.wire.backend import FieldDescription
from proxy.wire.frames import frame
from proxy.wire.frontend import TEXT
from tests.sql.world import world

UTF8 = Settings("utf-8", "ISO, MDY", "postgres", "UTC")
CANARY = "kanarie"
_SEALED = re.compile(rb"E?'(?P<ascii>pgv1:[\w-]+)'|E?'\\+x(?P<hex>[0-9a-f]+)'")


def fields() -> dict[str, BoundField]:
    """The fields of the schema by table.column; those of archive.users as archive.users.column."""
    found = {}
    for by_number in world().fields.values():
        for bound in by_number.values():
            schema = "" if bound.field.schema == "public" else f"{bound.field.schema}."
            found[f"{schema}{bound.field.table}.{bound.field.column}"] = bound
    for field in world().policy.tables["public", "planned"].values():  # a table that is yet to be made
        logical = field.type or LogicalType("text")
        found[f"planned.{field.column}"] = BoundField(field, logical, logical.storage, 0, 0, 0)
    return found


FIELDS = fields()


def new_key(number: int, bound: BoundField) -> FieldKey:
    algorithm = bound.field.algorithm
    secret = bytes([number]) * SUITES[algorithm].key_bytes
    return FieldKey(b"key" + bytes([number]), bound.field.key_name, algorithm, 1, KeyState.ACTIVE, secret)


def key_list() -> list[FieldKey]:
    """One key for each name."""
    named = {bound.field.key_name: bound for bound in FIELDS.values()}
    return [new_key(number, bound) for number, bound in enumerate(named.values(), 1)]


KEYS = Keyring(key_list())


def stored(column: str, value: str, wire_format: int = TEXT) -> bytes:
    """What the server stores for a value, in text or binary format."""
    bound = FIELDS[column]
    canonical = codec(bound.type).from_text(value.encode(), UTF8)
    return Protector(KEYS, UTF8).sealer(bound, wire_format)(canonical)


def opener(
    column: str, wire_format: int, shape: Shape = Shape.SCALAR, logical: LogicalType | None = None
) -> Transform:
    """What opens such a result column."""
    bound = FIELDS[column]
    return Openers(KEYS, UTF8).opener(ResultColumn((bound,), shape, logical or bound.type), wire_format)


def opened(envelope: bytes) -> str:
    """The value of an envelope in its binary form."""
    key = KEYS.find(key_id(envelope))
    assert key is not None
    (bound, *_) = [bound for bound in FIELDS.values() if bound.field.key_name == key.name]
    return codec(bound.type).to_text(key.opener(bound.type.family)(envelope), UTF8).decode()


def _shown(data: bytes) -> str:
    """A text or value as a line shows it: ciphertext as the value in brackets."""
    if is_binary(data):
        return f"[{opened(data)}]"
    if is_ascii(data):
        return f"[{opened(from_ascii(data))}]"
    if data.startswith(b"\\x"):
        try:
            return f"[{opened(bytes.fromhex(data[2:].decode()))}]"
        except (ValueError, AssertionError):
            return data.decode()

    def bracketed(match: re.Match[bytes]) -> bytes:
        ascii_form, hexadecimal = match.group("ascii", "hex")
        envelope = from_ascii(ascii_form) if ascii_form else bytes.fromhex(hexadecimal.decode())
        return f"[{opened(envelope)}]".encode()

    return _SEALED.sub(bracketed, data).decode("utf-8", "backslashreplace")


# --- messages as lines -----------------------------------------------------------------------------------


def _list(values: Iterable[bytes | None]) -> str:
    return ", ".join("NULL" if value is None else _shown(value) for value in values)


def _parse(message: frontend.Parse) -> str:
    types = f" ({', '.join(map(str, message.types))})" if message.types else ""
    return f"Parse {message.name.decode()}: {_shown(message.sql)}{types}"


def _bind(message: frontend.Bind) -> str:
    portal = f"{message.portal.decode()} = " if message.portal else ""
    return f"Bind {portal}{message.statement.decode()}({_list(message.params)})"


def _columns(message: backend.RowDescription) -> str:
    return ", ".join(
        f"{f.name.decode()} {f.type_oid}" + (f"({f.typmod})" if f.typmod >= 0 else "") for f in message.fields
    )


def _error(message: Any) -> str:
    fields = message.fields
    position = f" at {fields['P'].decode()}" if "P" in fields else ""
    routine = f" in {fields['R'].decode()}" if "R" in fields else ""
    return f"{fields['S'].decode()} {fields['C'].decode()}: {fields['M'].decode()}{position}{routine}"


_TO_SERVER: dict[int, tuple[Any, Callable[[Any], str]]] = {
    frames.QUERY: (frontend.Query, lambda m: f"Query {_shown(m.sql)}"),
    frames.PARSE: (frontend.Parse, _parse),
    frames.BIND: (frontend.Bind, _bind),
    frames.DESCRIBE: (frontend.Describe, lambda m: f"Describe {m.kind.decode()} {m.name.decode()}".rstrip()),
    frames.EXECUTE: (frontend.Execute, lambda m: f"Execute {m.portal.decode()}".rstrip()),
    frames.CLOSE: (frontend.Close, lambda m: f"Close {m.kind.decode()} {m.name.decode()}".rstrip()),
    frames.COPY_DATA: (frontend.CopyData, lambda m: f"CopyData {_copied(m.data)}"),
    frames.COPY_FAIL: (frontend.CopyFail, lambda m: f"CopyFail {m.message.decode()}"),
}
_TO_CLIENT: dict[int, tuple[Any, Callable[[Any], str]]] = {
    frames.ROW_DESCRIPTION: (backend.RowDescription, lambda m: f"RowDescription {_columns(m)}"),
    frames.PARAMETER_DESCRIPTION: (
        backend.ParameterDescription,
        lambda m: f"ParameterDescription {', '.join(map(str, m.types))}",
    ),
    frames.DATA_ROW: (backend.DataRow, lambda m: f"DataRow {_list(m.values)}"),
    frames.COMMAND_COMPLETE: (backend.CommandComplete, lambda m: f"CommandComplete {m.tag.decode()}"),
    frames.READY_FOR_QUERY: (backend.ReadyForQuery, lambda m: f"ReadyForQuery {m.status.decode()}"),
    frames.ERROR_RESPONSE: (backend.ErrorResponse, _error),
    frames.NOTICE_RESPONSE: (backend.NoticeResponse, _error),
    frames.PARAMETER_STATUS: (
        backend.ParameterStatus,
        lambda m: f"ParameterStatus {m.name.decode()} = {m.value.decode()}",
    ),
    frames.COPY_DATA: (frontend.CopyData, lambda m: f"CopyData {_copied(m.data)}"),
}
_BARE = {
    frames.SYNC: "Sync",
    frames.FLUSH: "Flush",
    frames.TERMINATE: "Terminate",
    frames.COPY_DONE: "CopyDone",
    frames.FUNCTION_CALL: "FunctionCall",
}
_BARE_OF_SERVER = {
    frames.PARSE_COMPLETE: "ParseComplete",
    frames.BIND_COMPLETE: "BindComplete",
    frames.CLOSE_COMPLETE: "CloseComplete",
    frames.NO_DATA: "NoData",
    frames.PORTAL_SUSPENDED: "PortalSuspended",
    frames.EMPTY_QUERY_RESPONSE: "EmptyQueryResponse",
    frames.COPY_IN_RESPONSE: "CopyInResponse",
    frames.COPY_OUT_RESPONSE: "CopyOutResponse",
    frames.COPY_DONE: "CopyDone",
    frames.NOTIFICATION_RESPONSE: "NotificationResponse",
    frames.FUNCTION_CALL_RESPONSE: "FunctionCallResponse",
}


def _copied(data: bytes) -> str:
    """Rows of COPY in text format."""
    rows = [[_shown(value) for value in row.split(b"\t")] for row in data.removesuffix(b"\n").split(b"\n")]
    return " / ".join(", ".join(row) for row in rows)


def lines(data: bytes, *, to_server: bool) -> list[str]:
    """The messages of a stream, one a line. Raises ProtocolError unless it ends with a message."""
    table, bare = (_TO_SERVER, _BARE) if to_server else (_TO_CLIENT, _BARE_OF_SERVER)
    found = []
    at = 0
    while at < len(data):
        end = at + 1 + frames.LENGTH.unpack_from(data, at + 1)[0]
        assert end <= len(data), "part of a message"
        if data[at] in table:
            kind, line = table[data[at]]
            found.append(line(kind.parse(data[at + frames.HEADER : end])))
        else:
            found.append(bare[data[at]])
        at = end
    return found


# --- messages, written shortly ---------------------------------------------------------------------------

Message = Any  # has pack(), or is bytes


def query(sql: str) -> Message:
    return frontend.Query(sql.encode())


def parse(sql: str, name: str = "", types: tuple[int, ...] = ()) -> Message:
    return frontend.Parse(name.encode(), sql.encode(), types)


def bind(*values: str | bytes | None, name: str = "", portal: str = "", binary: bool = False) -> Message:
    raw = tuple(value.encode() if isinstance(value, str) else value for value in values)
    formats = (1,) if binary else ()
    return frontend.Bind(portal.encode(), name.encode(), formats, raw, formats)


def describe(name: str = "", *, portal: bool = False) -> Message:
    return frontend.Describe(b"P" if portal else b"S", name.encode())


def execute(portal: str = "", rows: int = 0) -> Message:
    return frontend.Execute(portal.encode(), rows)


def close(name: str = "", *, portal: bool = False) -> Message:
    return frontend.Close(b"P" if portal else b"S", name.encode())


SYNC, FLUSH, TERMINATE = frame(frames.SYNC), frame(frames.FLUSH), frame(frames.TERMINATE)
PARSE_COMPLETE, BIND_COMPLETE = frame(frames.PARSE_COMPLETE), frame(frames.BIND_COMPLETE)
CLOSE_COMPLETE, NO_DATA, EMPTY = (
    frame(frames.CLOSE_COMPLETE),
    frame(frames.NO_DATA),
    frame(frames.EMPTY_QUERY_RESPONSE),
)
SUSPENDED, COPY_DONE = frame(frames.PORTAL_SUSPENDED), frame(frames.COPY_DONE)


def copy_data(text: str | bytes) -> Message:
    return frontend.CopyData(text.encode() if isinstance(text, str) else text)


def complete(tag: str = "SELECT 1") -> Message:
    return backend.CommandComplete(tag.encode())


def ready(status: str = "I") -> Message:
    return backend.ReadyForQuery(status.encode())


def error(sqlstate: str = "22012", message: str = "division by zero", position: int | None = None) -> Message:
    return backend.ErrorResponse.of("ERROR", sqlstate, message, position=position)


def status(name: str, value: str) -> Message:
    return backend.ParameterStatus(name.encode(), value.encode())


def copy_in(columns: int) -> Message:
    return backend.CopyInResponse(0, (0,) * columns)


def copy_out(columns: int) -> Message:
    return backend.CopyOutResponse(0, (0,) * columns)


def row(*values: str | bytes | None) -> Message:
    return backend.DataRow(tuple(value.encode() if isinstance(value, str) else value for value in values))


def described(*columns: str, binary: bool = False) -> Message:
    """A RowDescription: columns as table.column, or name:oid for what is no table's."""
    made = []
    for column in columns:
        table, _, name = column.rpartition(".")
        relation = world().catalog.lookup("public", table) if table else None
        if relation is None:
            name, _, oid = column.partition(":")
            made.append(FieldDescription(name.encode(), 0, 0, int(oid or 25), -1, -1, int(binary)))
            continue
        known = relation.column(name)
        assert known is not None
        numbers = (relation.oid, known.number, known.type_oid, -1, known.modifier, int(binary))
        made.append(FieldDescription(name.encode(), *numbers))
    return backend.RowDescription(tuple(made))


# --- the play --------------------------------------------------------------------------------------------


class Playbook:
    """A session past authentication, that the server has said to be ready."""

    def __init__(
        self, *, keys: Keyring = KEYS, parameters: dict[str, str] | None = None, **limits: int
    ) -> None:
        self.planner = Planner(world())
        self.keys = keys
        self.objection: AuditUnavailable | None = None
        context = SessionContext(
            lambda: self.planner,
            lambda: self.keys,
            "app",
            parameters or {},
            objection=lambda: self.objection,
            **limits,
        )
        self.session = Session(context)
        self._raw_to_server = self._raw_to_client = b""
        assert self.server(ready()) == ["ReadyForQuery I"]

    def client(self, *messages: Message) -> list[str]:
        """The client sends; what reaches the server."""
        self.session.frontend_received(packed(*messages))
        return self.to_server()

    def server(self, *messages: Message) -> list[str]:
        """The server sends; what reaches the client."""
        self.session.backend_received(packed(*messages))
        return self.to_client()

    def to_server(self) -> list[str]:
        """What has been sent to the server since it was asked last."""
        data = b"".join(self.session.to_backend)
        self.session.to_backend.clear()
        assert CANARY.encode() not in data, "a protected value in clear"
        return lines(data, to_server=True)

    def to_client(self) -> list[str]:
        """What has been sent to the client since it was asked last."""
        data = b"".join(self.session.to_frontend)
        self.session.to_frontend.clear()
        return lines(data, to_server=False)

    def run(self, *messages: Message, tag: str = "OK", in_transaction: bool = False) -> None:
        """A simple query or more that the server does, one after the other."""
        for message in messages:
            self.client(message)
            self.server(complete(tag), ready("T" if in_transaction else "I"))
            assert not self.session.closing


def packed(*messages: Message) -> bytes:
    return b"".join(m if isinstance(m, bytes) else m.pack() for m in messages)
