"""A simple query whose statements depend on each other: each is sent when those before it are done.

The client sees the replies of one query. Outside a transaction block the server would do its statements in an
implicit transaction; here they are in a transaction block of pgveil's own, whose BEGIN and COMMIT nobody sees
(docs/decisions/0009). The rules are kept by script_sender.py and script_replies.py.

Rule 1  Each message of a script is sent when no reply is outstanding; what the client has sent behind the
        query waits for the end of it.
Rule 2  A statement outside a transaction block is preceded by a BEGIN of pgveil's. Its COMMIT follows the
        last statement, or precedes a COMMIT of the client's, which finds no transaction then, as it would
        have. So does its ROLLBACK precede whatever else fails, or does nothing, outside a block.
Rule 3  A BEGIN of the client's makes pgveil's block its own, without a word that there was one.
Rule 4  The last CommandComplete is shown when COMMIT has gone well, as with an implicit transaction.
Rule 5  After an error nothing more is sent but the ROLLBACK of pgveil's own block.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from proxy.session.replies import Kind, Reply
from proxy.sql.parts import Part
from proxy.sql.plan import TextPlan, Widths
from proxy.wire.backend import ErrorResponse


class Script:
    """A query that is sent in parts; `backslash_quotes`: as the setting was when it came."""

    __slots__ = ("backslash_quotes", "failed", "held", "next", "own", "parts")

    def __init__(self, parts: tuple[Part, ...], backslash_quotes: bool) -> None:
        self.parts = parts
        self.backslash_quotes = backslash_quotes
        self.next = 0  # of the parts
        self.own = False  # the transaction block that is open is pgveil's
        self.failed = False
        self.held = b""  # the last CommandComplete (rule 4)

    @property
    def done(self) -> bool:
        """Whether all parts have been sent."""
        return self.next == len(self.parts)


class Shown(Enum):
    """What the client sees of the reply to a message of a script, beside errors and notices."""

    ALL = auto()
    UNWARNED = auto()  # without the warning that there is a transaction already
    LATER = auto()  # its CommandComplete (rule 4)
    NOTHING = auto()


class ScriptReply(Reply):
    """The expected reply to a message of a script. `last`: nothing follows it if it goes well."""

    __slots__ = ("last", "shown")

    def __init__(
        self,
        shown: Shown,
        *,
        last: bool = False,
        kind: int = Kind.QUERY,
        plan: TextPlan | None = None,
        error: ErrorResponse | None = None,
        widths: Callable[[], Widths] | None = None,
    ) -> None:
        super().__init__(kind, plan=plan, error=error, widths=widths)
        self.shown = shown
        self.last = last
