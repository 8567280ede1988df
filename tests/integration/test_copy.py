"""COPY beside the twin: any options, any bytes, in and out; the same rows, or the same error at one place.

Only what an error repeats of a value differs: pgveil's own errors repeat nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from psycopg import pq
from psycopg.pq.abc import PGconn

from tests.integration.pair import Pair
from tests.integration.ways import simple

COLUMNS = ("email", "age", "nick", "note")
SHOWN = "SELECT email, age, nick, note FROM users ORDER BY id"
_VALUE = re.compile(r"(: null input|: \".*\")$", re.DOTALL)
_MARKER_INSIDE = re.compile(
    rb"[^\r\n]\\\.|\\\.[^\r\n]"
)  # what PostgreSQL 18 refuses, and so does pgveil for all
slow = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Ending:
    """How a COPY FROM has ended: its tag; or SQLSTATE, hint and context of its error, and the status."""

    tag: str = ""
    sqlstate: str = ""
    message: str = ""
    hint: str = ""
    context: str = ""
    notices: tuple[str, ...] = ()


def copy_in(connection: PGconn, sql: str, data: bytes, piece: int, *, fail: bool = False) -> Ending:
    notices: list[str] = []
    connection.notice_handler = lambda result: notices.append(
        _text(result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY))
    )
    connection.send_query(sql.encode())
    result = connection.get_result()
    assert result is not None
    if result.status == pq.ExecStatus.COPY_IN:
        for at in range(0, len(data), piece):
            connection.put_copy_data(data[at : at + piece])
        connection.put_copy_end(b"given up" if fail else None)
        result = connection.get_result()
        assert result is not None
    ending = Ending(
        _text(result.command_status),
        *(
            _text(result.error_field(field))
            for field in (
                pq.DiagnosticField.SQLSTATE,
                pq.DiagnosticField.MESSAGE_PRIMARY,
                pq.DiagnosticField.MESSAGE_HINT,
            )
        ),
        _VALUE.sub("", _text(result.error_field(pq.DiagnosticField.CONTEXT))),
        tuple(notices),
    )
    while connection.get_result() is not None:
        pass
    return ending


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def copy_out(connection: PGconn, sql: str) -> list[bytes]:
    connection.send_query(sql.encode())
    result = connection.get_result()
    assert result is not None
    lines = []
    if result.status != pq.ExecStatus.COPY_OUT:
        lines.append(result.error_field(pq.DiagnosticField.SQLSTATE) or b"")
    else:
        while (piece := connection.get_copy_data(0))[0] > 0:
            lines.append(bytes(piece[1]))
    while connection.get_result() is not None:
        pass
    return lines


def quoted(value: str) -> str:
    return "E'" + "".join(f"\\{ord(c):03o}" if ord(c) < 128 else c for c in value) + "'"


@st.composite
def option_lists(draw: st.DrawFn, version: int, *, out: bool = False) -> dict[str, str]:
    """Options of text and csv, each by itself or with others."""
    form = draw(st.sampled_from(["text", "csv"]))
    options = {"FORMAT": form}
    if draw(st.booleans()):
        options["DELIMITER"] = draw(st.sampled_from(["|", ";", ":", "_", "\x01", "A", "P", " ", "\t", ","]))
    if draw(st.booleans()):
        options["NULL"] = draw(st.sampled_from(["", "x", "NULL", "\\N", "pgv1", "17", "é"]))
    if draw(st.booleans()):
        headers = ["true", "false"] + ([] if out or version < 15 else ["match"])
        options["HEADER"] = draw(st.sampled_from(headers))
    if form == "csv":
        if draw(st.booleans()):
            options["QUOTE"] = draw(st.sampled_from(["'", '"', "\x02", "v", "="]))
        if draw(st.booleans()):
            options["ESCAPE"] = draw(st.sampled_from(["\\", '"', "'", "1"]))
        for name in ("FORCE_QUOTE",) if out else ("FORCE_NULL", "FORCE_NOT_NULL"):
            if draw(st.booleans()):
                columns = draw(st.sets(st.sampled_from(COLUMNS), min_size=1))
                options[name] = "(" + ", ".join(sorted(columns)) + ")"
    if not out and version >= 16 and draw(st.booleans()):
        options["DEFAULT"] = draw(st.sampled_from(["\\D", "dflt", "xx"]))
    if not out and version >= 17 and draw(st.booleans()):
        options["ON_ERROR"] = draw(st.sampled_from(["stop", "ignore"]))
        if options["ON_ERROR"] == "ignore" and version >= 18:
            options["LOG_VERBOSITY"] = draw(st.sampled_from(["default", "silent"]))
    return options


def clause(options: dict[str, str]) -> str:
    bare = ("FORMAT", "HEADER", "FORCE_QUOTE", "FORCE_NULL", "FORCE_NOT_NULL", "ON_ERROR", "LOG_VERBOSITY")
    parts = [f"{name} {value if name in bare else quoted(value)}" for name, value in options.items()]
    return "(" + ", ".join(parts) + ")"


def lines_of(draw: st.DrawFn, options: dict[str, str]) -> bytes:
    """Rows that mostly are what PostgreSQL takes, made of what matters to these options."""
    csv = options["FORMAT"] == "csv"
    delimiter = options.get("DELIMITER", "," if csv else "\t")
    quote, null = options.get("QUOTE", '"'), options.get("NULL", "" if csv else "\\N")
    spice = [null, "é", " ", "kanarie", "\\\\", "x", "\\.", options.get("DEFAULT", "\\D")]
    spice += [quote + delimiter + quote, quote * 2, quote + "a\nb" + quote, quote, "a" + quote] if csv else []
    spice += [] if csv else ["\\n", "\\x41", "\\101", "\\" + delimiter, "\\\n", "\\N"]
    text = st.lists(st.sampled_from(spice), max_size=3).map("".join)
    email = st.integers(0, 10**9).map(lambda n: f"kanarie-{n}") | text
    age = st.sampled_from(["17", "-4", null, quote + "17" + quote if csv else "5", "many", "99999999999"])
    nick = st.just("kanarie") | st.just("kanarie and more than twenty") | text
    row = st.tuples(email, age, nick, text).map(lambda fields: delimiter.join(fields))
    end = draw(st.sampled_from(["\n"] * 3 + ["\r\n", "\r"]))
    rows = draw(st.lists(row, max_size=6))
    if options.get("HEADER", "false") != "false":
        rows.insert(
            0, draw(st.sampled_from([delimiter.join(COLUMNS)] * 3 + ["", "a", delimiter.join("abcd")]))
        )
    rows += draw(st.sampled_from([[]] * 4 + [["\\."], [""], ["a" + delimiter + "1"]]))
    return (end.join(rows) + (end if draw(st.booleans()) else "")).encode()


@slow
@given(st.data(), st.integers(1, 40))
def test_rows_in(pair: Pair, data: st.DataObject, piece: int) -> None:
    veiled, plain = pair.connections()
    options = data.draw(option_lists(plain.server_version // 10_000))
    stream = lines_of(data.draw, options)
    assume(options["FORMAT"] == "csv" or not _MARKER_INSIDE.search(re.sub(rb"\\[^.]", b"xx", stream)))
    sql = f"COPY users ({', '.join(COLUMNS)}) FROM STDIN {clause(options)}"
    for connection in (veiled, plain):
        simple(connection, "TRUNCATE users RESTART IDENTITY")
    expected = copy_in(plain, sql, stream, piece)
    answer = copy_in(veiled, sql, stream, piece)
    if options.get("ON_ERROR") == "ignore":  # the server does not count the lines that pgveil leaves out
        answer, expected = (
            replace(ending, context=ending.context.split(",")[0]) for ending in (answer, expected)
        )
    if expected.message.startswith("unexpected default marker"):
        return  # which PostgreSQL finds before it reads any value of the row
    if answer.sqlstate == "22P04" and answer.message != expected.message:  # two errors at once
        answer = replace(answer, context=expected.context)
    assert (answer.tag, answer.sqlstate, answer.context) == (
        expected.tag,
        expected.sqlstate,
        expected.context,
    ), f"{answer}\n{expected}"
    if answer.tag:
        pair.assert_no_leak()
    rows = [simple(connection, SHOWN)[0].rows for connection in (veiled, plain)]
    assert rows[0] == rows[1]


@slow
@given(st.data())
def test_rows_out(pair: Pair, data: st.DataObject) -> None:
    veiled, plain = pair.connections()
    options = data.draw(option_lists(plain.server_version // 10_000, out=True))
    value = st.none() | st.text(st.sampled_from("x\\,|;:\"'\n\r\t\b\v.N\u00e9 A_="), max_size=4)
    rows = data.draw(st.lists(st.tuples(value, st.none() | st.integers(-9, 99), value, value), max_size=5))
    for connection in (veiled, plain):
        simple(connection, "TRUNCATE users RESTART IDENTITY")
        for number, row in enumerate(rows):
            fields = [None if v is None else str(v).encode() for v in row]
            fields[0] = None if fields[0] is None else fields[0] + b"-%d" % number
            connection.exec_params(
                b"INSERT INTO users (email, age, nick, note) VALUES ($1, $2, $3, $4)", fields
            )
    sql = f"COPY users ({', '.join(COLUMNS)}) TO STDOUT {clause(options)}"
    assert copy_out(veiled, sql) == copy_out(plain, sql)
