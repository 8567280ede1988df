"""asyncpg's `copy_from_query` with arguments: it has the *server* quote them, in a statement of its own.

    Parse, Describe    SELECT ... WHERE email = $1                                    to learn the types
    Parse, Bind        SELECT quote_literal($1::"pg_catalog"."text"::text)            the value, in clear
    Query              COPY (SELECT ... WHERE email = 'the value') TO STDOUT

The second statement names nothing protected. It is known by its text, and by the first one, which has
parameters that are protected and was never bound (asyncpg's utils.py, `_mogrify`).
"""

from __future__ import annotations

import re

from proxy.errors import Refused
from proxy.session.names import Statement

_CALL = rb"quote_(?:literal|nullable)\(\$\d+::[^()$]+::text\)"
_QUOTES = re.compile(rb"SELECT %b(?:, %b)*" % (_CALL, _CALL))


class QuotedArguments:
    """What a session has prepared with protected parameters, and not bound since."""

    def __init__(self) -> None:
        self._prepared: Statement | None = None

    def prepared(self, statement: Statement) -> None:
        """A statement with protected parameters."""
        self._prepared = statement

    def bound(self, statement: Statement) -> None:
        """It was prepared to be executed, then."""
        if statement is self._prepared:
            self._prepared = None

    def require_none(self, sql: bytes) -> None:
        """Raise Refused where the server is asked to quote the arguments of what was prepared."""
        if self._prepared is not None and _QUOTES.fullmatch(sql):
            self._prepared = None
            raise Refused(
                "the arguments of a query on protected columns would be sent in clear",
                detail="asyncpg's copy_from_query has the server quote them before it writes the statement.",
                hint="Write values into the query as literals, or fetch the rows by fetch() or cursor().",
            )
