"""A text whose statements depend on each other is sent in parts; the client sees the replies of one query.

The server's part is played by the test; what real ones answer is in tests/integration/test_script.py.
"""

from __future__ import annotations

import pytest

from crypto.keyring import Keyring
from proxy.session.requests import FetchKeys, RefreshCatalog
from tests.session.inquiries import CREATE, PLANNED, answer, inquiry
from tests.session.playbook import (
    COPY_DONE,
    KEYS,
    SYNC,
    TERMINATE,
    Message,
    Playbook,
    bind,
    complete,
    copy_data,
    copy_in,
    described,
    error,
    execute,
    packed,
    parse,
    query,
    ready,
    row,
    status,
    stored,
)

INSERT = "INSERT INTO planned VALUES ('kanarie', 'kanarie')"
SEALED = "INSERT INTO planned VALUES ([kanarie], [kanarie])"
BEHIND = query("SELECT note FROM users")


def begun(text: str, *behind: Message) -> Playbook:
    """A script whose table was made, in a transaction block of pgveil's own."""
    play = Playbook()
    assert play.client(query(text), *behind) == ["Query BEGIN"]
    assert play.server(complete("BEGIN"), ready("T")) == []
    assert play.to_server() == [f"Query {CREATE};"]
    assert play.server(complete("CREATE TABLE"), ready("T")) == ["CommandComplete CREATE TABLE"]
    return play


def seen(play: Playbook) -> Playbook:
    """The inquiry that comes next is answered."""
    assert inquiry(play.to_server()) == []
    assert play.server(answer(PLANNED)) == []
    return play


def refreshed(play: Playbook) -> None:
    """The shell has read the committed catalogue again, which is what it was."""
    assert isinstance(play.session.request, RefreshCatalog)
    play.session.resume(None)


def test_parts_in_a_transaction_block_of_its_own() -> None:
    play = seen(begun(f"{CREATE}; {INSERT}"))
    assert play.to_server() == [f"Query  {SEALED}"]
    assert play.server(complete("INSERT 0 1"), ready("T")) == []  # not before it is committed
    assert play.to_server() == ["Query COMMIT"]
    assert play.server(complete("COMMIT"), ready()) == ["CommandComplete INSERT 0 1", "ReadyForQuery I"]
    assert play.session.announce_ddl


def test_a_commit_that_fails_is_an_error_of_the_last_statement() -> None:
    play = seen(begun(f"{CREATE}; {INSERT}"))
    play.server(complete("INSERT 0 1"), ready("T"))
    assert play.to_server()[-1] == "Query COMMIT"
    assert play.server(error("23505", "duplicate"), ready()) == ["ERROR 23505: duplicate", "ReadyForQuery I"]
    assert play.client(BEHIND) == []
    refreshed(play)
    assert play.to_server() == ["Query SELECT note FROM users"]


def test_an_error_ends_the_script_and_its_transaction() -> None:
    """Its place is one in the client's text."""
    play = seen(begun(f"{CREATE}; {INSERT}; SELECT 2"))
    play.to_server()
    assert play.server(error(position=14), ready("E")) == [
        f"ERROR 22012: division by zero at {len(CREATE) + 1 + 14}"
    ]
    assert play.to_server() == ["Query ROLLBACK"]
    assert play.server(complete("ROLLBACK"), ready()) == ["ReadyForQuery I"]
    assert play.client(BEHIND) == []
    refreshed(play)
    assert play.to_server() == ["Query SELECT note FROM users"]


def test_a_part_that_is_refused_fails_in_the_server_too() -> None:
    play = seen(begun(f"{CREATE}; {INSERT}; SELECT max(token) FROM planned"))
    play.to_server()
    play.server(complete("INSERT 0 1"), ready("T"))
    assert play.to_server() == ["Query refused by pgveil"]
    assert play.server(error("42601"), ready("E"))[0].startswith("ERROR 0A000: ")
    assert play.to_server() == ["Query ROLLBACK"]
    assert play.server(complete("ROLLBACK"), ready()) == ["ReadyForQuery I"]


def test_what_is_refused_whoever_stands_beside_it_is_not_begun() -> None:
    play = Playbook()
    assert play.client(query(f"{CREATE}; SELECT max(email) FROM users")) == ["Query refused by pgveil"]
    assert play.server(error("42601"), ready())[-1] == "ReadyForQuery I"


def test_what_is_behind_it_waits() -> None:
    play = seen(begun(f"{CREATE}; {INSERT}", BEHIND))
    play.to_server()
    assert play.client(parse("SELECT 1"), bind(), execute(), SYNC, TERMINATE) == []
    play.server(complete("INSERT 0 1"), ready("T"))
    assert play.to_server() == ["Query COMMIT"]
    assert play.server(complete("COMMIT"), ready())[-1] == "ReadyForQuery I"
    refreshed(play)
    rest = ["Query SELECT note FROM users", "Parse : SELECT 1", "Bind ()", "Execute", "Sync", "Terminate"]
    assert play.to_server() == rest


