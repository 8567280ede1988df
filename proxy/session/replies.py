"""Expected replies: one entry for each forwarded message that earns one, in the order of sending.

    Rule 1  Only a backend message takes an entry away.
    Rule 2  An error takes away the entries up to the next Sync, which the server skips, and their names.
    Rule 3  Notices, notifications and parameter status touch no entry.
    Rule 4  What pgveil refuses is sent as a statement that the server refuses, too: order, transaction and
            the skipping up to Sync stay the server's own; its error is replaced by pgveil's.

PostgreSQL documentation, 54.2.2 and 54.2.3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from proxy.session.names import Portal, Statement
from proxy.sql.plan import TextPlan, Widths
from proxy.wire.backend import ErrorResponse

REFUSED_COPY = b"refused by pgveil"  # which the server's error for a CopyFail repeats


class Kind:
    """Which frontend message the reply is for: one bit each, since every reply is tested against a few."""

    QUERY = 1
    PARSE = 2
    BIND = 4
    DESCRIBE_STATEMENT = 8
    DESCRIBE_PORTAL = 16
    EXECUTE = 32
    CLOSE = 64
    SYNC = 128
    FUNCTION_CALL = 256
    INQUIRY = 512  # pgveil's own (inquiry.py)


class Reply:
    """One expected reply. What is None does not concern its kind.

    `error` replaces the server's own; `undo` takes back what was registered when the message was sent.
    `copy_error` replaces the one that the server has for a CopyFail of pgveil's.
    """

    __slots__ = (
        "_widths",
        "copy_error",
        "error",
        "index",
        "kind",
        "plan",
        "portal",
        "statement",
        "swallow",
        "undo",
    )

    def __init__(
        self,
        kind: int,
        *,
        plan: TextPlan | None = None,
        statement: Statement | None = None,
        portal: Portal | None = None,
        error: ErrorResponse | None = None,
        undo: Callable[[bool], None] | None = None,
        widths: Callable[[], Widths] | None = None,
        swallow: bool = False,
    ) -> None:
        self.kind = kind
        self.plan = plan
        self.statement = statement
        self.portal = portal
        self.error = error
        self.copy_error: ErrorResponse | None = None
        self.undo = undo
        self._widths = widths
        self.swallow = swallow
        self.index = 0  # of the statement of a text that is being answered

    @property
    def widths(self) -> Callable[[], Widths] | None:
        """What gives the widths of the text that the reply is about; None where it went as it came."""
        about = self.portal or self.statement
        return self._widths or (about.widths if about is not None else None)


PLAIN_QUERY = Reply(Kind.QUERY)  # holds no state, so that all plain queries share it
PLAIN_EXECUTE = Reply(Kind.EXECUTE)
PLAIN_DESCRIBE = Reply(Kind.DESCRIBE_PORTAL)
SYNC = Reply(Kind.SYNC)
BIND = Reply(Kind.BIND)
ENDS_WITH_READY = Kind.QUERY | Kind.SYNC | Kind.FUNCTION_CALL

Replies = deque[Reply]
Handler = Callable[[bytes, int, int], bytes | None]  # a message and its replacement (None: as it came)


def drop_until_sync(replies: Replies) -> bool:
    """Take away what the server skips after an error; whether a Sync was found (it stays)."""
    dropped: list[Reply] = []
    while replies and replies[0].kind != Kind.SYNC:
        dropped.append(replies.popleft())
    for i in range(len(dropped) - 1, -1, -1):
        if (undo := dropped[i].undo) is not None:
            undo(i == 0)
    return bool(replies)
