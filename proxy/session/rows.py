"""The rows of results and of COPY TO: opened as the reply at hand says.

Rule 1  A value that does not open is an error of its statement: what the server still sends for it is
        dropped, and an open transaction is made to fail, too (answers.py).
Rule 2  A key that the snapshot lacks is asked for once; the rows wait for it.
"""

from __future__ import annotations

from struct import Struct

from crypto.errors import UnknownKey
from proxy.errors import CannotOpen, ServerError
from proxy.session.copy import CopyTransformer
from proxy.session.replies import SYNC, Kind, Reply
from proxy.session.requests import FetchKeys
from proxy.session.results import Rewriter, copy_openers, row_rewriter
from proxy.session.state import Resume, State
from proxy.sql.plan import Results, StatementPlan
from proxy.wire.frames import COPY_DATA, DATA_ROW, HEADER, frame

_COUNT = Struct("!h")


class Hold(Exception):
    """A key has to be fetched before the stream can go on."""


def statement_plan(head: Reply) -> StatementPlan | None:
    """The plan of the statement that a reply is for; None where nothing is known of it."""
    if head.kind == Kind.EXECUTE:
        return head.portal.plan.first if head.portal is not None else None
    if head.plan is None or head.index >= len(head.plan.statements):
        return None
    return head.plan.statements[head.index]


class ResultRows:
    """The rows of the reply at hand. `resume` is called when a key that was asked for is there."""

    def __init__(self, state: State, resume: Resume) -> None:
        self._state = state
        self._resume = resume
        self._rewriter: Rewriter | None = None
        self._asked = b""  # the key that was looked up last
        self.plain = False  # the rows are known to need no edit
        self.formats: tuple[int, ...] = ()  # of the columns, as the RowDescription of a simple query has them
        self.copy_out: CopyTransformer | None = None
        self._fed = False  # it has had the message at hand, which waits for a key
        self.discarding = False  # a value did not open: drop until ReadyForQuery

    def end(self) -> None:
        """The statement is done."""
        self.plain = False
        if self._rewriter is not None or self.copy_out is not None or self.formats:
            self.formats = ()
            self._rewriter = self.copy_out = None
            self._fed = False

    def reopen(self) -> None:
        """There are new keys."""
        self._rewriter = None
        if self.copy_out is not None and (plan := statement_plan(self._state.replies[0])) and plan.copy:
            self.copy_out.renew(copy_openers(self._state, plan.copy))

    def results(self) -> Results | None:
        """The prediction for the reply at hand."""
        replies = self._state.replies
        plan = statement_plan(replies[0]) if replies else None
        return plan.results if plan is not None else None

    def may_stream(self, kind: int) -> bool:
        """Whether a message that is not there whole may leave in parts."""
        if self.discarding:
            return False
        if kind == DATA_ROW and self._state.inquiry is None:
            self.plain = self.plain or self.results() is None
            return self.plain
        return kind == COPY_DATA and self.copy_out is None

    # --- rows -------------------------------------------------------------------------------------------

    def rewritten(self, data: bytes, at: int, end: int, size: int) -> tuple[bytes | None, int]:
        """Rows from `at` on: their replacement (None: as they came), and where the next message starts."""
        if self.discarding:
            return b"", end
        rewriter = self._rewriter or self._begin(data, at)
        if rewriter is None:
            if (inquiry := self._state.inquiry) is not None:
                inquiry.row(data[at + HEADER : end])
                return b"", end
            self.plain = True
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
            return self.rewritten(data, at, end, size)
        except ServerError as error:
            return b"".join(pieces) + self._spoil(error), end
        return b"".join(pieces), at

    def _begin(self, data: bytes, at: int) -> Rewriter | None:
        results = self.results()
        if results is None:
            return None
        head = self._state.replies[0]
        (width,) = _COUNT.unpack_from(data, at + HEADER)
        formats = head.portal.formats if head.portal is not None else self.formats
        self._rewriter = row_rewriter(self._state, results, width, formats)
        return self._rewriter

    def _hold(self, key_id: bytes) -> None:
        """Ask for a key, once. Raises Hold, or CannotOpen where it is known not to exist."""
        if self._state.context.keyring().find(key_id) is not None:
            return  # it has come meanwhile; the next try takes the new snapshot
        if self._asked == key_id:
            self._asked = b""
            missing = CannotOpen("a stored value names an encryption key that does not exist")
            missing.key = key_id.hex()
            raise missing
        self._asked = key_id
        self._state.ask(FetchKeys(key_id=key_id), self._resume)
        raise Hold

    def _spoil(self, error: ServerError) -> bytes:
        """Tell the client of a value that does not open, and drop the rest of its statement.

        Raises the error where the session has to end with it.
        """
        state = self._state
        state.note(error)
        self.discarding = True
        self.copy_out = None
        head = state.replies[0] if state.replies else None
        later = list(state.replies)[1:]
        if head is not None and head.kind == Kind.EXECUTE:
            if not later:
                state.skipping = True
            elif later[0] is SYNC:
                del later[0]
        if later:  # the server has gone on; the client must not believe that it has not
            raise error
        state.spoiled = True
        return state.error_response(error).pack()

    # --- COPY TO ----------------------------------------------------------------------------------------

    def copied(self, data: bytes, at: int, end: int, size: int) -> tuple[bytes | None, int]:
        """CopyData from `at` on: its replacement (None: as it came), and where the next message starts."""
        if self.discarding:
            return b"", end
        transformer = self.copy_out
        if transformer is None:
            return None, end
        if (many := transformer.rewritten(data, at, size)) is not None:
            return many
        payload, self._fed = b"" if self._fed else data[at + HEADER : end], True
        try:
            rows = transformer.feed(payload)
        except UnknownKey as unknown:
            try:
                self._hold(unknown.key_id)
            except CannotOpen as error:
                return self._spoil(error), end
            self.reopen()
            return self.copied(data, at, end, size)
        except ServerError as error:
            return self._spoil(error), end
        self._fed = False
        return frame(COPY_DATA, rows) if rows else b"", end

    def copy_done(self, message: bytes) -> bytes | None:
        """The replacement of CopyDone: what was left of the rows goes before it."""
        transformer, self.copy_out = self.copy_out, None
        if transformer is None:
            return None
        rows = transformer.finish()
        return frame(COPY_DATA, rows) + message if rows else None
