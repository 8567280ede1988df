"""Rows from the server: what is opened, what leaves as it came, and what does not open."""

from __future__ import annotations

import struct

import pytest

from crypto.keyring import Keyring
from proxy.errors import KeysUnavailable
from proxy.protector import Protector
from proxy.session.requests import FetchKeys
from proxy.wire.frontend import BINARY, TEXT
from tests.session.playbook import (
    BIND_COMPLETE,
    COPY_DONE,
    FIELDS,
    KEYS,
    PARSE_COMPLETE,
    SYNC,
    UTF8,
    Playbook,
    bind,
    complete,
    copy_data,
    copy_out,
    described,
    error,
    execute,
    key_list,
    packed,
    parse,
    query,
    ready,
    row,
    status,
    stored,
)

SSN = "SELECT id, ssn FROM users"
CANNOT = 'ERROR XX001: a stored value of protected column "public.users.ssn" cannot be decrypted'


def ssn(value: str = "kanarie") -> bytes:
    return stored("users.ssn", value)


def rows_of(shown: list[str]) -> list[str]:
    return [line.removeprefix("DataRow ") for line in shown if line.startswith("DataRow")]


# --- rows ------------------------------------------------------------------------------------------------


def test_rows_of_nothing_protected_leave_as_they_came() -> None:
    play = Playbook()
    play.client(query("SELECT name FROM plain"))
    result = packed(described("plain.name"), *[row("x" * 100)] * 1000, complete(), ready())
    play.session.backend_received(result)
    assert play.session.to_frontend == [result]
    assert play.session.to_frontend[0] is result


def test_and_in_parts_before_they_are_whole() -> None:
    play = Playbook()
    play.client(query("SELECT name FROM plain"))
    play.server(described("plain.name"))
    start = packed(row("x" * 1_000_000))[:1000]
    play.session.backend_received(start)
    assert play.session.to_frontend == [start]


def test_ciphertext_of_no_planned_column_stays_as_it_is() -> None:
    """Only what the plan names is opened: copying a ciphertext into another column reads nothing."""
    play = Playbook()
    play.client(query("SELECT note, ssn FROM users"))
    shown = play.server(
        described("users.note", "users.ssn"), row(ssn("hidden"), ssn("shown")), complete(), ready()
    )
    assert shown[1] == "DataRow [hidden], shown"


def test_a_star_of_unknown_width() -> None:
    play = Playbook()
    play.client(query("SELECT t.*, u.ssn FROM pg_temp.t, users u"))
    shown = play.server(
        described("a:25", "b:25", "c:25", "users.ssn"), row("1", "2", "3", ssn()), complete(), ready()
    )
    assert shown[1] == "DataRow 1, 2, 3, kanarie"


def test_binary_results() -> None:
    play = Playbook()
    play.client(parse("SELECT age, ssn FROM users"), bind(binary=True), execute(), SYNC)
    values = stored("users.age", "36", BINARY), stored("users.ssn", "kanarie", BINARY)
    play.session.backend_received(packed(PARSE_COMPLETE, BIND_COMPLETE, row(*values), complete(), ready()))
    assert packed(row(struct.pack("!i", 36), b"kanarie")) in b"".join(play.session.to_frontend)


def test_arrays_and_json_of_protected_values() -> None:
    play = Playbook()
    play.client(query("SELECT array_agg(ssn), json_agg(email), count(*) FROM users"))
    array = b'{"' + ssn("one") + b'",NULL,"' + ssn('t"wo') + b'"}'
    made = b'["' + stored("users.email", 'say "hi"') + b'", null]'
    shown = play.server(described("a:1009", "j:114", "c:20"), row(array, made, "3"), complete(), ready())
    assert shown[0] == "RowDescription a 1009, j 114, c 20"
    assert shown[1] == r'DataRow {one,NULL,"t\"wo"}, ["say \"hi\"", null], 3'


def test_a_cursor_shows_the_fields_of_its_query() -> None:
    play = Playbook()
    play.run(query("BEGIN"), query("DECLARE c CURSOR FOR SELECT ssn FROM users"), in_transaction=True)
    play.client(query("FETCH 1 FROM c"))
    assert rows_of(play.server(described("users.ssn"), row(ssn()), complete("FETCH 1"), ready("T"))) == [
        "kanarie"
    ]


def test_settings_change_how_values_are_shown() -> None:
    play = Playbook()
    born = row(stored("users.born", "1815-12-10"))
    for style, value in {
        "ISO, MDY": "1815-12-10",
        "German, DMY": "10.12.1815",
        "SQL, MDY": "12/10/1815",
    }.items():
        play.server(status("DateStyle", style))
        play.client(query("SELECT born FROM users"))
        assert rows_of(play.server(described("users.born"), born, complete(), ready())) == [value]


