"""What pgveil refuses, the server refuses (docs/decisions/0002): what is sent, what the client is told."""

from __future__ import annotations

from proxy.errors import ServerError
from proxy.session.state import State
from proxy.wire.backend import ErrorResponse

POISON = b"refused by pgveil"  # a text that no version of the grammar knows
_FAILED = ord("E")  # status of a failed transaction
_BEFORE_EXECUTION = ("08P01", "26000", "34000")  # what the server finds before it looks at the transaction


def refusal(state: State, error: ServerError) -> ErrorResponse:
    """The client's error; in a failed transaction all that is executed has the same one."""
    state.note(error)
    failed = state.status == _FAILED and not state.replies
    if failed and error.sqlstate not in _BEFORE_EXECUTION:
        error = ServerError(
            "current transaction is aborted, commands ignored until end of transaction block",
            sqlstate="25P02",
        )
    return state.error_response(error)
