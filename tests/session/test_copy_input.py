"""COPY FROM STDIN: rows that are sealed as they stream, what fails one, and what comes too early or late."""

from __future__ import annotations

import struct

from proxy.wire.frontend import CopyFail
from tests.session.playbook import (
    BIND_COMPLETE,
    COPY_DONE,
    PARSE_COMPLETE,
    SYNC,
    Playbook,
    bind,
    complete,
    copy_data,
    copy_in,
    error,
    execute,
    parse,
    query,
    ready,
)


def test_copy_from_encrypts_rows_as_they_stream() -> None:
    play = Playbook()
    assert play.client(query("COPY users (id, email) FROM STDIN")) == [
        "Query COPY users (id, email) FROM STDIN"
    ]
    assert play.server(copy_in(2)) == ["CopyInResponse"]
    assert play.client(copy_data("1\tkana")) == []
    assert play.client(copy_data("rie\n2\t\\N\n3")) == ["CopyData 1, [kanarie] / 2, \\N"]
    assert play.client(copy_data("\tkanarie 3"), COPY_DONE) == ["CopyData 3, [kanarie 3]", "CopyDone"]
    assert play.server(complete("COPY 3"), ready()) == ["CommandComplete COPY 3", "ReadyForQuery I"]


def test_a_row_that_does_not_fit_fails_the_copy() -> None:
    play = Playbook()
    play.client(query("COPY users (id, age) FROM STDIN"))
    play.server(copy_in(2))
    assert play.client(copy_data("1\tmany\n")) == ["CopyFail refused by pgveil"]
    assert play.client(copy_data("2\t3\n"), COPY_DONE) == []
    (line, last) = play.server(error("57014", "COPY from stdin failed: refused by pgveil"), ready())
    assert line.startswith("ERROR 22P02")
    assert last == "ReadyForQuery I"
    assert play.client(query("SELECT 1")) == ["Query SELECT 1"]


def test_copy_data_that_comes_early_waits() -> None:
    """It is not known yet whether the server takes it."""
    play = Playbook()
    assert play.client(query("COPY users (email) FROM STDIN"), copy_data("kanarie\n"), COPY_DONE) == [
        "Query COPY users (email) FROM STDIN",
        "Flush",
    ]
    play.server(copy_in(1))
    assert play.to_server() == ["CopyData [kanarie]", "CopyDone"]


def test_copy_data_that_comes_early_for_an_unprotected_table_arrives() -> None:
    play = Playbook()
    sent = play.client(query("COPY plain FROM STDIN"), copy_data("1\tclear\n"), COPY_DONE)
    assert sent == ["Query COPY plain FROM STDIN", "Flush"]
    play.server(copy_in(2))
    assert play.to_server() == ["CopyData 1, clear", "CopyDone"]


def test_copy_data_after_a_refused_copy_is_dropped() -> None:
    play = Playbook()
    play.client(query("COPY users (email) FROM STDIN"), copy_data("kanarie\n"), COPY_DONE, query("SELECT 1"))
    play.server(error("42501", "permission denied"), ready())
    assert play.to_server() == ["Query SELECT 1"]


def test_the_client_gives_up_its_copy() -> None:
    play = Playbook()
    play.client(query("COPY users (email) FROM STDIN"))
    play.server(copy_in(1))
    assert play.client(copy_data("kana"), CopyFail(b"enough")) == ["CopyFail enough"]
    assert play.server(error("57014", "COPY from stdin failed: enough"), ready())[-1] == "ReadyForQuery I"


def test_copy_in_the_extended_protocol_ignores_sync() -> None:
    play = Playbook()
    play.client(parse("COPY users (email) FROM STDIN"), bind(), execute(), SYNC)
    play.server(PARSE_COMPLETE, BIND_COMPLETE, copy_in(1))
    assert play.client(copy_data("kanarie\n"), COPY_DONE, SYNC) == ["CopyData [kanarie]", "CopyDone", "Sync"]
    assert play.server(complete("COPY 1"), ready())[-1] == "ReadyForQuery I"
    assert play.session.idle


def test_a_plain_copy_streams_without_waiting_for_whole_messages() -> None:
    play = Playbook()
    play.client(query("COPY plain FROM STDIN"))
    play.server(copy_in(2))
    start = b"d" + struct.pack("!i", 4 + 1_000_000) + b"x" * 1000
    play.session.frontend_received(start)
    assert b"".join(play.session.to_backend) == start


def test_rows_before_the_one_that_does_not_fit_reach_the_server_which_may_find_an_error_first() -> None:
    play = Playbook()
    play.client(query("COPY users (id, age) FROM STDIN"))
    play.server(copy_in(2))
    assert play.client(copy_data("one\t\\N\n2\tmany\n")) == [
        "CopyData one, \\N",
        "CopyFail refused by pgveil",
    ]
    (line, _) = play.server(error("22P02", "invalid input syntax for type bigint"), ready())
    assert line == "ERROR 22P02: invalid input syntax for type bigint"


def test_rows_that_on_error_ignore_leaves_out_are_counted() -> None:
    """A column that stores any text: the server cannot be made to leave the row out."""
    play = Playbook()
    play.client(query("COPY users (id, nick) FROM STDIN (ON_ERROR ignore)"))
    play.server(copy_in(2))
    rows = f"1\tkanarie\n2\tkanarie {'x' * 20}\n3\t\\N\n"
    assert play.client(copy_data(rows), COPY_DONE) == ["CopyData 1, [kanarie] / 3, \\N", "CopyDone"]
    notice, *rest = play.server(complete("COPY 2"), ready())
    assert notice == "NOTICE 00000: 1 row was skipped due to data type incompatibility"
    assert rest == ["CommandComplete COPY 2", "ReadyForQuery I"]


def test_the_header_stays_here() -> None:
    """It might be a row of a file that has none."""
    play = Playbook()
    play.client(query("COPY users (id, email) FROM STDIN (HEADER)"))
    play.server(copy_in(2))
    rows = "1\tkanarie\n2\tkanarie\n"
    assert play.client(copy_data(rows), COPY_DONE) == ["CopyData  / 2, [kanarie]", "CopyDone"]


def test_an_encoding_that_cannot_be_cut_is_refused_before_anything_is_sent() -> None:
    play = Playbook()
    copy = query("COPY users (email) FROM STDIN (ENCODING 'SJIS')")
    assert play.client(copy) == ["Query refused by pgveil"]
    (line, last) = play.server(error("42601", "syntax error"), ready())
    assert line.startswith("ERROR 0A000")
    assert last == "ReadyForQuery I"
    assert play.client(query("SELECT 1")) == ["Query SELECT 1"]


def test_rows_behind_a_copy_that_has_been_ended_wait_for_the_next() -> None:
    """The first is still open when they come: taken for its own, they would pass as they are."""
    play = Playbook()
    copy = query("COPY users (email) FROM STDIN")
    play.client(copy)
    play.server(copy_in(1))
    second = [copy_data("kanarie 2\n"), COPY_DONE]
    assert play.client(copy_data("kanarie\n"), COPY_DONE, copy, *second) == [
        *("CopyData [kanarie]", "CopyDone", "Query COPY users (email) FROM STDIN", "Flush"),
    ]
    play.server(complete("COPY 1"), ready())
    assert play.to_server() == []
    play.server(copy_in(1))
    assert play.to_server() == ["CopyData [kanarie 2]", "CopyDone"]