def test_a_setting_may_change_between_two_rows() -> None:
    play = Playbook()
    play.client(query("SELECT born, set_config('DateStyle', 'German', false) FROM users"))
    born = row(stored("users.born", "1815-12-10"), "German")
    shown = play.server(
        described("users.born", "s:25"), born, status("DateStyle", "German, DMY"), complete(), ready()
    )
    assert rows_of(shown) == ["1815-12-10, German"]


# --- values that do not open -----------------------------------------------------------------------------

BROKEN = {
    "plaintext": b"plaintext",
    "empty": b"",
    "another column's": stored("users.email", "kanarie"),
    "altered": ssn()[:-4] + (b"AAAA" if ssn()[-4:] != b"AAAA" else b"BBBB"),
    "cut off": ssn()[:-8],
    "a marker only": b"pgv1:",
    "no base64": b"pgv1:***",
}


@pytest.mark.parametrize("value", BROKEN.values(), ids=BROKEN)
def test_a_value_that_does_not_open_is_an_error_of_its_statement(value: bytes) -> None:
    play = Playbook()
    play.client(query(SSN))
    good = row("1", ssn())
    shown = play.server(described("users.id", "users.ssn"), good, row("2", value), good, complete(), ready())
    assert shown == ["RowDescription id 20, ssn 25", "DataRow 1, kanarie", CANNOT, "ReadyForQuery I"]
    assert play.client(query("SELECT 1")) == ["Query SELECT 1"]


def test_a_character_that_the_client_cannot_have_is_an_error_of_its_statement() -> None:
    play = Playbook()
    play.server(status("client_encoding", "LATIN1"))
    play.client(query(SSN))
    shown = play.server(described("users.id", "users.ssn"), row("1", ssn("€")), complete(), ready())
    assert shown[1].startswith("ERROR 22P05")
    assert shown[2] == "ReadyForQuery I"
    assert play.client(query("SELECT 1")) == ["Query SELECT 1"]


def test_bytes_that_are_no_value_of_the_type_do_not_open() -> None:
    """An old pgveil, or a key in wrong hands, has encrypted something else."""
    play = Playbook()
    play.server(status("client_encoding", "LATIN1"))
    play.client(query(SSN))
    value = Protector(KEYS, UTF8).sealer(FIELDS["users.ssn"], TEXT)(b"\xff")
    shown = play.server(described("users.id", "users.ssn"), row("1", value), complete(), ready())
    assert shown[1] == CANNOT
    assert not play.session.closing


def test_it_fails_the_transaction_too() -> None:
    """The client was told of an error: the server must not go on with the transaction as if nothing was."""
    play = Playbook()
    play.run(query("BEGIN"), in_transaction=True)
    play.client(query(SSN))
    assert (
        play.server(described("users.id", "users.ssn"), row("1", b"x"), complete(), ready("T"))[-1] == CANNOT
    )
    assert play.to_server() == ["Query refused by pgveil"]
    assert play.client(query("COMMIT")) == []  # waits until the server has failed it
    assert play.server(error("42601", "syntax error"), ready("E")) == ["ReadyForQuery E"]
    assert play.to_server() == ["Query COMMIT"]
    assert play.server(complete("ROLLBACK"), ready()) == ["CommandComplete ROLLBACK", "ReadyForQuery I"]


def test_it_ends_a_pipeline_that_the_server_has_gone_on_with() -> None:
    """What stood behind it was done already, which the client must not believe undone."""
    play = Playbook()
    play.client(parse(SSN), bind(), execute(), parse("UPDATE plain SET name = 'x'"), bind(), execute(), SYNC)
    shown = play.server(PARSE_COMPLETE, BIND_COMPLETE, row("1", b"x"))
    assert shown[-1].startswith("FATAL XX001")
    assert play.session.closing


def test_behind_it_up_to_sync_nothing_is_done() -> None:
    play = Playbook()
    play.client(parse(SSN), bind(), execute(), SYNC)
    assert play.server(
        PARSE_COMPLETE, BIND_COMPLETE, row("1", b"x"), row("1", ssn()), complete(), ready()
    ) == [
        "ParseComplete",
        "BindComplete",
        CANNOT,
        "ReadyForQuery I",
    ]


# --- keys that are not known -----------------------------------------------------------------------------


def without(name: str) -> Keyring:
    return Keyring(key for key in key_list() if key.name != name)


