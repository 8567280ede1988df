"""The errors that pgveil tells a client, in PostgreSQL's own terms.

    ServerError                 has severity, SQLSTATE, message, detail, hint, position
    ├── Refused                 0A000  the statement cannot be proved safe, or its mode cannot do it
    │   └── Outdated            0A000  a prepared statement means something else by now
    ├── InvalidValue            22xxx  a value does not fit the logical type
    ├── CannotOpen              XX001  a stored value is no ciphertext of its field, or was altered
    ├── Contradiction           XX000  the catalogue has changed underneath; ends the session
    ├── CatalogLocked           58000  somebody keeps everybody else from reading the catalogue
    ├── KeysUnavailable         58000  the keys of a field cannot be had now
    ├── AuditUnavailable        58000  the audit trail cannot be written, and the policy wants it to be
    ├── ProtocolViolation       08P01  a malformed frame; ends the session
    └── Shutdown                57P01  the proxy is draining; ends the session

No message, detail or hint ever holds a plaintext value, a key or a parameter.
SQLSTATEs: PostgreSQL documentation, appendix A.
"""

from __future__ import annotations


class ServerError(Exception):
    """An error with the fields of an ErrorResponse (PostgreSQL documentation, 54.8).

    `context` says where it happened: the line and column of a COPY.
    """

    severity = "ERROR"
    sqlstate = "XX000"
    routine: str | None = None  # the server's function, where drivers know an error by it

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str | None = None,
        detail: str | None = None,
        hint: str | None = None,
        position: int | None = None,
        severity: str | None = None,
        context: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate or type(self).sqlstate
        self.detail = detail
        self.hint = hint
        self.position = position
        self.severity = severity or type(self).severity
        self.context = context


class Refused(ServerError):
    """The statement is refused; nothing of it was sent to the server.

    For the audit trail: `field` is the column that it is about, `construct` what the statement does with it,
    where that is known.
    """

    sqlstate = "0A000"
    field: str | None = None
    construct: str | None = None


class Outdated(Refused):
    """A prepared statement means something else by now, in PostgreSQL's words: drivers prepare it anew."""

    routine = "RevalidateCachedQuery"


class InvalidValue(ServerError):
    """A value does not fit the logical type. The message never repeats the value."""

    sqlstate = "22P02"


class CannotOpen(ServerError):
    """A stored value cannot be decrypted as its field. Says only that it failed.

    For the audit trail: `field` is the column, `key` the id of the key that the value names, in hexadecimal.
    """

    sqlstate = "XX001"
    field: str | None = None
    key: str | None = None


class Contradiction(ServerError):
    """Plan and server disagree about where protected values are: the catalogue has changed underneath."""

    def __init__(self, what: str) -> None:
        super().__init__(
            "the result is not what was planned for the statement",
            detail=what,
            hint="A table may have been changed by somebody else; connect again.",
        )


class CatalogLocked(ServerError):
    """Somebody has locked the server's catalogue, and may himself wait for the transaction that needs it."""

    sqlstate = "58000"


class KeysUnavailable(ServerError):
    """The key store or the master key's provider does not answer."""

    sqlstate = "58000"


class AuditUnavailable(ServerError):
    """The audit trail cannot be written, and the policy refuses work with protected fields without it."""

    sqlstate = "58000"


class ProtocolViolation(ServerError):
    """A frame that the protocol does not allow; the session ends."""

    severity = "FATAL"
    sqlstate = "08P01"


class Shutdown(ServerError):
    """The proxy ends this session (PostgreSQL's admin_shutdown)."""

    severity = "FATAL"
    sqlstate = "57P01"