def test_it_waits_for_what_is_before_it() -> None:
    """Only then is it known what transaction it stands in."""
    play = Playbook()
    assert play.client(query("BEGIN"), query(f"{CREATE}; {INSERT}")) == ["Query BEGIN", "Flush"]
    assert play.server(complete("BEGIN"), ready("T")) == ["CommandComplete BEGIN", "ReadyForQuery T"]
    assert inquiry(play.to_server(), names="[]") == []  # it may be there already
    play.server(answer())
    assert play.to_server() == [f"Query {CREATE};"]


def test_a_block_of_the_clients_own() -> None:
    play = Playbook()
    play.client(query(f"BEGIN; {CREATE}; {INSERT}; COMMIT; SELECT 1"))
    assert play.server(complete("BEGIN"), ready("T")) == ["CommandComplete BEGIN"]
    assert play.to_server() == [f"Query  {CREATE};"]
    play.server(complete("CREATE TABLE"), ready("T"))
    seen(play)
    assert play.to_server() == [f"Query  {SEALED};"]
    assert play.server(complete("INSERT 0 1"), ready("T")) == ["CommandComplete INSERT 0 1"]
    assert play.to_server() == ["Query  COMMIT;"]
    assert play.server(complete("COMMIT"), ready()) == ["CommandComplete COMMIT"]
    assert play.to_server() == ["Query BEGIN"]


def test_an_error_in_a_block_of_the_clients_leaves_it_failed() -> None:
    play = Playbook()
    play.client(query(f"BEGIN; {CREATE}; {INSERT}; COMMIT"))
    play.server(complete("BEGIN"), ready("T"))
    assert play.server(error(), ready("E")) == ["ERROR 22012: division by zero", "ReadyForQuery E"]
    play.to_server()
    assert play.client(query("ROLLBACK")) == ["Query ROLLBACK"]


def test_a_begin_takes_the_block_over_without_a_warning() -> None:
    play = begun(f"{CREATE}; BEGIN; {INSERT}")
    assert play.to_server() == ["Query  BEGIN;"]
    warning = error("25001", "there is already a transaction in progress").pack()
    shown = play.server(b"N" + warning[1:], complete("BEGIN"), ready("T"))
    assert shown == ["CommandComplete BEGIN"]
    seen(play)
    play.to_server()
    assert play.server(complete("INSERT 0 1"), ready("T")) == [
        "CommandComplete INSERT 0 1",
        "ReadyForQuery T",
    ]


@pytest.mark.parametrize(
    ("turn", "own"), [("COMMIT", "COMMIT"), ("ROLLBACK", "ROLLBACK"), ("SAVEPOINT s", "ROLLBACK")]
)
def test_what_finds_no_transaction_finds_none(turn: str, own: str) -> None:
    play = seen(begun(f"{CREATE}; {INSERT}; {turn}"))
    play.to_server()
    assert play.server(complete("INSERT 0 1"), ready("T")) == ["CommandComplete INSERT 0 1"]
    assert play.to_server() == [f"Query {own}"]
    assert play.server(complete(own), ready()) == []
    refreshed(play)
    assert play.to_server() == [f"Query  {turn}"]
    assert play.server(complete(turn), ready()) == [f"CommandComplete {turn}", "ReadyForQuery I"]


def test_a_transaction_that_is_prepared_outside_a_block_is_refused() -> None:
    play = seen(begun(f"{CREATE}; {INSERT}; PREPARE TRANSACTION 'p'"))
    play.server(complete("INSERT 0 1"), ready("T"))
    assert play.to_server()[-1] == "Query refused by pgveil"


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "in bytes"])
def test_rows_of_copy(whole: bool) -> None:
    """The rows may be sent with the text; they wait for their COPY."""
    play = Playbook()
    rows = (copy_data("kanarie\tkanarie\n"), COPY_DONE, BEHIND)
    sent = packed(query(f"{CREATE}; COPY planned (token, label) FROM STDIN; SELECT 1"), *rows)
    for piece in [sent] if whole else [sent[i : i + 1] for i in range(len(sent))]:
        play.session.frontend_received(piece)
    assert play.to_server() == ["Query BEGIN"]
    play.server(complete("BEGIN"), ready("T"))
    play.to_server()
    play.server(complete("CREATE TABLE"), ready("T"))
    seen(play)
    assert play.to_server() == ["Query  COPY planned (token, label) FROM STDIN;"]
    assert play.server(copy_in(2)) == ["CopyInResponse"]
    assert play.to_server() == ["CopyData [kanarie], [kanarie]", "CopyDone"]
    assert play.server(complete("COPY 1"), ready("T")) == ["CommandComplete COPY 1"]
    assert play.to_server() == ["Query  SELECT 1"]


