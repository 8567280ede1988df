"""COPY FROM STDIN: the client's rows are encrypted as they stream.

Rule 1  Data that comes before CopyInResponse waits for it: only then is it known what it is.
Rule 2  Data outside a COPY is dropped, as the server would do.
Rule 3  A row that cannot be encrypted ends the COPY by CopyFail; pgveil's error replaces the server's, unless
        that is about one of the rows before it.
"""

from __future__ import annotations

from proxy.errors import ServerError
from proxy.session.copy import CopyTransformer
from proxy.session.planning import Planning, Wait
from proxy.session.replies import REFUSED_COPY, Handler, Reply
from proxy.session.state import State
from proxy.wire.frames import COPY_DATA, COPY_DONE, COPY_FAIL, HEADER, frame
from proxy.wire.frontend import CopyFail


class CopyInput:
    """The COPY messages of one session's client: what is sent for each (None: as it came; empty: nothing)."""

    def __init__(self, state: State, planning: Planning) -> None:
        self._state = state
        self._planning = planning
        self._refused: Reply | None = None  # the COPY that was ended here; what follows of it is dropped
        self._outstanding = 0  # replies at that time: more of them are of what came behind it
        self.handlers: dict[int, Handler] = {
            COPY_DATA: self.data,
            COPY_DONE: self.done,
            COPY_FAIL: self.fail,
        }

    def may_stream(self) -> bool:
        """Whether a CopyData needs no edit, so that it may leave in parts."""
        state = self._state
        return state.taking_copy and state.copy_in is None and not state.skipping

    def data(self, data: bytes, at: int, end: int) -> bytes | None:
        """CopyData. Raises Wait."""
        state = self._state
        if self._outside():
            return b""
        if state.copy_in is None:
            return None
        try:
            rows = state.copy_in.feed(data[at + HEADER : end])
        except ServerError as error:
            return self._refuse(error, state.copy_in)
        return frame(COPY_DATA, rows) if rows else b""

    def done(self, data: bytes, at: int, end: int) -> bytes | None:
        """CopyDone. Raises Wait."""
        state = self._state
        if self._outside():
            return b""
        state.taking_copy = False
        if state.copy_in is None:
            return None
        try:
            rows = state.copy_in.finish()
        except ServerError as error:
            return self._refuse(error, state.copy_in)
        state.copy_skipped = state.copy_in.skipped
        state.copy_in = None
        return (frame(COPY_DATA, rows) if rows else b"") + data[at:end]

    def fail(self, data: bytes, at: int, end: int) -> bytes | None:
        """CopyFail. Raises Wait."""
        if self._outside():
            return b""
        self._state.taking_copy = False
        return None

    def _outside(self) -> bool:
        """Whether no COPY takes data. Raises Wait where one may be about to.

        So it may be behind one that is still open, but has been ended, and behind a COPY TO.
        """
        state = self._state
        if state.taking_copy:
            return False
        replies = state.replies
        if replies and (replies[0] is not self._refused or len(replies) > self._outstanding):
            raise Wait(flush=True)
        return True

    def _refuse(self, error: ServerError, copy_in: CopyTransformer) -> bytes:
        """The rows before the one that is wrong go to the server, which may find an error in one of them."""
        state = self._state
        state.note(error)
        state.end_copy()
        self._refused, self._outstanding = state.replies[0], len(state.replies)
        self._refused.copy_error = state.error_response(error)
        return (frame(COPY_DATA, copy_in.done) if copy_in.done else b"") + CopyFail(REFUSED_COPY).pack()
