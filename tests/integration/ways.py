"""The ways in which a client may send one and the same statement, over libpq."""

from __future__ import annotations

import re
import select
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from psycopg import pq
from psycopg.pq.abc import PGconn, PGresult

Parameters = Sequence[str | None]

SIMPLE = "simple"
_PIPELINE_FAILED = "skipped"
_PATIENCE = 10.0  # seconds without a byte


@dataclass(frozen=True)
class Answer:
    """What came back of one statement: the columns, the rows, the tag; or the SQLSTATE of an error."""

    columns: tuple[tuple[bytes, int, int], ...] = ()  # name, type, modifier
    rows: tuple[tuple[bytes | None, ...], ...] = ()
    tag: bytes = b""
    sqlstate: str = ""
    message: str = ""

    def same_as(self, other: Answer, *, ordered: bool) -> bool:
        """Whether an application would see the same."""
        mine, theirs = self.rows, other.rows
        if not ordered:
            mine, theirs = _sorted(mine), _sorted(theirs)
        return (self.columns, mine, self.tag, self.sqlstate) == (
            other.columns,
            theirs,
            other.tag,
            other.sqlstate,
        )


def _sorted(rows: tuple[tuple[bytes | None, ...], ...]) -> tuple[tuple[bytes | None, ...], ...]:
    return tuple(sorted(rows, key=repr))


def _error(result: PGresult) -> Answer:
    parts = (
        pq.DiagnosticField.MESSAGE_PRIMARY,
        pq.DiagnosticField.MESSAGE_DETAIL,
        pq.DiagnosticField.MESSAGE_HINT,
    )
    text = " / ".join((result.error_field(part) or b"").decode() for part in parts)
    sqlstate = result.error_field(pq.DiagnosticField.SQLSTATE)
    return Answer(sqlstate=sqlstate.decode() if sqlstate else "none", message=text)


def _answer(result: PGresult) -> Answer:
    if result.status == pq.ExecStatus.FATAL_ERROR:
        return _error(result)
    if result.status == pq.ExecStatus.PIPELINE_ABORTED:
        return Answer(sqlstate=_PIPELINE_FAILED)
    columns = tuple((result.fname(i) or b"", result.ftype(i), result.fmod(i)) for i in range(result.nfields))
    rows = tuple(
        tuple(result.get_value(row, column) for column in range(result.nfields))
        for row in range(result.ntuples)
    )
    return Answer(columns, rows, result.command_status or b"")


def results(connection: PGconn, stdin: bytes = b"") -> list[Answer]:
    """Everything that comes back of what was sent; a COPY is fed `stdin`, or gives its lines as rows."""
    answers = []
    while (result := _next(connection)) is not None:
        if result.status == pq.ExecStatus.COPY_IN:
            for i in range(0, len(stdin), 7):  # in pieces that end anywhere
                connection.put_copy_data(stdin[i : i + 7])
            connection.put_copy_end()
        elif result.status == pq.ExecStatus.COPY_OUT:
            answers.append(Answer(rows=tuple((line,) for line in _copied(connection))))
        else:
            answers.append(_answer(result))
    return answers


def _next(connection: PGconn) -> PGresult | None:
    """The next result; a reply that does not come fails the test, which libpq would wait for forever."""
    while connection.is_busy():
        connection.flush()
        if not select.select([connection.socket], [], [], _PATIENCE)[0]:
            raise AssertionError("HANG: no reply")
        connection.consume_input()
    return connection.get_result()


def _copied(connection: PGconn) -> list[bytes]:
    lines = []
    while (piece := connection.get_copy_data(0))[0] > 0:
        lines.append(bytes(piece[1]))
    return lines


def simple(connection: PGconn, sql: str, stdin: bytes = b"") -> list[Answer]:
    """One Query message, of any number of statements."""
    connection.send_query(sql.encode())
    return results(connection, stdin)


def _encoded(params: Parameters) -> list[bytes | None]:
    return [None if value is None else value.encode() for value in params]


def extended(connection: PGconn, sql: str, params: Parameters = (), stdin: bytes = b"") -> list[Answer]:
    """Parse, Bind, Describe, Execute, Sync."""
    connection.send_query_params(sql.encode(), _encoded(params))
    return results(connection, stdin)


def binary(connection: PGconn, sql: str, params: Parameters = (), stdin: bytes = b"") -> list[Answer]:
    """The same with results in binary."""
    connection.send_query_params(sql.encode(), _encoded(params), result_format=1)
    return results(connection, stdin)


def named(connection: PGconn, sql: str, params: Parameters = (), stdin: bytes = b"") -> list[Answer]:
    """A statement prepared by name in one round trip and executed in another."""
    connection.send_prepare(b"by_name", sql.encode())
    answers = results(connection)
    if not answers[0].sqlstate:
        connection.send_query_prepared(b"by_name", _encoded(params))
        answers += results(connection, stdin)
    simple(connection, "DEALLOCATE ALL")
    return answers


def pipelined(connection: PGconn, sql: str, params: Parameters = (), stdin: bytes = b"") -> list[Answer]:
    """Between two other statements, all sent before any reply is read."""
    connection.enter_pipeline_mode()
    connection.send_query_params(b"SELECT 'before'", [])
    connection.send_query_params(sql.encode(), _encoded(params))
    connection.send_query_params(b"SELECT 'after'", [])
    connection.pipeline_sync()
    answers = []
    for _ in range(3):
        answers += results(connection, stdin)
    assert _next(connection) is not None  # of the Sync
    assert _next(connection) is None
    connection.exit_pipeline_mode()
    return answers


def _literal(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def literals(connection: PGconn, sql: str, params: Parameters = (), stdin: bytes = b"") -> list[Answer]:
    """A simple query whose parameters the client has put into the text."""
    text = re.sub(r"\$(\d+)", lambda match: _literal(params[int(match[1]) - 1]), sql)
    return simple(connection, text, stdin)


def prepared(connection: PGconn, sql: str, params: Parameters = (), stdin: bytes = b"") -> list[Answer]:
    """SQL's own PREPARE and EXECUTE."""
    answers = simple(connection, f"PREPARE by_sql AS {sql}")
    if not answers[0].sqlstate:
        arguments = f"({', '.join(map(_literal, params))})" if params else ""
        answers += simple(connection, f"EXECUTE by_sql{arguments}")
    simple(connection, "DEALLOCATE ALL")
    return answers


def in_transaction(connection: PGconn, sql: str, params: Parameters = (), stdin: bytes = b"") -> list[Answer]:
    """Inside a transaction that is rolled back; the last answer is the transaction's status."""
    simple(connection, "BEGIN")
    answers = extended(connection, sql, params, stdin)
    answers.append(Answer(tag=pq.TransactionStatus(connection.transaction_status).name.encode()))
    simple(connection, "ROLLBACK")
    return answers


Way = Callable[[PGconn, str, Parameters, bytes], list[Answer]]

ONE_STATEMENT: dict[str, Way] = {
    "extended": extended,
    "binary": binary,
    "named": named,
    "pipelined": pipelined,
    "in_transaction": in_transaction,
}
WITH_PARAMETERS: dict[str, Way] = {**ONE_STATEMENT, "literals": literals, "prepared": prepared}
