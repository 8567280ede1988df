"""Statements and portals of the extended protocol: what is sent for them, what is refused, what waits."""

from __future__ import annotations

import struct

import pytest

from tests.session.playbook import (
    BIND_COMPLETE,
    CLOSE_COMPLETE,
    PARSE_COMPLETE,
    SYNC,
    Playbook,
    bind,
    close,
    complete,
    describe,
    error,
    execute,
    parse,
    query,
    ready,
)

UPDATE = "UPDATE users SET email = $1"


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
