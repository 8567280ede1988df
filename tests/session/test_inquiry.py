"""Tables that the open transaction has made: the session asks the server what they are, and nobody sees it.

The server's part is played by the test; what a real one answers is in tests/integration/test_migrations.py.
"""

from __future__ import annotations

import pytest

from proxy.session.requests import RefreshCatalog
from tests.session.inquiries import CREATE, PLANNED, answer, inquiry
from tests.session.playbook import (
    BIND_COMPLETE,
    CLOSE_COMPLETE,
    FLUSH,
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
    parse,
    query,
    ready,
    status,
)
from tests.sql.world import world

ASKED = ["Bind pgveil.inquiry = pgveil.inquiry", "Execute pgveil.inquiry"]


def in_bytes(play: Playbook, data: bytes) -> list[str]:
    """The server sends one byte at a time."""
    for i in range(len(data)):
        play.session.backend_received(data[i : i + 1])
    return play.to_client()


@pytest.fixture
def play() -> Playbook:
    """A transaction that has made a table of the policy."""
    play = Playbook()
    play.run(query("BEGIN"), query(CREATE), in_transaction=True)
    return play


def refreshed(play: Playbook) -> None:
    """The shell has read the committed catalogue again, which is what it was."""
    assert isinstance(play.session.request, RefreshCatalog)
    play.session.resume(None)


def test_a_simple_query_is_planned_by_the_answer(play: Playbook) -> None:
    assert inquiry(play.client(query("INSERT INTO planned VALUES ('kanarie', 'kanarie')"))) == []
    assert play.server(answer(PLANNED)) == []
    assert play.to_server() == ["Query INSERT INTO planned VALUES ([kanarie], [kanarie])"]
    assert play.server(complete("INSERT 0 1"), ready("T")) == [
        "CommandComplete INSERT 0 1",
        "ReadyForQuery T",
    ]


def test_the_answer_may_come_in_pieces_and_between_notices(play: Playbook) -> None:
    inquiry(play.client(query("INSERT INTO planned (token) VALUES ('kanarie')")))
    data = status("application_name", "x").pack() + answer(PLANNED)
    assert in_bytes(play, data) == ["ParameterStatus application_name = x"]
    assert play.to_server() == ["Query INSERT INTO planned (token) VALUES ([kanarie])"]


def test_it_is_asked_once_for_all_statements_up_to_the_next_ddl(play: Playbook) -> None:
    text = "INSERT INTO planned (token) VALUES ('kanarie')"
    inquiry(play.client(query(text)))
    play.server(answer(PLANNED))
    play.to_server()
    play.server(complete("INSERT 0 1"), ready("T"))
    assert play.client(query(text)) == ["Query INSERT INTO planned (token) VALUES ([kanarie])"]
    play.server(complete("INSERT 0 1"), ready("T"))
    play.run(query("ALTER TABLE planned ADD COLUMN price bytea"), in_transaction=True)
    inquiry(play.client(query("UPDATE planned SET price = 12.5")))
    price = ["price", 3, 17, "bytea", -1, False, False, False, False, None]
    play.server(answer([*PLANNED[:-1], [*PLANNED[-1], price]]))
    assert play.to_server() == ["Query UPDATE planned SET price = [12.50]::bytea"]


def test_what_names_no_relation_does_not_ask(play: Playbook) -> None:
    for text in ("SAVEPOINT s", "SET LOCAL statement_timeout = 0", "RELEASE s", "COMMIT"):
        assert play.client(query(text)) == [f"Query {text}"]
        play.server(complete("OK"), ready("I" if text == "COMMIT" else "T"))


def test_the_extended_protocol_in_one_implicit_transaction() -> None:
    """A Sync of pgveil's own would commit the table before the rows."""
    play = Playbook()
    insert = (parse("INSERT INTO planned (token) VALUES ($1)"), bind("kanarie"), execute(), SYNC)
    sent = play.client(parse(CREATE), bind(), execute(), *insert)
    assert sent == [f"Parse : {CREATE}", "Bind ()", "Execute", "Flush"]
    assert play.server(PARSE_COMPLETE, BIND_COMPLETE, complete("CREATE TABLE"))[-1:] == [
        "CommandComplete CREATE TABLE"
    ]
    assert inquiry(play.to_server()) == []
    assert play.server(answer(PLANNED)) == []
    assert play.to_server() == ["Parse : INSERT INTO planned (token) VALUES ($1) (25)", "Flush"]
    assert play.server(PARSE_COMPLETE) == ["ParseComplete"]
    assert play.to_server() == ["Bind ([kanarie])", "Execute", "Sync"]
    assert play.server(BIND_COMPLETE, complete("INSERT 0 1"), ready())[-1:] == ["ReadyForQuery I"]
    assert play.session.announce_ddl


