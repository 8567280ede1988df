"""What the messages of the backend mean: each is the answer to one of the expected replies.

Rule 1  What a message means is told by the reply that it belongs to, never by the last description.
Rule 2  Where plan and RowDescription contradict each other, the session ends.

A handler is given a message by its place in the bytes that came. It returns what is to leave instead; None
where that is the message as it is.
"""

from __future__ import annotations

from proxy.session.effects import apply_effects
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
)
from proxy.session.reports import report
from proxy.session.results import copy_in, copy_out, describe_parameters, described
from proxy.session.rows import ResultRows, statement_plan
from proxy.session.state import State
from proxy.wire import frames
from proxy.wire.backend import CommandComplete, NoticeResponse, ParameterStatus
from proxy.wire.errors import ProtocolError
from proxy.wire.frames import HEADER, frame

_ANSWERS_ROWS = Kind.QUERY | Kind.EXECUTE
_DESCRIBES = Kind.DESCRIBE_STATEMENT | Kind.DESCRIBE_PORTAL
_IDLE = ord("I")
_IN_TRANSACTION = ord("T")
_POISON_QUERY = frame(frames.QUERY, b"refused by pgveil\0")


class Answers:
    """`handlers` by the type of a message."""

    def __init__(self, state: State, rows: ResultRows) -> None:
        self._state = state
        self._rows = rows
        self.handlers: dict[int, Handler] = {
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
            return report(data, at, end, None, state.settings.encoding)
        head = state.replies[0]
        if self._rows.discarding or head.swallow:
            replaced: bytes | None = b""
        elif head.error is not None:
            replaced = head.error.pack()
        elif head.copy_error is not None and data.find(REFUSED_COPY, at, end) >= 0:
            replaced = head.copy_error.pack()
        else:
            replaced = report(data, at, end, head.widths, state.settings.encoding)
        if not head.kind & ENDS_WITH_READY:
            state.skipping = not drop_until_sync(state.replies)
            later = sum(bool(reply.kind & ENDS_WITH_READY) for reply in state.replies)
            state.names.failed(state.names.segment - later)
        return replaced

    def _notice(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        widths = state.replies[0].widths if state.replies and not self._rows.discarding else None
        return report(data, at, end, widths, state.settings.encoding)

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
