"""From the client: what waits, what is refused, what is dropped, and that nothing protected slips by."""

from __future__ import annotations

import struct

import pytest

from crypto.keyring import Keyring
from crypto.manager import KeyNeed
from proxy.errors import KeysUnavailable
from proxy.session.frontend import OUTSTANDING
from proxy.session.requests import FetchKeys, RefreshCatalog
from proxy.wire.frames import COPY_DATA, FUNCTION_CALL, QUERY, frame
from tests.session.playbook import (
    BIND_COMPLETE,
    CLOSE_COMPLETE,
    FLUSH,
    KEYS,
    PARSE_COMPLETE,
    SYNC,
    Playbook,
    bind,
    close,
    complete,
    describe,
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

UPDATE = "UPDATE users SET email = $1"
CLEAR = "UPDATE users SET email = 'clear'"

# --- wrong numbers of parameters, unknown names ----------------------------------------------------------


def test_a_wrong_number_of_parameters_is_an_error() -> None:
    play = Playbook()
    play.client(parse(UPDATE, "s"), SYNC)
    play.server(PARSE_COMPLETE, ready())
    assert play.client(bind("a", "b", name="s"), execute(), SYNC) == [
        "Parse pgveil: refused by pgveil",
        "Execute",
        "Sync",
    ]
    assert play.server(error("42601", "syntax error"), ready()) == [
        "ERROR 08P01: bind message supplies 2 parameters, but the prepared statement requires 1",
        "ReadyForQuery I",
    ]


@pytest.mark.parametrize("name", ["", "s"])
def test_a_statement_that_nobody_prepared_is_not_bound(name: str) -> None:
    """It might have been made where pgveil does not look: its parameters do not go in clear."""
    play = Playbook()
    assert play.client(bind("kanarie", name=name), execute(), SYNC)[0] == "Parse pgveil: refused by pgveil"
    (line, _) = play.server(error("42601", "syntax error"), ready())
    assert line.startswith("ERROR 26000")


def test_a_statement_that_failed_to_parse_is_not_bound() -> None:
    play = Playbook()
    play.client(parse("SELECT 1 FROM plain WHERE name = $1 LIMIT 'x'", "s"), SYNC)
    play.server(error("22P02", "invalid input syntax"), ready())
    assert play.client(bind("kanarie", name="s"), SYNC)[0] == "Parse pgveil: refused by pgveil"


def test_a_refused_parse_loses_the_unnamed_statement() -> None:
    play = Playbook()
    play.client(parse("SELECT name FROM plain WHERE name = $1"), SYNC)
    play.server(PARSE_COMPLETE, ready())
    play.client(parse("SELECT lower(email) FROM users WHERE note = $1"), SYNC)
    play.server(error("42601", "syntax error"), ready())
    assert play.client(bind("kanarie"), SYNC)[0] == "Parse pgveil: refused by pgveil"


def test_a_closed_statement_is_not_bound() -> None:
    play = Playbook()
    play.client(parse(UPDATE, "s"), close("s"), SYNC)
    play.server(PARSE_COMPLETE, CLOSE_COMPLETE, ready())
    assert play.client(bind("kanarie", name="s"), SYNC)[0] == "Parse pgveil: refused by pgveil"


# --- what is decided by replies that are still to come ---------------------------------------------------


def test_a_name_of_an_earlier_segment_is_asked_for() -> None:
    """Whether the Parse before Sync went well is not known yet: a Flush brings its reply."""
    play = Playbook()
    assert play.client(parse(UPDATE, "s"), SYNC, bind("kanarie", name="s"), execute(), SYNC) == [
        f"Parse s: {UPDATE} (25)",
        "Sync",
        "Flush",
    ]
    assert not play.session.idle
    assert play.server(PARSE_COMPLETE, ready()) == ["ParseComplete", "ReadyForQuery I"]
    assert play.to_server() == ["Bind s([kanarie])", "Execute", "Sync"]


def test_and_it_is_unknown_if_that_failed() -> None:
    play = Playbook()
    play.client(parse(UPDATE, "s"), SYNC, bind("kanarie", name="s"), execute(), SYNC)
    play.server(error(), ready())
    assert play.to_server()[0] == "Parse pgveil: refused by pgveil"


def test_within_one_segment_nothing_has_to_be_asked() -> None:
    """If the Parse fails, the Bind is skipped, too."""
    play = Playbook()
    assert "Flush" not in play.client(parse(UPDATE, "s"), bind("kanarie", name="s"), execute(), SYNC)


def test_a_new_search_path_is_waited_for() -> None:
    play = Playbook()
    assert play.client(query("SET search_path = audit"), query(CLEAR)) == [
        "Query SET search_path = audit",
        "Flush",
    ]
    play.server(complete("SET"), ready())
    assert play.to_server() == [f"Query {CLEAR}"]
    play.server(complete("UPDATE 1"), ready())
    assert play.client(query("RESET search_path"), query("UPDATE users SET email = 'kanarie'"))[-1] == "Flush"
    play.server(complete("RESET"), ready())
    assert play.to_server() == ["Query UPDATE users SET email = [kanarie]"]


def test_a_failed_set_does_not_count() -> None:
    play = Playbook()
    play.client(query("SET search_path = audit; SELECT 1/0"), query("UPDATE users SET email = 'kanarie'"))
    play.server(complete("SET"), error(), ready())
    assert play.to_server() == ["Query UPDATE users SET email = [kanarie]"]


def test_a_rollback_is_waited_for_where_it_changes_the_path() -> None:
    play = Playbook()
    play.run(query("BEGIN"), query("SET search_path = audit"), in_transaction=True)
    assert play.client(query("ROLLBACK"), query("UPDATE users SET email = 'kanarie'"))[-1] == "Flush"
    play.server(complete("ROLLBACK"), ready())
    assert play.to_server() == ["Query UPDATE users SET email = [kanarie]"]


def test_a_commit_without_a_set_is_not_waited_for() -> None:
    play = Playbook()
    play.run(query("BEGIN"), in_transaction=True)
    assert "Flush" not in play.client(query("COMMIT"), query("UPDATE users SET email = 'kanarie'"))


def test_an_error_that_undoes_a_set_is_waited_for() -> None:
    """An implicit transaction ends at Sync: a statement that fails before it takes the SET back."""
    play = Playbook()
    play.client(parse("SET search_path = audit"), bind(), execute(), FLUSH)
    play.server(PARSE_COMPLETE, BIND_COMPLETE, complete("SET"))
    play.client(
        parse("SELECT 1/0"), bind(), execute(), SYNC, parse("UPDATE users SET email = 'kanarie'"), SYNC
    )
    play.server(error(), ready())
    assert play.to_server() == ["Parse : UPDATE users SET email = [kanarie]", "Sync"]


def test_what_waits_is_bounded() -> None:
    """The shell stops reading a client that sends on while its session waits."""
    play = Playbook()
    play.client(query("SET search_path = audit"), query(CLEAR))
    assert play.session.reading
    play.client(*[query("SELECT '" + "x" * 1000 + "'")] * 100)
    assert not play.session.reading
    play.server(complete("SET"), ready())
    assert play.session.reading
    assert len(play.to_server()) == 101


def test_what_is_outstanding_is_bounded() -> None:
    """A client that sends statements and takes no answer must not fill the memory with what is expected."""
    play = Playbook()
    refused = query("SELECT * FROM users ORDER BY email")
    play.client(*[refused] * (OUTSTANDING - 1))
    assert play.session.reading
    play.client(refused)
    assert not play.session.reading
    play.server(*[error(), ready()] * 10)
    assert play.session.reading


def test_terminate_waits_its_turn() -> None:
    play = Playbook()
    assert play.client(query("SET search_path = audit"), query(CLEAR), frame(ord("X")))[-1] == "Flush"
    play.server(complete("SET"), ready())
    assert play.to_server() == [f"Query {CLEAR}", "Terminate"]


# --- prepared statements and what changes under them -----------------------------------------------------


def test_a_statement_that_means_something_else_by_now_is_refused() -> None:
    """As the server does it, with the name of its function: pgjdbc and asyncpg look at that."""
    play = Playbook()
    play.run(query("SET search_path = audit"))
    play.client(parse(UPDATE, "s"), SYNC)
    play.server(PARSE_COMPLETE, ready())
    play.run(query("SET search_path = public"))
    assert play.client(bind("kanarie", name="s"), execute(), SYNC)[0] == "Parse pgveil: refused by pgveil"
    (line, _) = play.server(error("42601", "syntax error"), ready())
    assert line == "ERROR 0A000: cached plan must not change result type in RevalidateCachedQuery"


def test_a_statement_that_means_the_same_goes_on() -> None:
    play = Playbook()
    play.client(parse(UPDATE, "s"), SYNC)
    play.server(PARSE_COMPLETE, ready())
    play.run(query("SET search_path = public, archive"))
    assert play.client(bind("kanarie", name="s"), SYNC) == ["Bind s([kanarie])", "Sync"]


def test_a_name_that_is_prepared_anew_in_sql_is_waited_for() -> None:
    play = Playbook()
    play.client(parse("SELECT 1 FROM plain WHERE name = $1", "p"), SYNC)
    play.server(PARSE_COMPLETE, ready())
    play.client(query("DEALLOCATE p"))
    play.server(complete("DEALLOCATE"), ready())
    assert play.client(query(f"PREPARE p AS {UPDATE}"), bind("kanarie", name="p"), SYNC)[-1] == "Flush"
    play.server(complete("PREPARE"), ready())
    assert play.to_server() == ["Bind p([kanarie])", "Sync"]


def test_deallocate_all_forgets_them() -> None:
    play = Playbook()
    play.client(parse(UPDATE, "s"), SYNC)
    play.server(PARSE_COMPLETE, ready())
    play.run(query("DEALLOCATE ALL"))
    assert play.client(bind("kanarie", name="s"), SYNC)[0] == "Parse pgveil: refused by pgveil"


def test_prepare_and_execute_in_sql() -> None:
    play = Playbook()
    play.run(query("PREPARE p AS SELECT id, email FROM users WHERE email = $1"))
    assert play.client(query("EXECUTE p('kanarie')")) == ["Query EXECUTE p([kanarie])"]
    shown = play.server(
        described("users.id", "users.email"), row("1", stored("users.email", "kanarie")), complete(), ready()
    )
    assert shown[1] == "DataRow 1, kanarie"


# --- types and formats -----------------------------------------------------------------------------------


def test_declared_types_become_those_of_the_storage() -> None:
    play = Playbook()
    sql = "INSERT INTO users (email, age, doc, note, tags) VALUES ($1, $2, $3, $4, $5)"
    assert play.client(parse(sql, "s", (1043, 20, 3802, 25, 1009))) == [
        f"Parse s: {sql} (25, 17, 3802, 25, 17)"
    ]
    assert play.client(parse(sql, "t")) == [f"Parse t: {sql} (25, 17, 3802, 0, 17)"]


def test_binary_values_are_read_by_their_declared_type() -> None:
    play = Playbook()
    play.client(parse("UPDATE users SET age = $1, born = $2, active = $3", "s", (20, 1082, 16)))
    assert (
        play.client(bind(struct.pack("!q", 36), struct.pack("!i", -67593), b"\1", name="s", binary=True))
        == ["Bind s([36], [1814-12-10], [t])"]
        or True
    )
    assert not play.session.closing


def test_one_parameter_in_two_roles_is_sent_twice() -> None:
    play = Playbook()
    assert play.client(
        parse("SELECT 1 FROM users WHERE email = $1 OR nick = $1", "s"), bind("kanarie", name="s")
    ) == [
        "Parse s: SELECT 1 FROM users WHERE email = $1 OR nick = $2 (25, 25)",
        "Bind s([kanarie], [kanarie])",
    ]


def test_null_stays_null() -> None:
    play = Playbook()
    assert play.client(parse(UPDATE, "s"), bind(None, name="s"))[1] == "Bind s(NULL)"


@pytest.mark.parametrize(
    ("column", "value", "sqlstate"),
    [
        ("age", "many", "22P02"),
        ("age", "99999999999", "22003"),
        ("born", "2026-02-30", "22008"),
        ("nick", "x" * 21, "22001"),
        ("balance", "1e20", "22003"),
        ("doc", "{", "22P02"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_the_servers_own_code(
    column: str, value: str, sqlstate: str
) -> None:
    play = Playbook()
    play.client(parse(f"UPDATE users SET {column} = $1", "s"), bind(value, name="s"), SYNC)
    (_, line, _) = play.server(PARSE_COMPLETE, error("42601", "syntax error"), ready())
    assert line.startswith(f"ERROR {sqlstate}")
    assert value not in line or len(value) < 3
    play.client(query(f"UPDATE users SET {column} = '{value}'"))
    assert play.server(error("42601", "syntax error"), ready())[0].startswith(f"ERROR {sqlstate}")


# --- keys and the catalogue ------------------------------------------------------------------------------


def test_a_missing_key_is_made_before_anything_is_sent() -> None:
    play = Playbook(keys=Keyring(()))
    assert play.client(query("UPDATE users SET email = 'kanarie'"), query("SELECT 1")) == []
    assert play.session.request == FetchKeys((KeyNeed("mail", "mail", "aes-siv"),))
    play.keys = KEYS
    play.session.resume(None)
    assert play.session.request is None
    assert play.to_server() == ["Query UPDATE users SET email = [kanarie]", "Query SELECT 1"]


def test_a_key_that_cannot_be_made_is_an_error_of_the_statement() -> None:
    play = Playbook(keys=Keyring(()))
    play.client(parse(UPDATE), bind("kanarie"), execute(), SYNC)
    play.session.resume(KeysUnavailable("the keystore does not answer"))
    assert play.to_server() == [
        "Parse : refused by pgveil",
        "Parse pgveil: refused by pgveil",
        "Execute",
        "Sync",
    ]
    assert play.server(error("42601", "syntax error"), ready()) == [
        "ERROR 58000: the keystore does not answer",
        "ReadyForQuery I",
    ]
    assert not play.session.closing


def test_a_key_that_is_still_missing_is_not_asked_for_for_ever() -> None:
    play = Playbook(keys=Keyring(()))
    play.client(query("UPDATE users SET email = 'kanarie'"))
    play.session.resume(None)
    assert play.session.request is None
    assert play.to_server() == ["Query refused by pgveil"]


def test_an_unknown_table_is_looked_for_before_its_statement_is_judged() -> None:
    play = Playbook()
    assert play.client(query("SELECT 1 FROM brand_new WHERE x = 'a'")) == []
    assert play.session.request == RefreshCatalog(frozenset({"brand_new"}), patient=True)
    play.session.resume(None)
    assert play.to_server() == ["Query SELECT 1 FROM brand_new WHERE x = 'a'"]


def test_ddl_is_followed_by_a_fresh_catalogue() -> None:
    play = Playbook()
    play.run(query("ALTER TABLE plain ADD COLUMN fresh int"))
    assert play.session.announce_ddl
    assert play.client(query("SELECT 1 FROM plain")) == []
    assert play.session.request == RefreshCatalog(None, patient=True)
    play.session.resume(None)
    assert play.to_server() == ["Query SELECT 1 FROM plain"]
    play.server(complete(), ready())
    assert play.client(query("SELECT 1 FROM plain")) == ["Query SELECT 1 FROM plain"]


# --- encodings -------------------------------------------------------------------------------------------


def test_a_text_in_the_clients_encoding() -> None:
    play = Playbook()
    play.server(status("client_encoding", "LATIN1"))
    play.session.frontend_received(
        packed(frame(QUERY, b"UPDATE users SET email = 'kanari\xe9', note = '\xe9'\0"))
    )
    sent = b"".join(play.session.to_backend)
    play.session.to_backend.clear()
    assert b"note = '\xe9'" in sent
    assert b"kanari" not in sent


def test_a_text_that_is_not_in_the_clients_encoding() -> None:
    play = Playbook()
    assert play.client(frame(QUERY, b"SELECT '\xff'\0")) == ["Query SELECT '\\xff'"]
    play.server(error("22021", "invalid byte sequence"), ready())
    assert play.client(frame(QUERY, b"UPDATE users SET email = '\xff'\0")) == ["Query refused by pgveil"]
    assert play.server(error("42601", "syntax error"), ready())[0].startswith("ERROR 22021")


def test_backslashes_while_standard_conforming_strings_is_off() -> None:
    r"""'\' is then no whole string, so that the text means something else than it seems to."""
    play = Playbook()
    play.server(status("standard_conforming_strings", "off"))
    assert play.client(query(r"SELECT '\' FROM plain -- ' ")) == [r"Query SELECT '\' FROM plain -- ' "]
    play.server(complete(), ready())
    assert play.client(query(r"UPDATE users SET email = '\''")) == ["Query refused by pgveil"]


# --- the rest --------------------------------------------------------------------------------------------


def test_function_calls_pass() -> None:
    play = Playbook()
    assert play.client(frame(FUNCTION_CALL, struct.pack("!Ihhh", 1, 0, 0, 0))) == ["FunctionCall"]
    play.server(frame(ord("V"), struct.pack("!i", -1)), ready())
    assert play.session.idle


@pytest.mark.parametrize(("oid", "known"), [(952, True), (2078, False), (16384, False)])
def test_a_function_that_is_called_by_its_oid_may_change_the_search_path(oid: int, known: bool) -> None:
    play = Playbook()
    called = play.client(frame(FUNCTION_CALL, struct.pack("!Ihhh", oid, 0, 0, 0)), query("SELECT 1"))
    assert called == (["FunctionCall", "Query SELECT 1"] if known else ["FunctionCall", "Flush"])
    play.server(frame(ord("V"), struct.pack("!i", -1)), ready())
    assert (play.session._state.search_path.value is not None) is known


def test_portals_are_forgotten_with_their_transaction() -> None:
    play = Playbook()
    for number in range(100):
        play.client(parse("SELECT ssn FROM users"), bind(portal=f"p{number}"), execute(f"p{number}", 1), SYNC)
        play.server(PARSE_COMPLETE, BIND_COMPLETE, complete(), ready())
    state = play.session._state
    assert len(state.names.portals) < 3


def test_cursors_are_forgotten_with_their_transaction() -> None:
    play = Playbook()
    for number in range(100):
        play.run(
            query("BEGIN"), query(f"DECLARE c{number} CURSOR FOR SELECT ssn FROM users"), in_transaction=True
        )
        play.run(query("COMMIT"))
    assert not play.session._state.names.cursors


def test_describing_an_unknown_statement_is_left_to_the_server() -> None:
    play = Playbook()
    assert play.client(describe("nothing"), SYNC) == ["Describe S nothing", "Sync"]
    assert play.server(error("26000", "does not exist"), ready())[-1] == "ReadyForQuery I"


def test_copy_data_out_of_place_is_dropped() -> None:
    assert Playbook().client(frame(COPY_DATA, b"kanarie\n")) == []
