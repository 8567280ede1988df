"""From the frontend: analyse what comes, encrypt what is protected, forward the rest as the bytes that came.

Rule 1  A run of messages that need no edit leaves as one slice.
Rule 2  A statement is analysed before any byte of it is sent; what is refused goes as a statement that
        the server refuses, too (replies.py, rule 4).
Rule 3  While the meaning of a message depends on replies that are still to come, it waits, and so does
        everything behind it; a Flush makes the server answer.
Rule 4  While the server skips to the next Sync nothing else is sent, for it would not be read.
"""

from __future__ import annotations

from proxy.errors import ProtocolViolation, ServerError
from proxy.session.copy_input import CopyInput
from proxy.session.extended_query import ExtendedQuery
from proxy.session.inquiry import Inquiry
from proxy.session.planning import Planning, Wait
from proxy.session.refusals import POISON
from proxy.session.replies import ENDS_WITH_READY
from proxy.session.script_sender import ScriptSender
from proxy.session.shortcut import pass_request
from proxy.session.simple_query import SimpleQuery
from proxy.session.state import State
from proxy.wire import frames
from proxy.wire.frames import FRONTEND_LIMITS, HEADER, LENGTH, frame

_IGNORED_IN_COPY = (frames.SYNC, frames.FLUSH, frames.TERMINATE)
_AFTER_BIND = (frames.DESCRIBE, frames.EXECUTE)
_FLUSH = frame(frames.FLUSH)
_POISON = frame(frames.QUERY, POISON + b"\0")
_HELD = 1 << 16  # bytes held while waiting, above which the client is not read
# Replies outstanding, above which it is not read either: their memory is pgveil's. The server answers without
# being asked well before, since it holds back 8 kB at most, and no reply has fewer than five bytes.
OUTSTANDING = 4096


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
        self._scripts = ScriptSender(state, self._planning)
        simple = SimpleQuery(state, self._planning, self._scripts)
        extended = ExtendedQuery(state, self._planning)
        largest = state.context.max_message_size
        self._limits = {kind: min(limit, largest) for kind, limit in FRONTEND_LIMITS.items()}
        # the server answers a Flush with a body by an error that belongs to no reply
        self._limits[frames.FLUSH] = LENGTH.size
        self._handlers = {
            frames.QUERY: simple.query,
            frames.PARSE: extended.parse,
            frames.BIND: extended.bind,
            frames.DESCRIBE: extended.describe,
            frames.EXECUTE: extended.execute,
            frames.CLOSE: extended.close,
            frames.SYNC: extended.sync,
            frames.FUNCTION_CALL: simple.function_call,
            **self._copy.handlers,
        }
        self._behind_script = dict.fromkeys(FRONTEND_LIMITS, self._behind)

    @property
    def reading(self) -> bool:
        return len(self._state.replies) < OUTSTANDING and (not self.waiting or len(self._buffer) < _HELD)

    @property
    def partial(self) -> bool:
        return bool(self._buffer or self._streaming or self._state.script)

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
        if self._state.script is not None and not self._state.taking_copy:
            self._next_part()
            return
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
        limits, state = self._limits, self._state
        handlers = self._handlers if state.script is None else self._behind_script
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
                self._buffer += data[end if wait.taken else at :]
                self._wait(wait, kind)
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

    def _wait(self, wait: Wait, kind: int) -> None:
        """Let everything from a message of a kind on wait."""
        self.waiting = True
        if wait.flush:
            self._state.to_backend.append(_FLUSH)
        if wait.inquiry is not None:
            self._inquire(wait.inquiry, kind)
        if wait.taken:
            self._next_part()

    def _inquire(self, inquiry: Inquiry, kind: int) -> None:
        """Ask the server, before the message of a kind that waits."""
        state = self._state
        inquiry.of_query = kind == frames.QUERY
        state.inquiry = inquiry
        state.replies.append(inquiry)
        state.to_backend.append(inquiry.request())

    def _next_part(self) -> None:
        """Go on with the script; what is behind it waits."""
        self.waiting = True
        try:
            self._scripts.step()
        except Wait as wait:
            self._wait(wait, frames.QUERY)

    def _behind(self, data: bytes, at: int, end: int) -> bytes | None:
        """A message while a script is sent: of its COPY, or behind it. Raises Wait."""
        if not self._state.taking_copy:
            raise Wait
        if (handler := self._copy.handlers.get(data[at])) is not None:
            return handler(data, at, end)
        # the server ignores some, and takes no other in the middle of a COPY; it need not see what that is
        return None if data[at] in _IGNORED_IN_COPY else _POISON

    @staticmethod
    def _forward(out: list[bytes], data: bytes, start: int, end: int) -> None:
        if start < end:
            out.append(data if start == 0 and end == len(data) else data[start:end])

    def _wait_for_ready(self) -> None:
        """The statement at hand failed on its way back: what follows waits for its ReadyForQuery."""
        replies = self._state.replies
        if replies and replies[-1].kind & ENDS_WITH_READY:
            raise Wait
