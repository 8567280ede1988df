"""From the backend: open what is protected, show logical types, forward the rest as the bytes that came.

Rule 1  A run of messages that need no edit leaves as one slice; rows of a result that holds nothing
        protected leave even before they are whole.
Rule 2  What a row means is told by the reply that it belongs to, never by the last description.
Rule 3  Where plan and RowDescription contradict each other, the session ends.
Rule 4  A value that does not open is an error of its statement: what the server still sends for it is
        dropped, and an open transaction is made to fail, too.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from crypto.errors import UnknownKey
from proxy.errors import CannotOpen, ServerError
from proxy.session.copy import CopyTransformer
from proxy.session.effects import apply_effects
from proxy.session.replies import (
    ENDS_WITH_READY,
    SYNC,
    Kind,
    Reply,
    drop_until_sync,
    original_position,
)
from proxy.session.requests import FetchKeys
from proxy.session.results import (
    Rewriter,
    copy_in,
    copy_out,
    describe_parameters,
    described,
    row_rewriter,
)
from proxy.session.state import State
from proxy.sql.plan import Results, StatementPlan
from proxy.wire import frames
from proxy.wire.backend import CommandComplete, ErrorResponse, ParameterStatus
from proxy.wire.errors import ProtocolError
from proxy.wire.frames import HEADER, LENGTH, frame

_COUNT = Struct("!h")
_DATA_ROW = frames.DATA_ROW
_COPY_DATA = frames.COPY_DATA
_ASYNCHRONOUS = (frames.NOTICE_RESPONSE, frames.NOTIFICATION_RESPONSE, frames.PARAMETER_STATUS)
_IDLE = ord("I")
_IN_TRANSACTION = ord("T")
_POISON_QUERY = frame(frames.QUERY, b"refused by pgveil\0")


class Hold(Exception):
    """A key has to be fetched before the stream can go on."""


class Backend:
    """One direction of a session. `settled` is called when no reply is outstanding any more."""

    def __init__(self, state: State, progress: Callable[[], None]) -> None:
        self._state = state
        self._progress = progress
        self._buffer = bytearray()
        self._needed = 0
        self._streaming = 0  # bytes of a message, not edited, that are still to come
        self._plain_rows = False  # the rows of the reply at hand are known to need no edit
        self._rewriter: Rewriter | None = None
        self._formats: tuple[int, ...] = ()  # of the columns of the simple query at hand
        self._copy_out: CopyTransformer | None = None
        self._discarding = False  # a value did not open: drop until ReadyForQuery
        self._asked = b""  # the key that was looked up last
        self.holding = False
        self._handlers = {
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
            frames.COPY_IN_RESPONSE: self._copy_response,
            frames.COPY_OUT_RESPONSE: self._copy_response,
            frames.COPY_BOTH_RESPONSE: self._copy_response,
            frames.COPY_DONE: self._copy_done,
        }

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
        self._rewriter = self._copy_out = None
        data = bytes(self._buffer)
        self._buffer.clear()
        self._process(data)

    # --- framing ----------------------------------------------------------------------------------------

    def _process(self, data: bytes) -> None:
        at, start, size = 0, 0, len(data)
        if self._streaming:
            at = min(self._streaming, size)
            self._streaming -= at
        out = self._state.to_frontend
        handlers = self._handlers
        unpack = LENGTH.unpack_from
        while size - at >= HEADER:
            kind = data[at]
            end = at + 1 + unpack(data, at + 1)[0]
            if end > size or end < at + HEADER:
                if end < at + HEADER:
                    raise ProtocolError("invalid length of a backend message")
                if self._may_stream(kind, data, at):
                    self._streaming = end - size
                    at = size
                else:
                    self._needed = end - at
                break
            try:
                if kind == _DATA_ROW:
                    if self._plain_rows:
                        at = end
                        continue
                    replaced, end = self._rows(data, at, end, size)
                elif kind == _COPY_DATA:
                    replaced = self._copied(data, at, end)
                else:
                    handler = handlers.get(kind)
                    replaced = handler(data, at, end) if handler is not None else None
                    if self._discarding and kind not in _ASYNCHRONOUS and replaced is None:
                        replaced = b""
            except Hold:
                if start < at:
                    out.append(data[start:at])
                self.holding = True
                self._buffer += data[at:]
                return
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

    def _may_stream(self, kind: int, data: bytes, at: int) -> bool:
        """Whether a message that is not there whole may leave in parts."""
        if self._discarding:
            return False
        if kind == _DATA_ROW:
            if not self._plain_rows and self._results() is None:
                self._plain_rows = True
            return self._plain_rows
        return kind == _COPY_DATA and self._copy_out is None

    # --- rows -------------------------------------------------------------------------------------------

    def _results(self) -> Results | None:
        """The prediction for the reply at hand."""
        replies = self._state.replies
        if not replies:
            return None
        head = replies[0]
        if head.kind is Kind.EXECUTE:
            return head.portal.statement.results if head.portal is not None else None
        plan = self._statement_plan(head)
        return plan.results if plan is not None else None

    @staticmethod
    def _statement_plan(head: Reply) -> StatementPlan | None:
        if head.kind is Kind.EXECUTE:
            return head.portal.statement.plan.first if head.portal is not None else None
        if head.plan is None or head.index >= len(head.plan.statements):
            return None
        return head.plan.statements[head.index]

    def _rows(self, data: bytes, at: int, end: int, size: int) -> tuple[bytes | None, int]:
        """Rows from `at` on: their replacement (None: as they came), and where the next message starts."""
        if self._discarding:
            return b"", end
        rewriter = self._rewriter
        if rewriter is None:
            rewriter = self._begin_rows(data, at)
            if rewriter is None:
                self._plain_rows = True
                return None, end
        pieces: list[bytes] = []
        try:
            at, _ = rewriter(data, at, size, pieces)
        except UnknownKey as unknown:
            self._rewriter = None  # it opens with the old snapshot; the rows are done again with the new one
            try:
                self._hold(unknown.key_id)
            except CannotOpen as error:
                return self._spoil(error), end
            return self._rows(data, at, end, size)
        except CannotOpen as error:
            return b"".join(pieces) + self._spoil(error), end
        return b"".join(pieces), at

    def _begin_rows(self, data: bytes, at: int) -> Rewriter | None:
        results = self._results()
        if results is None:
            return None
        head = self._state.replies[0]
        (width,) = _COUNT.unpack_from(data, at + HEADER)
        if head.kind is Kind.EXECUTE:
            assert head.portal is not None
            formats = head.portal.formats
        else:
            formats = self._formats
        self._rewriter = row_rewriter(self._state, results, width, formats)
        return self._rewriter

    def _hold(self, key_id: bytes) -> None:
        """Ask for a key, once. Raises Hold, or CannotOpen where it is known not to exist."""
        if self._state.context.keyring().find(key_id) is not None:
            return  # it has come meanwhile; the next try takes the new snapshot
        if self._asked == key_id:
            self._asked = b""
            raise CannotOpen("a stored value names an encryption key that does not exist")
        self._asked = key_id
        self._state.ask(FetchKeys(key_id=key_id), self.resume)
        raise Hold

    def _spoil(self, error: ServerError) -> bytes:
        """Tell the client of a value that does not open, and drop the rest of its statement."""
        state = self._state
        self._discarding = True
        head = state.replies[0] if state.replies else None
        later = list(state.replies)[1:]
        if head is not None and head.kind is Kind.EXECUTE:
            if not later:
                state.skipping = True
            elif later[0] is SYNC:
                del later[0]
        if later:  # the server has gone on; the client must not believe that it has not
            state.fail(error)
            return b""
        state.spoiled = True
        return state.error_response(error).pack()

    # --- replies ----------------------------------------------------------------------------------------

    def _expect(self, *kinds: Kind) -> Reply:
        replies = self._state.replies
        if not replies or replies[0].kind not in kinds:
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
        self._expect(Kind.DESCRIBE_STATEMENT, Kind.DESCRIBE_PORTAL)
        self._state.replies.popleft()
        return None

    def _end_rows(self) -> None:
        self._plain_rows = False
        self._formats = ()
        self._rewriter = self._copy_out = None

    def _portal_suspended(self, data: bytes, at: int, end: int) -> bytes | None:
        self._expect(Kind.EXECUTE)
        self._state.replies.popleft()
        self._end_rows()
        return None

    def _command_complete(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        head = self._expect(Kind.EXECUTE, Kind.QUERY)
        self._end_rows()
        state.end_copy()
        plan = self._statement_plan(head)
        if plan is not None and plan.copy is not None and plan.copy.to_server:
            state.copying -= 1
        if plan is not None and plan.effects:
            tag = (
                b""
                if data[at] != frames.COMMAND_COMPLETE
                else CommandComplete.parse(data[at + HEADER : end]).tag
            )
            apply_effects(state, plan.effects, tag)
        if head.kind is Kind.EXECUTE:
            state.replies.popleft()
        elif head.plan is not None:
            head.index += 1
        return None

    def _error(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        state.failed = True
        self._end_rows()
        state.end_copy()
        if not state.replies:
            return None
        head = state.replies[0]
        if (head.kind is Kind.QUERY and head.plan is not None) or head.kind is Kind.EXECUTE:
            state.copying = 0
        if self._discarding or head.swallow:
            replaced: bytes | None = b""
        elif head.error is not None:
            replaced = head.error.pack()
        else:
            replaced = self._repositioned(data, at, end, head)
        if head.kind not in ENDS_WITH_READY:
            state.skipping = not drop_until_sync(state.replies)
        return replaced

    @staticmethod
    def _repositioned(data: bytes, at: int, end: int, head: Reply) -> bytes | None:
        """The position of an error counts characters of the text: of the client's text, that is."""
        if head.widths is None:
            return None
        message = ErrorResponse.parse(data[at + HEADER : end])
        position = message.fields.get("P", b"")
        if not position.isdigit():
            return None
        fields = dict(message.fields)
        fields["P"] = str(original_position(head.widths, int(position))).encode()
        return ErrorResponse(fields).pack()

    def _ready(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        head = self._expect(Kind.QUERY, Kind.SYNC, Kind.FUNCTION_CALL)
        state.replies.popleft()
        self._end_rows()
        status = data[at + HEADER]
        discarding, self._discarding = self._discarding, False
        if discarding and status == _IN_TRANSACTION:
            # the client was told of an error: its transaction has to fail in the server, too
            state.replies.appendleft(Reply(Kind.QUERY, swallow=True))
            state.to_backend.append(_POISON_QUERY)
            return b""
        state.spoiled = False
        state.status = status
        state.end_copy()
        if status == _IDLE:
            state.end_of_transaction()
        return data[at:end] if discarding or head.swallow else None

    # --- descriptions -----------------------------------------------------------------------------------

    def _row_description(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        head = self._expect(Kind.QUERY, Kind.DESCRIBE_STATEMENT, Kind.DESCRIBE_PORTAL, Kind.EXECUTE)
        if head.kind in (Kind.QUERY, Kind.EXECUTE):
            results = self._results()
        else:
            state.replies.popleft()
            statement = head.portal.statement if head.portal is not None else head.statement
            results = statement.results if statement is not None else None
        found = described(state, data[at + HEADER : end], results)
        if head.kind in (Kind.QUERY, Kind.EXECUTE):
            self._formats = found.formats
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
        head = self._expect(Kind.QUERY, Kind.EXECUTE)
        state.copy_mode = data[at]
        plan = self._statement_plan(head)
        copy = plan.copy if plan is not None else None
        state.copy_in = self._copy_out = None
        if data[at] == frames.COPY_IN_RESPONSE:
            state.taking_copy = True
            if head.kind is Kind.EXECUTE:  # nor do Syncs earn one that were sent before CopyInResponse came
                waiting = [reply for reply in state.replies if reply is not SYNC]
                state.replies.clear()
                state.replies.extend(waiting)
        if copy is not None and data[at] == frames.COPY_IN_RESPONSE:
            state.copy_in = copy_in(state, copy)
        elif copy is not None:
            transformer = copy_out(state, copy)
            self._copy_out = transformer
        return None

    def _copied(self, data: bytes, at: int, end: int) -> bytes | None:
        if self._discarding:
            return b""
        if self._copy_out is None:
            return None
        transformer = self._copy_out
        try:
            rows = transformer.feed(data[at + HEADER : end])
        except UnknownKey:
            return self._spoil(CannotOpen("a stored value names an encryption key that is not known yet"))
        except ServerError as error:
            return self._spoil(error)
        return frame(_COPY_DATA, rows) if rows else b""

    def _copy_done(self, data: bytes, at: int, end: int) -> bytes | None:
        transformer, self._copy_out = self._copy_out, None
        if transformer is None:
            return None
        rows = transformer.finish()
        return frame(_COPY_DATA, rows) + data[at:end] if rows else None