def test_after_the_sync_of_an_implicit_transaction_the_committed_catalogue_counts() -> None:
    """What is sent behind that Sync waits for it, and for the catalogue to be read."""
    play = Playbook()
    play.client(parse(CREATE), bind(), execute(), FLUSH)
    play.server(PARSE_COMPLETE, BIND_COMPLETE, complete("CREATE TABLE"))
    inquiry(play.client(parse("INSERT INTO planned (token) VALUES ('kanarie')")))
    play.server(answer(PLANNED))
    play.to_server()
    play.server(PARSE_COMPLETE)
    assert play.client(bind(), execute(), SYNC, parse("SELECT id FROM users"))[-2:] == ["Sync", "Flush"]
    play.server(BIND_COMPLETE, complete("INSERT 0 1"), ready())
    refreshed(play)
    assert play.to_server() == ["Parse : SELECT id FROM users"]


def test_the_second_witness_knows_the_new_table(play: Playbook) -> None:
    inquiry(play.client(parse("SELECT token FROM planned"), bind(), describe(portal=True), execute(), SYNC))
    play.server(answer(PLANNED))
    play.to_server()
    contradiction = described("users.note").pack().replace((1).to_bytes(4, "big"), (900).to_bytes(4, "big"))
    assert contradiction != described("users.note").pack()
    play.server(PARSE_COMPLETE, BIND_COMPLETE)
    # attribute 12 of the new table is no protected column
    assert play.server(contradiction)[-1].startswith("FATAL XX000")


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "in bytes"])
def test_an_error_of_the_inquiry_is_that_of_a_simple_query(play: Playbook, whole: bool) -> None:
    """The query itself is not sent; its ReadyForQuery is that of a Sync."""
    inquiry(play.client(query("INSERT INTO planned (token) VALUES ('kanarie')"), query("ROLLBACK")))
    cancelled = error("57014", "canceling statement due to user request", position=7).pack()
    shown = play.server(cancelled) if whole else in_bytes(play, cancelled)
    assert shown == ["ERROR 57014: canceling statement due to user request"]
    assert play.to_server() == ["Sync", "Query ROLLBACK"]
    assert play.server(ready("E"), complete("ROLLBACK"), ready()) == [
        "ReadyForQuery E",
        "CommandComplete ROLLBACK",
        "ReadyForQuery I",
    ]
    assert play.client(query("SELECT 1")) == []
    refreshed(play)
    assert play.to_server() == ["Query SELECT 1"]


def test_an_error_of_the_inquiry_skips_to_the_clients_sync(play: Playbook) -> None:
    inquiry(play.client(parse("INSERT INTO planned (token) VALUES ($1)"), bind("kanarie"), execute()))
    assert play.server(PARSE_COMPLETE, BIND_COMPLETE, error("57014", "cancelled")) == [
        "ERROR 57014: cancelled"
    ]
    assert play.to_server() == []
    assert play.client(describe(), SYNC) == ["Sync"]
    assert play.server(ready("E")) == ["ReadyForQuery E"]
    assert play.client(query("ROLLBACK")) == ["Query ROLLBACK"]


def test_nothing_is_asked_in_a_failed_transaction(play: Playbook) -> None:
    play.client(query("SELECT 1/0"))
    play.server(error(), ready("E"))
    assert play.client(query("INSERT INTO planned (token) VALUES ('kanarie')")) == ["Query refused by pgveil"]
    assert play.server(error("25P02", "aborted"), ready("E"))[0].startswith(
        "ERROR 25P02: current transaction"
    )


def test_a_savepoint_takes_the_table_away() -> None:
    play = Playbook()
    play.run(query("BEGIN"), query("SAVEPOINT s"), query(CREATE), in_transaction=True)
    text = "INSERT INTO planned (token) VALUES ('kanarie')"
    inquiry(play.client(query(text)))
    play.server(answer(PLANNED))
    play.to_server()
    play.server(complete("INSERT 0 1"), ready("T"))
    play.run(query("ROLLBACK TO s"), in_transaction=True)
    inquiry(play.client(query(text)))
    play.server(answer())
    refreshed(play)
    assert play.to_server() == ["Query refused by pgveil"]
    assert play.server(error("42601"), ready("E"))[0].startswith(
        'ERROR 42P01: relation "planned" does not exist'
    )


def test_the_commit_ends_what_only_the_session_has_seen(play: Playbook) -> None:
    shared = play.planner
    inquiry(play.client(query("INSERT INTO planned (token) VALUES ('kanarie')")))
    play.server(answer(PLANNED))
    play.to_server()
    play.server(complete("INSERT 0 1"), ready("T"))
    before = len(shared.cache)
    play.run(query("COMMIT"))
    assert play.session.announce_ddl
    assert play.client(query("INSERT INTO planned (token) VALUES ('kanarie')")) == []
    refreshed(play)  # nor has it found the table: somebody else has dropped it
    assert play.to_server() == ["Query refused by pgveil"]
    assert len(shared.cache) == before


