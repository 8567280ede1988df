"""From the frontend: analyse what comes, encrypt what is protected, forward the rest as the bytes that came.

Rule 1  A run of messages that need no edit leaves as one slice.
Rule 2  A statement is analysed before any byte of it is sent; what is refused goes as a statement that
        the server refuses, too (replies.py, rule 4).
Rule 3  While the meaning of a message depends on replies that are still to come, it waits, and so does
        everything behind it; a Flush makes the server answer.
Rule 4  While the server skips to the next Sync nothing else is sent, for it would not be read.
"""

from __future__ import annotations

import struct

from proxy.errors import ProtocolViolation, ServerError
from proxy.protector import MissingKey, wire_oid
from proxy.session.binds import Sealed, sealed_bind
from proxy.session.copy_input import CopyInput
from proxy.session.inquiry import Inquiry
from proxy.session.names import Portal, Statement, Uncertain
from proxy.session.planning import Planning, Wait
from proxy.session.quoted_arguments import QuotedArguments
from proxy.session.replies import (
    BIND,
    ENDS_WITH_READY,
    PLAIN_DESCRIBE,
    PLAIN_EXECUTE,
    PLAIN_QUERY,
    SYNC,
    Kind,
    Reply,
)
from proxy.session.shortcut import pass_request
from proxy.session.state import State
from proxy.sql.plan import SetSearchPath, SettingChange, StatementPlan, TextPlan, TransactionChange
from proxy.wire import frames
from proxy.wire.backend import ErrorResponse
from proxy.wire.errors import ProtocolError
from proxy.wire.frames import FRONTEND_LIMITS, HEADER, LENGTH, frame
from proxy.wire.frontend import Parse, result_formats

POISON = b"refused by pgveil"  # a text that no version of the grammar knows
_POISON_NAME = b"pgveil"
_AFTER_BIND = (frames.DESCRIBE, frames.EXECUTE)
_FLUSH = frame(frames.FLUSH)
_SYNC = frame(frames.SYNC)
_STATEMENT, _PORTAL = ord("S"), ord("P")
_FAILED = ord("E")  # status of a failed transaction
_HELD = 1 << 16  # bytes held while waiting, above which the client is not read
# Replies outstanding, above which it is not read either: their memory is pgveil's. The server answers without
# being asked well before, since it holds back 8 kB at most, and no reply has fewer than five bytes.
OUTSTANDING = 4096
# Functions are called by their oid: lo_open() and the like are what is called so; set_config() could be.
_LARGE_OBJECT_FUNCTIONS = frozenset(
    (715, 764, 765, 952, 953, 954, 955, 956, 957, 958, 964, 1004, 3170, 3171, 3172, 3457, 3458, 3459, 3460)
)
_ANY_FUNCTION = TextPlan((StatementPlan(effects=(SetSearchPath(None, known=False), SettingChange())),))
_BEFORE_EXECUTION = ("08P01", "26000", "34000")  # what the server finds before it looks at the transaction
_STRUCT_ERRORS = (ProtocolError, struct.error)


