"""From the backend: find the messages, forward those that need no edit as the bytes that came.

Rule 1  A run of messages that need no edit leaves as one slice; rows of a result that holds nothing
        protected leave even before they are whole.

What a message means stands in `answers.py`; how rows are opened, and what happens where one does not open, in
`rows.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy.errors import ServerError
from proxy.session.answers import Answers
from proxy.session.inquiry_replies import InquiryReplies
from proxy.session.rows import Hold, ResultRows
from proxy.session.script_replies import ScriptReplies
from proxy.session.shortcut import pass_reply
from proxy.session.state import State
from proxy.wire import frames
from proxy.wire.errors import ProtocolError
from proxy.wire.frames import HEADER, LENGTH

_DATA_ROW = frames.DATA_ROW
_COPY_DATA = frames.COPY_DATA
_ASYNCHRONOUS = (frames.NOTICE_RESPONSE, frames.NOTIFICATION_RESPONSE, frames.PARAMETER_STATUS)


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
        self._handlers = Answers(state, self._rows).handlers
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