def test_a_statement_of_before_keeps_its_meaning(play: Playbook) -> None:
    """One that was prepared before the DDL is looked at again; one whose meaning has changed is refused."""
    other = Playbook()
    other.client(parse("SELECT note FROM users", name="s"), SYNC)
    other.server(PARSE_COMPLETE, ready())
    other.run(query("BEGIN"), query("ALTER TABLE users ADD COLUMN more text"), in_transaction=True)
    assert inquiry(other.client(bind(name="s"), execute(), SYNC), names="[]") == []
    other.server(answer())
    assert other.to_server() == ["Bind s()", "Execute", "Sync"]


def test_a_view_of_the_transaction_is_followed_by_its_definition() -> None:
    """Its names are those of the session's own search_path."""
    play = Playbook()
    play.run(query("BEGIN"), query("CREATE VIEW fresh AS SELECT email FROM users"), in_transaction=True)
    column = ["email", 1, 25, "text", -1, False, False, False, False, None]
    view = [901, "public", "fresh", "v", " SELECT email FROM users;", [], [], None, [column]]
    inquiry(play.client(query("SELECT 1 FROM fresh WHERE email = 'kanarie'")), names='["fresh"]')
    play.server(answer(view))
    assert play.to_server() == ["Query SELECT 1 FROM fresh WHERE email = [kanarie]"]


def test_a_table_that_is_dropped_and_made_anew_has_its_new_columns() -> None:
    """Values without a list of columns go where the new table has them."""
    play = Playbook()
    play.run(query("BEGIN"), query("DROP TABLE orders"), in_transaction=True)
    inquiry(play.client(query("CREATE TABLE orders (buyer text, seller text)")), names='["orders"]')
    play.server(answer(touched=(2,)))
    play.to_server()
    play.server(complete("CREATE TABLE"), ready("T"))
    columns = [
        [name, i, 25, "text", -1, False, False, False, False, None]
        for i, name in ((1, "buyer"), (2, "seller"))
    ]
    made = [902, "public", "orders", "r", None, [], [], None, columns]
    inquiry(play.client(query("INSERT INTO orders VALUES ('kanarie-1', 'kanarie-2')")), names='["orders"]')
    play.server(answer(made, touched=(2,)))
    assert play.to_server() == ["Query INSERT INTO orders VALUES ([kanarie-1], [kanarie-2])"]


def test_what_a_function_has_made_is_asked_for() -> None:
    """No DDL went by, but the policy names the table: it may be there."""
    play = Playbook()
    play.run(query("BEGIN"), in_transaction=True)
    assert play.client(query("INSERT INTO planned (token) VALUES ('kanarie')")) == []
    refreshed(play)
    inquiry(play.to_server(), names="[]")
    play.server(answer(PLANNED))
    assert play.to_server() == ["Query INSERT INTO planned (token) VALUES ([kanarie])"]


def test_a_partition_that_a_function_has_made() -> None:
    """The policy does not name it, but it holds rows of a table that it names."""
    play = Playbook()
    play.run(query("BEGIN"), query("SELECT lower('x')"), in_transaction=True)
    assert play.client(query("INSERT INTO orders_2 (buyer) VALUES ('kanarie')")) == []
    refreshed(play)
    inquiry(play.to_server(), names='["orders_2"]')
    column = ["buyer", 1, 25, "text", -1, False, False, False, False, None]
    parent = world().catalog.lookup("public", "orders")
    assert parent is not None
    play.server(answer([903, "public", "orders_2", "r", None, [parent.oid], [], None, [column]]))
    assert play.to_server() == ["Query INSERT INTO orders_2 (buyer) VALUES ([kanarie])"]
    play.server(complete("INSERT 0 1"), ready("T"))
    play.run(query("COMMIT"))
    assert play.session.announce_ddl


def test_a_temporary_table_is_asked_for_once() -> None:
    """Nobody else has to look at the catalogue because of it."""
    play = Playbook()
    text = "INSERT INTO scratch VALUES ('plain')"
    play.run(query("CREATE TEMPORARY TABLE scratch (a text)"))
    play.run(query("BEGIN"), in_transaction=True)
    assert play.client(query(text)) == []
    refreshed(play)
    inquiry(play.to_server(), names='["scratch"]')
    play.server(answer(temporary=("scratch",)))
    assert play.to_server() == [f"Query {text}"]
    play.server(complete("INSERT 0 1"), ready("T"))
    play.run(query("COMMIT"))
    assert not play.session.announce_ddl
    play.run(query("BEGIN"), in_transaction=True)
    assert play.client(query(text)) == []
    refreshed(play)
    assert play.to_server() == [f"Query {text}"]