def test_no_other_message_reaches_the_server_in_the_middle_of_a_copy() -> None:
    play = seen(begun(f"{CREATE}; COPY planned (token, label) FROM STDIN"))
    play.to_server()
    play.server(copy_in(2))
    assert play.client(copy_data("kanarie\tx\n"), SYNC, query("SELECT 'kanarie'")) == [
        "CopyData [kanarie], [x]",
        "Sync",
        "Query refused by pgveil",
    ]
    assert play.server(error("08P01", "unexpected message"), ready("E")) == [
        "ERROR 08P01: unexpected message"
    ]
    assert play.to_server() == ["Query ROLLBACK"]
    assert play.server(complete("ROLLBACK"), ready()) == ["ReadyForQuery I"]


def test_rows_of_a_copy_that_failed_are_dropped() -> None:
    play = seen(begun(f"{CREATE}; COPY planned (token, label) FROM STDIN"))
    play.to_server()
    play.server(copy_in(2), error("57014", "cancelled"), ready("E"))
    assert play.client(copy_data("kanarie\tx\n"), COPY_DONE) == ["Query ROLLBACK"]
    play.server(complete("ROLLBACK"), ready())
    assert play.to_server() == []


def test_a_key_is_made_in_the_middle() -> None:
    play = Playbook(keys=Keyring([]))
    play.client(query(f"{CREATE}; {INSERT}"))
    play.server(complete("BEGIN"), ready("T"))
    play.to_server()
    play.server(complete("CREATE TABLE"), ready("T"))
    seen(play)
    assert isinstance(play.session.request, FetchKeys)
    assert not play.session.idle
    play.keys = KEYS
    play.session.resume(None)
    assert play.to_server() == [f"Query  {SEALED}"]


def test_an_inquiry_that_fails_ends_the_script() -> None:
    play = begun(f"{CREATE}; {INSERT}")
    assert inquiry(play.to_server()) == []
    assert play.server(error("57014", "cancelled")) == ["ERROR 57014: cancelled"]
    assert play.to_server() == ["Sync"]
    assert play.server(ready("E")) == []
    assert play.to_server() == ["Query ROLLBACK"]
    assert play.server(complete("ROLLBACK"), ready()) == ["ReadyForQuery I"]


def test_a_value_that_does_not_open_fails_the_script() -> None:
    play = seen(begun(f"{CREATE}; {INSERT}; SELECT ssn FROM users; SELECT 1"))
    play.server(complete("INSERT 0 1"), ready("T"))
    play.to_server()
    shown = play.server(described("users.ssn"), row(stored("users.email", "kanarie")), complete(), ready("T"))
    assert [line[:12] for line in shown] == ["RowDescripti", "ERROR XX001:"]
    assert play.to_server() == ["Query refused by pgveil"]
    assert play.server(error("42601"), ready("E")) == []
    assert play.to_server() == ["Query ROLLBACK"]
    assert play.server(complete("ROLLBACK"), ready()) == ["ReadyForQuery I"]


def test_a_text_that_changes_how_its_strings_are_read_is_refused() -> None:
    """PostgreSQL would have read them all before."""
    play = begun(f"{CREATE}; SET standard_conforming_strings = off; {INSERT}; SELECT '\\'")
    play.server(complete("SET"), status("standard_conforming_strings", "off"), ready("T"))
    play.to_server()
    play.server(answer(PLANNED))
    play.server(complete("INSERT 0 1"), ready("T"))
    assert play.to_server()[-1] == "Query refused by pgveil"


def test_the_servers_bytes_one_at_a_time() -> None:
    play = Playbook()
    play.client(query(f"{CREATE}; {INSERT}; SELECT id FROM users"))
    answers = [
        packed(complete("BEGIN"), ready("T")),
        packed(complete("CREATE TABLE"), ready("T")),
        answer(PLANNED),
        packed(complete("INSERT 0 1"), status("a", "b"), ready("T")),
        packed(described("users.id"), row("7"), complete("SELECT 1"), ready("T")),
        packed(complete("COMMIT"), ready()),
    ]
    for data in answers:
        for i in range(len(data)):
            play.session.backend_received(data[i : i + 1])
    shown = play.to_client()
    assert [line.split()[0] for line in shown] == [
        *("CommandComplete", "CommandComplete", "ParameterStatus"),
        *("RowDescription", "DataRow", "CommandComplete", "ReadyForQuery"),
    ]


def test_a_shutdown_waits_for_its_end() -> None:
    play = seen(begun(f"{CREATE}; {INSERT}"))
    play.session.shutdown()
    play.server(complete("INSERT 0 1"), ready("T"))
    assert not play.session.closing
    shown = play.server(complete("COMMIT"), ready())
    assert shown[:2] == ["CommandComplete INSERT 0 1", "ReadyForQuery I"]
    assert play.session.closing