def test_rows_wait_for_a_key_that_another_proxy_has_made() -> None:
    play = Playbook(keys=without("public.users.ssn"))
    play.client(query(SSN))
    shown = play.server(described("users.id", "users.ssn"), row("1", None), row("2", ssn()))
    assert shown[0] == "RowDescription id 20, ssn 25"
    assert isinstance(play.session.request, FetchKeys)
    assert play.session.request.key_id is not None
    assert play.server(row("3", ssn("kanarie 3")), complete("SELECT 3"), ready()) == []
    play.keys = KEYS
    play.session.resume(None)
    assert rows_of(shown) + rows_of(play.to_client()) == ["1, NULL", "2, kanarie", "3, kanarie 3"]
    assert play.session.idle


def test_a_key_that_nobody_knows_is_an_error_of_the_statement() -> None:
    play = Playbook(keys=without("public.users.ssn"))
    play.client(query(SSN))
    play.server(described("users.id", "users.ssn"), row("1", ssn()), complete(), ready())
    play.session.resume(None)
    shown = play.to_client()
    assert [line.split(":")[0] for line in shown] == ["ERROR XX001", "ReadyForQuery I"] or shown[
        0
    ].startswith("Row")
    assert shown[-2].startswith("ERROR XX001")
    assert play.client(query("SELECT 1")) == ["Query SELECT 1"]


def test_a_keystore_that_does_not_answer_ends_the_session() -> None:
    """Rows have gone out, and others wait in the stream: there is no way back to a clean state."""
    play = Playbook(keys=without("public.users.ssn"))
    play.client(query(SSN))
    play.server(described("users.id", "users.ssn"), row("1", ssn()))
    play.session.resume(KeysUnavailable("the keystore does not answer"))
    assert play.to_client()[-1] == "FATAL 58000: the keystore does not answer"


def test_new_keys_are_taken_between_two_rows() -> None:
    play = Playbook(keys=without("public.users.email"))
    play.client(query(SSN))
    play.server(described("users.id", "users.ssn"), row("1", ssn()))
    play.keys = KEYS
    assert rows_of(play.server(row("2", ssn()), complete(), ready())) == ["2, kanarie"]


# --- COPY ------------------------------------------------------------------------------------------------


def test_copy_to_opens_rows() -> None:
    play = Playbook()
    play.client(query("COPY users (id, ssn) TO STDOUT"))
    rows = [b"1\t" + ssn() + b"\n", b"2\t\\N\n", b"3\t" + ssn("kanarie 3") + b"\n"]
    assert play.server(copy_out(2), *map(copy_data, rows), COPY_DONE, complete("COPY 3"), ready()) == [
        *("CopyOutResponse", "CopyData 1, kanarie", "CopyData 2, \\N", "CopyData 3, kanarie 3"),
        *("CopyDone", "CommandComplete COPY 3", "ReadyForQuery I"),
    ]


def test_a_row_of_copy_that_does_not_open_is_an_error() -> None:
    play = Playbook()
    play.client(query("COPY users (id, ssn) TO STDOUT"))
    shown = play.server(
        copy_out(2), copy_data("1\tplaintext\n"), copy_data("2\t\\N\n"), COPY_DONE, complete(), ready()
    )
    assert shown == ["CopyOutResponse", CANNOT, "ReadyForQuery I"]


def test_copy_asks_once_for_a_key_that_another_process_has_made() -> None:
    play = Playbook(keys=Keyring())
    play.client(query("COPY users (id, ssn) TO STDOUT"))
    rows = [b"1\t\\N\n", b"2\t" + ssn() + b"\n", b"3\t" + ssn("kanarie 3") + b"\n"]
    shown = play.server(copy_out(2), *map(copy_data, rows), COPY_DONE, complete("COPY 3"), ready())
    assert shown == ["CopyOutResponse", "CopyData 1, \\N"]
    assert isinstance(play.session.request, FetchKeys)
    play.keys = KEYS
    play.session.resume(None)
    assert play.to_client() == [
        *("CopyData 2, kanarie", "CopyData 3, kanarie 3"),
        *("CopyDone", "CommandComplete COPY 3", "ReadyForQuery I"),
    ]


def test_copy_fails_where_there_is_no_such_key() -> None:
    play = Playbook(keys=Keyring())
    play.client(query("COPY users (id, ssn) TO STDOUT"))
    rows = [b"1\t" + ssn() + b"\n", b"2\t\\N\n"]
    play.server(copy_out(2), *map(copy_data, rows), COPY_DONE, complete("COPY 2"), ready())
    play.session.resume(None)
    (line, last) = play.to_client()
    assert line.startswith("ERROR XX001: a stored value names an encryption key that does not exist")
    assert last == "ReadyForQuery I"
