"""From the backend: open what is protected, show logical types, forward the rest as the bytes that came.

Rule 1  A run of messages that need no edit leaves as one slice; rows of a result that holds nothing
        protected leave even before they are whole.
Rule 2  What a row means is told by the reply that it belongs to, never by the last description.
Rule 3  Where plan and RowDescription contradict each other, the session ends.

How rows are opened, and what happens where one does not open, stands in `rows.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy.errors import ServerError
from proxy.session.effects import apply_effects
from proxy.session.inquiry_replies import InquiryReplies
from proxy.session.replies import (
    ENDS_WITH_READY,
    PLAIN_EXECUTE,
    PLAIN_QUERY,
    REFUSED_COPY,
    SYNC,
    Handler,
    Kind,
    Reply,
    drop_until_sync,
    original_position,
)
from proxy.session.results import (
    copy_in,
    copy_out,
    describe_parameters,
    described,
)
from proxy.session.rows import Hold, ResultRows, statement_plan
from proxy.session.script_replies import ScriptReplies
from proxy.session.shortcut import pass_reply
from proxy.session.state import State
from proxy.wire import frames
from proxy.wire.backend import CommandComplete, ErrorResponse, NoticeResponse, ParameterStatus
from proxy.wire.errors import ProtocolError
from proxy.wire.frames import HEADER, LENGTH, frame

_DATA_ROW = frames.DATA_ROW
_COPY_DATA = frames.COPY_DATA
_ASYNCHRONOUS = (frames.NOTICE_RESPONSE, frames.NOTIFICATION_RESPONSE, frames.PARAMETER_STATUS)
_ANSWERS_ROWS = Kind.QUERY | Kind.EXECUTE
_DESCRIBES = Kind.DESCRIBE_STATEMENT | Kind.DESCRIBE_PORTAL
_IDLE = ord("I")
_IN_TRANSACTION = ord("T")
_MESSAGES = {frames.ERROR_RESPONSE: ErrorResponse, frames.NOTICE_RESPONSE: NoticeResponse}
_POISON_QUERY = frame(frames.QUERY, b"refused by pgveil\0")


class Backend:
    """One direction of a session. `settled` is called when no reply is outstanding any more."""

    def __init__(self, state: State, progress: Callable[[], None]) -> None:
        self._state = state
        self._progress = progress
        self._buffer = bytearray()
        self._needed = 0
        self._streaming = 0  # bytes of a message, not edited, that are still to come
        self._rows = ResultRows(state, self.resume)
        self.holding = False
        self._handlers: dict[int, Handler] = {
            frames.PARSE_COMPLETE: self._parse_complete,
            frames.BIND_COMPLETE: self._bind_complete,
            frames.CLOSE_COMPLETE: self._close_complete,
            frames.COMMAND_COMPLETE: self._command_complete,
            frames.EMPTY_QUERY_RESPONSE: self._command_complete,
            frames.PORTAL_SUSPENDED: self._portal_suspended,
            frames.ERROR_RESPONSE: self._error,
            frames.READY_FOR_QUERY: self._ready,
            frames.ROW_DESCRIPTION: self._row_description,
            frames.PARAMETER_DESCRIPTION: self._parameter_description,
            frames.NO_DATA: self._no_data,
            frames.PARAMETER_STATUS: self._parameter_status,
            frames.NOTICE_RESPONSE: self._notice,
            frames.COPY_IN_RESPONSE: self._copy_response,
            frames.COPY_OUT_RESPONSE: self._copy_response,
            frames.COPY_BOTH_RESPONSE: self._copy_response,
            frames.COPY_DONE: self._copy_done,
            frames.FUNCTION_CALL_RESPONSE: self._function_called,
        }
        self._of_script = ScriptReplies(state, self._handlers).handlers
        self._of_inquiry = InquiryReplies(state, self._handlers).handlers

    @property
    def partial(self) -> bool:
        return bool(self._buffer or self._streaming)

    def received(self, data: bytes) -> None:
        """Take bytes of the server."""
        if self._buffer:
            self._buffer += data
            if self.holding or len(self._buffer) < self._needed:
                return
            data = bytes(self._buffer)
            self._buffer.clear()
        self._process(data)

    def resume(self, error: ServerError | None = None) -> None:
        """The keys that were waited for have been fetched, or not. Raises the error."""
        if error is not None:
            raise error
        self.holding = False
        self._rows.reopen()
        data = bytes(self._buffer)
        self._buffer.clear()
        self._process(data)

    # --- framing ----------------------------------------------------------------------------------------

    def _process(self, data: bytes) -> None:
        at, start, size = 0, 0, len(data)
        if self._streaming:
            at = min(self._streaming, size)
            self._streaming -= at
        if not (self._rows.plain or self._rows.discarding or self._state.copy_mode):
            at = pass_reply(self._state, data, at)
        out = self._state.to_frontend
        handlers, rows = self._handlers, self._rows
        if self._state.inquiry is not None:
            handlers = self._of_inquiry
        elif self._state.script is not None:
            handlers = self._of_script
        unpack = LENGTH.unpack_from
        while size - at >= HEADER:
            kind = data[at]
            end = at + 1 + unpack(data, at + 1)[0]
            if end > size or end < at + HEADER:
                if end < at + HEADER:
                    raise ProtocolError("invalid length of a backend message")
                if rows.may_stream(kind):
                    self._streaming = end - size
                    at = size
                else:
                    self._needed = end - at
                break
            try:
                if kind == _DATA_ROW:
                    if rows.plain:
                        at = end
                        continue
                    replaced, end = rows.rewritten(data, at, end, size)
                elif kind == _COPY_DATA:
                    replaced, end = rows.copied(data, at, end, size)
                else:
                    handler = handlers.get(kind)
                    replaced = handler(data, at, end) if handler is not None else None
                    if rows.discarding and kind not in _ASYNCHRONOUS and replaced is None:
                        replaced = b""
            except Hold:
                if start < at:
                    out.append(data[start:at])
                self.holding = True
                self._buffer += data[at:]
                return
            except (ServerError, ProtocolError):
                if start < at:  # what stands before the end of the session still goes out
                    out.append(data[start:at])
                raise
            if replaced is not None:
                if start < at:
                    out.append(data[start:at])
                if replaced:
                    out.append(replaced)
                start = end
            at = end
        if start < at:
            out.append(data if start == 0 and at == size else data[start:at])
        if at < size:
            self._buffer += data[at:]
            if size - at < HEADER:
                self._needed = HEADER
        self._progress()

    # --- replies ----------------------------------------------------------------------------------------

    def _expect(self, kinds: int) -> Reply:
        """The reply at hand, which has to be for one of these kinds (bits)."""
        replies = self._state.replies
        if not replies or not replies[0].kind & kinds:
            raise ProtocolError("a reply of the server that was not expected")
        return replies[0]

    def _parse_complete(self, data: bytes, at: int, end: int) -> bytes | None:
        head = self._expect(Kind.PARSE)
        self._state.replies.popleft()
        if head.error is not None:
            raise ProtocolError("the server took a statement that it had to refuse")
        if head.statement is not None:
            head.statement.certain = True
        return None

    def _bind_complete(self, data: bytes, at: int, end: int) -> bytes | None:
        self._expect(Kind.BIND)
        self._state.replies.popleft()
        return None

    def _close_complete(self, data: bytes, at: int, end: int) -> bytes | None:
        self._expect(Kind.CLOSE)
        self._state.replies.popleft()
        return None

    def _no_data(self, data: bytes, at: int, end: int) -> bytes | None:
        self._expect(_DESCRIBES)
        self._state.replies.popleft()
        return None

    def _portal_suspended(self, data: bytes, at: int, end: int) -> bytes | None:
        head = self._expect(Kind.EXECUTE)
        plan = statement_plan(head)
        if plan is not None and plan.effects:  # rows have come, and the client may ask for no more
            apply_effects(self._state, plan.effects, b"")
        self._state.replies.popleft()
        self._rows.end()
        return None

    def _command_complete(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        head = self._expect(_ANSWERS_ROWS)
        self._rows.end()
        if state.copy_mode is not None:
            skipped = state.copy_skipped
            state.end_copy()
            if skipped:
                return _skipped(skipped) + (self._command_complete(data, at, end) or data[at:end])
        if head is PLAIN_QUERY:
            return None
        if head is PLAIN_EXECUTE:
            state.replies.popleft()
            return None
        plan = statement_plan(head)
        if plan is not None and plan.effects:
            tag = (
                b""
                if data[at] != frames.COMMAND_COMPLETE
                else CommandComplete.parse(data[at + HEADER : end]).tag
            )
            apply_effects(state, plan.effects, tag)
        if head.kind == Kind.EXECUTE:
            state.replies.popleft()
        elif head.plan is not None:
            head.index += 1
        return None

    def _error(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        state.failed = state.unsettled = True
        self._rows.end()
        state.end_copy()
        if not state.replies:
            return None
        head = state.replies[0]
        if self._rows.discarding or head.swallow:
            replaced: bytes | None = b""
        elif head.error is not None:
            replaced = head.error.pack()
        elif head.copy_error is not None and data.find(REFUSED_COPY, at, end) >= 0:
            replaced = head.copy_error.pack()
        else:
            replaced = self._repositioned(data, at, end, head)
        if not head.kind & ENDS_WITH_READY:
            state.skipping = not drop_until_sync(state.replies)
            later = sum(bool(reply.kind & ENDS_WITH_READY) for reply in state.replies)
            state.names.failed(state.names.segment - later)
        return replaced

    def _notice(self, data: bytes, at: int, end: int) -> bytes | None:
        replies = self._state.replies
        if not replies or self._rows.discarding:
            return None
        return self._repositioned(data, at, end, replies[0])

    @staticmethod
    def _repositioned(data: bytes, at: int, end: int, head: Reply) -> bytes | None:
        """The position of an error counts characters of the text: of the client's text, that is."""
        if (widths := head.widths) is None:
            return None
        message = _MESSAGES[data[at]].parse(data[at + HEADER : end])
        position = message.fields.get("P", b"")
        if not position.isdigit():
            return None
        fields = dict(message.fields)
        fields["P"] = str(original_position(widths(), int(position))).encode()
        return type(message)(fields).pack()

    def _ready(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        head = self._expect(ENDS_WITH_READY)
        state.replies.popleft()
        self._rows.end()
        if state.copy_mode is not None:
            state.end_copy()
        status = data[at + HEADER]
        discarding, self._rows.discarding = self._rows.discarding, False
        if discarding and status == _IN_TRANSACTION:
            # the client was told of an error: its transaction has to fail in the server, too
            state.replies.appendleft(Reply(Kind.QUERY, swallow=True))
            state.to_backend.append(_POISON_QUERY)
            return b""
        state.status = status
        if state.unsettled:
            state.search_path.settle()
            if status == _IDLE:
                state.end_of_transaction()
        if not (discarding or head.swallow):
            return None
        state.spoiled = False
        return data[at:end]

    def _function_called(self, data: bytes, at: int, end: int) -> bytes | None:
        head = self._expect(Kind.FUNCTION_CALL)
        if head.plan is not None:
            apply_effects(self._state, head.plan.first.effects, b"")
        return None

    # --- descriptions -----------------------------------------------------------------------------------

    def _row_description(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        head = self._expect(_DESCRIBES | _ANSWERS_ROWS)
        if head.kind & _ANSWERS_ROWS:
            results = self._rows.results()
        else:
            state.replies.popleft()
            described_by = head.portal or head.statement
            results = described_by.results if described_by is not None else None
        found = described(state, data[at + HEADER : end], results)
        if head.kind & _ANSWERS_ROWS:
            self._rows.formats = found.formats
        return found.message

    def _parameter_description(self, data: bytes, at: int, end: int) -> bytes | None:
        head = self._expect(Kind.DESCRIBE_STATEMENT)
        if head.statement is None or head.statement.plan.parameters is None:
            return None
        return describe_parameters(head.statement, data[at + HEADER : end])

    def _parameter_status(self, data: bytes, at: int, end: int) -> bytes | None:
        status = ParameterStatus.parse(data[at + HEADER : end])
        self._state.parameter_status(status.name.decode("latin-1"), status.value.decode("utf-8", "replace"))
        return None

    # --- COPY -------------------------------------------------------------------------------------------

    def _copy_response(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        head = self._expect(_ANSWERS_ROWS)
        state.copy_mode = data[at]
        plan = statement_plan(head)
        copy = plan.copy if plan is not None else None
        state.copy_in = None
        state.taking_copy = data[at] != frames.COPY_OUT_RESPONSE
        if data[at] == frames.COPY_IN_RESPONSE:
            while len(state.replies) > 1 and state.replies[1] is SYNC:
                del state.replies[1]  # nor do Syncs earn one that were sent before CopyInResponse came
        if copy is not None and data[at] == frames.COPY_IN_RESPONSE:
            state.copy_in = copy_in(state, copy)
        elif copy is not None:
            self._rows.copy_out = copy_out(state, copy)
        return None

    def _copy_done(self, data: bytes, at: int, end: int) -> bytes | None:
        return self._rows.copy_done(data[at:end])


def _skipped(rows: int) -> bytes:
    """PostgreSQL's notice at the end of COPY ... (ON_ERROR ignore), for the rows that pgveil has left out."""
    were = "row was" if rows == 1 else "rows were"
    message = f"{rows} {were} skipped due to data type incompatibility"
    return NoticeResponse.of("NOTICE", "00000", message).pack()