def test_a_function_that_may_change_the_path() -> None:
    play = Playbook()
    body = "SELECT set_config(''search_path'', ''audit'', false)"
    text = f"CREATE FUNCTION later() RETURNS void LANGUAGE sql AS '{body}'"
    play.run(query("BEGIN"), query(text), in_transaction=True)
    inquiry(play.client(query("SELECT later()")), names="[]")
    play.server(answer())
    assert play.to_server() == ["Query SELECT later()"]
    play.server(complete(), ready("T"))
    assert play.client(query("UPDATE users SET email = 'kanarie'")) == ["Query refused by pgveil"]


def test_a_text_that_commits_its_ddl_is_followed_by_a_look_at_the_catalogue() -> None:
    play = Playbook()
    play.client(query(f"BEGIN; {CREATE}; COMMIT; BEGIN"))
    play.server(
        complete("BEGIN"), complete("CREATE TABLE"), complete("COMMIT"), complete("BEGIN"), ready("T")
    )
    assert play.session.announce_ddl
    assert play.client(query("INSERT INTO users (email) VALUES ('kanarie')")) == []
    refreshed(play)
    assert play.to_server() == ["Query INSERT INTO users (email) VALUES ([kanarie])"]


def test_pipelined_statements_go_on_without_waiting_for_each_other(play: Playbook) -> None:
    inquiry(play.client(parse("INSERT INTO planned (token) VALUES ($1)", name="i"), FLUSH))
    play.server(answer(PLANNED))
    play.to_server()
    play.server(PARSE_COMPLETE)
    sent = play.client(
        *(message for _ in range(3) for message in (bind("kanarie", name="i"), execute(), SYNC))
    )
    assert sent == ["Bind i([kanarie])", "Execute", "Sync"] * 3
    sent = play.client(close("i"), parse("COMMIT"), bind(), execute(), SYNC, parse("SELECT 1"))
    assert sent == ["Close S i", "Parse : COMMIT", "Bind ()", "Execute", "Sync", "Flush"]


def test_what_an_error_keeps_from_being_closed_is_closed_before(play: Playbook) -> None:
    """The server skips the Close behind what fails, so that the next inquiry begins with one."""
    inquiry(play.client(query("SELECT label FROM planned")))
    play.server(CLOSE_COMPLETE, CLOSE_COMPLETE, PARSE_COMPLETE, BIND_COMPLETE, error("57014", "cancelled"))
    assert play.to_server() == ["Sync"]
    play.server(ready("E"))
    play.run(query("ROLLBACK"))
    play.client(query("BEGIN"))
    refreshed(play)
    play.to_server()
    play.server(complete("BEGIN"), ready("T"))
    play.run(query(CREATE), in_transaction=True)
    assert inquiry(play.client(query("SELECT label FROM planned"))) == []


def test_a_statement_of_before_that_is_bound_with_the_commit_at_once() -> None:
    """It waits for the DDL behind which it stands, and for the catalogue that this has made."""
    play = Playbook()
    play.client(parse("INSERT INTO users (note) VALUES ($1)", name="s"), SYNC)
    play.server(PARSE_COMPLETE, ready())
    rename = "ALTER TABLE users RENAME note TO remark"
    assert play.client(query(rename), bind("value", name="s"), execute(), SYNC) == [
        f"Query {rename}",
        "Flush",
    ]
    play.server(complete("ALTER TABLE"), ready())
    assert play.to_server() == []
    refreshed(play)
    assert play.to_server() == ["Bind s(value)", "Execute", "Sync"]


def test_a_look_for_a_statement_that_is_skipped_counts_for_no_other() -> None:
    """Its error comes while the catalogue is being read: what is named later is looked for again."""
    play = Playbook()
    assert play.client(
        parse("SELECT 1/0"), bind(), execute(), parse("INSERT INTO users (nobody) VALUES ($1)")
    )
    refreshing = play.session.request
    play.server(PARSE_COMPLETE, BIND_COMPLETE, error())
    assert refreshing == play.session.request == RefreshCatalog(None, patient=True)
    play.session.resume(None)
    play.client(SYNC)
    play.server(ready())
    play.to_server()
    assert play.client(query("SELECT * FROM made_since")) == []
    assert play.session.request == RefreshCatalog(frozenset({"made_since"}), patient=True)


def test_a_failed_errand_for_a_statement_that_is_skipped_is_no_error_of_another() -> None:
    play = Playbook()
    play.client(parse("SELECT 1/0"), bind(), execute(), parse("INSERT INTO users (nobody) VALUES ($1)"))
    play.server(PARSE_COMPLETE, BIND_COMPLETE, error())
    play.session.resume(OSError("the maintenance login is away"))
    assert play.client(SYNC, query("SELECT note FROM users")) == ["Sync", "Query SELECT note FROM users"]