class Frontend:
    """One direction of a session."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._buffer = bytearray()
        self._needed = 0  # bytes that make the first message of the buffer whole
        self._streaming = 0  # bytes of a CopyData, not edited, that are still to come
        self.waiting = False
        self._planning = Planning(state, self.resume)
        self._copy = CopyInput(state, self._planning)
        self._quoted = QuotedArguments()
        largest = state.context.max_message_size
        self._limits = {kind: min(limit, largest) for kind, limit in FRONTEND_LIMITS.items()}
        # the server answers a Flush with a body by an error that belongs to no reply
        self._limits[frames.FLUSH] = LENGTH.size
        self._handlers = {
            frames.QUERY: self._query,
            frames.PARSE: self._parse,
            frames.BIND: self._bind,
            frames.DESCRIBE: self._describe,
            frames.EXECUTE: self._execute,
            frames.CLOSE: self._close,
            frames.SYNC: self._sync,
            frames.FUNCTION_CALL: self._function_call,
            frames.COPY_DATA: self._copy.data,
            frames.COPY_DONE: self._copy.done,
            frames.COPY_FAIL: self._copy.fail,
        }

    @property
    def reading(self) -> bool:
        return len(self._state.replies) < OUTSTANDING and (not self.waiting or len(self._buffer) < _HELD)

    @property
    def partial(self) -> bool:
        return bool(self._buffer or self._streaming)

    def received(self, data: bytes) -> None:
        """Take bytes of the client. Raises ProtocolViolation for a malformed frame."""
        if self._buffer:
            self._buffer += data
            if self.waiting or len(self._buffer) < self._needed:
                return
            data = bytes(self._buffer)
            self._buffer.clear()
        self._process(data)

    def resume(self, error: ServerError | None = None) -> None:
        """What was waited for is there, or has failed."""
        self.waiting = False
        self._planning.error = error
        data = bytes(self._buffer)
        self._buffer.clear()
        self._needed = 0
        self._process(data)

    # --- framing ----------------------------------------------------------------------------------------

    def _process(self, data: bytes) -> None:
        at, size = 0, len(data)
        if self._streaming:
            at = min(self._streaming, size)
            self._streaming -= at
        start = 0
        out = self._state.to_backend
        handlers, limits, state = self._handlers, self._limits, self._state
        planning = self._planning
        unpack = LENGTH.unpack_from
        while size - at >= HEADER:
            kind = data[at]
            length = unpack(data, at + 1)[0]
            end = at + 1 + length
            if not 4 <= length <= limits.get(kind, 0):
                self._forward(out, data, start, at)
                raise ProtocolViolation(f"invalid frontend message of type {kind}, length {length}")
            if end > size:
                if kind == frames.COPY_DATA and self._copy.may_stream():
                    self._streaming = end - size
                    at = size
                else:
                    self._needed = 1 + length
                break
            if kind in _AFTER_BIND and (past := pass_request(state, data, at)) > at:
                at = past
                continue
            handler = handlers.get(kind)
            try:
                if state.spoiled:
                    self._wait_for_ready()
                replaced = handler(data, at, end) if handler is not None else None
            except Wait as wait:
                self._forward(out, data, start, at)
                if wait.flush:
                    out.append(_FLUSH)
                if wait.inquiry is not None:
                    self._inquire(wait.inquiry, kind)
                self.waiting = True
                self._buffer += data[at:]
                return
            if planning.asked:
                planning.done()
            if replaced is not None:
                self._forward(out, data, start, at)
                if replaced:
                    out.append(replaced)
                start = end
            at = end
        self._forward(out, data, start, at)
        if at < size:
            self._buffer += data[at:]
            if size - at < HEADER:
                self._needed = HEADER

    def _inquire(self, inquiry: Inquiry, kind: int) -> None:
        """Ask the server, before the message of a kind that waits."""
        state = self._state
        inquiry.of_query = kind == frames.QUERY
        state.inquiry = inquiry
        state.replies.append(inquiry)
        state.to_backend.append(inquiry.request())

    @staticmethod
    def _forward(out: list[bytes], data: bytes, start: int, end: int) -> None:
        if start < end:
            out.append(data if start == 0 and end == len(data) else data[start:end])

    def _wait_for_ready(self) -> None:
        """The statement at hand failed on its way back: what follows waits for its ReadyForQuery."""
        replies = self._state.replies
        if replies and replies[-1].kind & ENDS_WITH_READY:
            raise Wait

    # --- simple query -----------------------------------------------------------------------------------

    def _query(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        if state.skipping:
            return self._skip_query()
        text = _text(data, at + HEADER, end)
        try:
            planned = self._planning.plan(text)
            plan = planned.plan
            if plan.plain:
                state.names.segment += 1
                state.replies.append(PLAIN_QUERY)
                return None
            rendered = self._planning.rendered(planned)
        except ServerError as error:
            state.names.segment += 1
            state.replies.append(Reply(Kind.QUERY, error=self._refusal(error)))
            return frame(frames.QUERY, POISON + b"\0")
        state.names.segment += 1
        self._note_effects(plan)
        state.replies.append(Reply(Kind.QUERY, plan=plan, widths=rendered[1] if rendered else None))
        return frame(frames.QUERY, rendered[0] + b"\0") if rendered else None

    def _skip_query(self) -> bytes:
        """The server does not read a query before a Sync: one that has its error already gets that Sync."""
        state = self._state
        if not state.owes_ready:
            return b""
        state.owes_ready = state.skipping = False
        state.names.segment += 1
        state.replies.append(SYNC)
        return _SYNC

    def _note_effects(self, plan: TextPlan) -> None:
        """Whether the next statement has to wait for what this one does to the session."""
        state = self._state
        unsettled = state.search_path.uncommitted or state.uncommitted is not None
        for statement in plan.statements:
            for effect in statement.effects:
                if not isinstance(effect, TransactionChange) or (unsettled and effect.kind != "begin"):
                    state.barrier = True

    # --- extended query ---------------------------------------------------------------------------------

    def _parse(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        if state.skipping:
            return b""
        name = _string(data, at + HEADER, end)
        sql = _string(data, at + HEADER + len(name) + 1, end)
        try:
            self._quoted.require_none(sql)
            planned = self._planning.plan(sql)
            plan = planned.plan
            rendered = self._planning.rendered(planned) if plan.template is not None or plan.writes else None
            # the types are read only where they matter: reading a message whole costs as much as planning it
            types = () if plan.parameters is None else _read(Parse, data, at, end).types
            widths = rendered[1] if rendered else None
            statement = Statement(
                sql, plan, state.planner(), state.view(), types, state.names.segment, widths
            )
            undo = state.names.parse(name, statement)
        except Uncertain:
            raise Wait(flush=True) from None
        except ServerError as error:
            # a Parse of the same name, so that the unnamed statement is lost as in the server
            return self._poison(Kind.PARSE, error, name)
        reply = Reply(Kind.PARSE, statement=statement if undo else None, undo=undo, widths=widths)
        state.replies.append(reply)
        if rendered is None and plan.parameters is None:
            return None
        if plan.parameters is not None:
            self._quoted.prepared(statement)
        else:
            types = _read(Parse, data, at, end).types
        return Parse(name, rendered[0] if rendered else sql, _wire_types(plan, types)).pack()

    def _poison(self, kind: int, error: ServerError, name: bytes = _POISON_NAME) -> bytes:
        """Send what fails in the place of a message that is refused."""
        state = self._state
        undo = state.names.lose_unnamed() if kind == Kind.PARSE and not name else None
        if kind == Kind.BIND:
            state.names.unnamed_segment = state.names.segment  # its error is known to come
        state.replies.append(Reply(Kind.PARSE, error=self._refusal(error), undo=undo))
        return Parse(name, POISON).pack()

    def _refusal(self, error: ServerError) -> ErrorResponse:
        """The client's error; in a failed transaction all that is executed has the same one."""
        failed = self._state.status == _FAILED and not self._state.replies
        if failed and error.sqlstate not in _BEFORE_EXECUTION:
            error = ServerError(
                "current transaction is aborted, commands ignored until end of transaction block",
                sqlstate="25P02",
            )
        return self._state.error_response(error)

    def _bind(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        if state.skipping:
            return b""
        if state.barrier and state.replies:
            raise Wait(flush=True)
        portal = _string(data, at + HEADER, end)
        name = _string(data, at + HEADER + len(portal) + 1, end)
        try:
            statement = state.names.statement(name)
        except Uncertain:
            raise Wait(flush=True) from None
        if statement is None:
            return self._bind_unknown(name)
        if not statement.confirmed(state.planner(), state.view()):
            try:
                self._planning.confirm(statement)
            except ServerError as error:
                return self._poison(Kind.BIND, error)
        if portal:  # the next one without a name takes its place; those with names end with the transaction
            state.unsettled = True
        if statement.plain:
            self._bound(portal, statement.portal)
            return None
        if statement.plan.parameters is None:
            formats = _result_formats(data, at + HEADER + len(portal) + len(name) + 2, end)
            self._bound(portal, Portal(statement.plan, formats, statement.widths))
            return None
        self._quoted.bound(statement)
        try:
            sealed, formats = self._sealed(
                statement, data, at, at + HEADER + len(portal) + len(name) + 2, end
            )
        except _STRUCT_ERRORS:
            raise ProtocolViolation("invalid message format") from None
        except ServerError as error:
            return self._poison(Kind.BIND, error)
        bound = Portal(statement.plan, formats, statement.widths) if formats else statement.portal
        self._bound(portal, bound)
        return sealed

    def _bound(self, name: bytes, portal: Portal) -> None:
        undo = self._state.names.bind(name, portal)
        if undo is None and portal.widths is None:
            self._state.replies.append(BIND)
        else:
            self._state.replies.append(Reply(Kind.BIND, undo=undo, widths=portal.widths))

    def _sealed(self, statement: Statement, data: bytes, at: int, parameters: int, end: int) -> Sealed:
        try:
            return sealed_bind(self._state, statement, data, at, parameters, end)
        except MissingKey as missing:
            self._planning.fetch_key(missing.need)

    def _bind_unknown(self, name: bytes) -> bytes:
        """A statement that the session has not seen being prepared is not bound."""
        state = self._state
        if state.barrier and state.replies:
            raise Wait(flush=True)
        text = (
            f'prepared statement "{name.decode("utf-8", "replace")}"'
            if name
            else "unnamed prepared statement"
        )
        return self._poison(Kind.BIND, ServerError(f"{text} does not exist", sqlstate="26000"))

    def _describe(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        if state.skipping:
            return b""
        if state.barrier and state.replies:
            raise Wait(flush=True)
        kind, name = _named(data, at, end)
        if kind == _STATEMENT:
            try:
                statement = state.names.statement(name)
            except Uncertain:
                raise Wait(flush=True) from None
            state.replies.append(Reply(Kind.DESCRIBE_STATEMENT, statement=statement))
        else:
            portal = self._portal(name)
            if portal is None and not name and state.names.unnamed_lost:
                return self._poison(Kind.DESCRIBE_PORTAL, _no_portal())
            plain = portal is None or portal.results is None
            state.replies.append(PLAIN_DESCRIBE if plain else Reply(Kind.DESCRIBE_PORTAL, portal=portal))
        return None

    def _execute(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        if state.skipping:
            return b""
        name = _string(data, at + HEADER, end)
        if name and state.barrier and state.replies:
            raise Wait(flush=True)  # it may be a cursor that is being declared or closed
        portal = self._portal(name)
        if portal is None and not name and state.names.unnamed_lost:
            return self._poison(Kind.EXECUTE, _no_portal())
        if portal is None or portal.plan.quiet:
            state.replies.append(PLAIN_EXECUTE)
            return None
        plan = portal.plan
        if state.barrier and state.replies and plan.first.effects:
            raise Wait(flush=True)
        self._note_effects(plan)
        state.replies.append(Reply(Kind.EXECUTE, portal=portal))
        return None

    def _portal(self, name: bytes) -> Portal | None:
        names = self._state.names
        unsure = not name and b"" in names.portals and names.unnamed_segment != names.segment
        if unsure and self._state.replies:
            raise Wait(flush=True)  # whether its Bind went well is not known yet
        try:
            return names.portal(name)
        except Uncertain:
            raise Wait(flush=True) from None

    def _close(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        if state.skipping:
            return b""
        kind, name = _named(data, at, end)
        undo = None
        if kind == _STATEMENT:
            try:
                undo = state.names.close(name)
            except Uncertain:
                raise Wait(flush=True) from None
        else:
            undo = state.names.close_portal(name)
        state.replies.append(Reply(Kind.CLOSE, undo=undo))
        return None

    def _sync(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        if state.taking_copy:
            return None  # the server ignores a Sync while it takes COPY data: it earns no reply
        state.skipping = False
        state.names.segment += 1
        state.replies.append(SYNC)
        return None

    def _function_call(self, data: bytes, at: int, end: int) -> bytes | None:
        if self._state.skipping:
            return b""
        plan = None
        if int.from_bytes(data[at + HEADER : at + HEADER + 4]) not in _LARGE_OBJECT_FUNCTIONS:
            plan = _ANY_FUNCTION
            self._note_effects(plan)
        self._state.replies.append(Reply(Kind.FUNCTION_CALL, plan=plan))
        return None


def _no_portal() -> ServerError:
    return ServerError('portal "" does not exist', sqlstate="34000")


def _string(data: bytes, start: int, end: int) -> bytes:
    """The string that begins at `start`. Raises ProtocolViolation where it does not end."""
    stop = data.find(0, start, end)
    if stop < 0:
        raise ProtocolViolation("invalid message format")
    return data[start:stop]


def _text(data: bytes, start: int, end: int) -> bytes:
    """The string that a message's body is. Raises ProtocolViolation where it is not just that."""
    if data.find(0, start, end) != end - 1:
        raise ProtocolViolation("invalid message format")
    return data[start : end - 1]


def _named(data: bytes, at: int, end: int) -> tuple[int, bytes]:
    """What Describe or Close is about: the kind's byte, and the name. Raises ProtocolViolation."""
    if end - at < HEADER + 2 or data[at + HEADER] not in (_STATEMENT, _PORTAL):
        raise ProtocolViolation("invalid message format")
    return data[at + HEADER], _text(data, at + HEADER + 1, end)


def _result_formats(data: bytes, at: int, end: int) -> tuple[int, ...]:
    """What Bind asks for, past the values, which nobody looks at. Raises ProtocolViolation."""
    try:
        return result_formats(data, at, end)
    except _STRUCT_ERRORS:
        raise ProtocolViolation("invalid message format") from None


def _read(kind, data: bytes, at: int, end: int):  # type: ignore[no-untyped-def]
    """Parse a message. Raises ProtocolViolation."""
    try:
        return kind.parse(data[at + HEADER : end])
    except _STRUCT_ERRORS:
        raise ProtocolViolation("invalid message format") from None


def _wire_types(plan: TextPlan, declared: tuple[int, ...]) -> tuple[int, ...]:
    """The parameter types for the server: storage types where a parameter is protected."""
    if plan.parameters is None:
        return declared
    return tuple(
        wire_oid(wire.role)
        if wire.role is not None and wire.role.record is None
        else (declared[wire.source] if wire.source < len(declared) else 0)
        for wire in plan.parameters
    )
