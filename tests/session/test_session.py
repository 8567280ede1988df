"""Whole sessions, read as transcripts: what reaches the other side, in which order, and in how many parts."""

from __future__ import annotations

from proxy.errors import KeysUnavailable
from proxy.wire.backend import NoticeResponse, NotificationResponse
from tests.session.playbook import (
    BIND_COMPLETE,
    EMPTY,
    NO_DATA,
    PARSE_COMPLETE,
    SUSPENDED,
    SYNC,
    TERMINATE,
    Message,
    Playbook,
    bind,
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

REFUSED = 'ERROR 0A000: ORDER BY is not possible on protected column "public.users.email"'

# --- simple queries --------------------------------------------------------------------------------------


def test_a_search_path_set_by_the_only_row_that_is_asked_for_is_known() -> None:
    play = Playbook()
    setting = parse("SELECT set_config('search_path', 'other', false)")
    play.client(setting, bind(), execute("", 1), SYNC)
    play.server(PARSE_COMPLETE, BIND_COMPLETE, row("other"), SUSPENDED, ready())
    assert play.session._state.search_path.value == ("other",)


def test_a_statement_on_nothing_protected_goes_as_it_came() -> None:
    play = Playbook()
    message = packed(query("SELECT note FROM users /* as it came */"))
    play.session.frontend_received(message)
    assert play.session.to_backend == [message]
    assert play.session.to_backend[0] is message


def test_a_value_is_encrypted_and_comes_back() -> None:
    play = Playbook()
    assert play.client(query("INSERT INTO users (email) VALUES ('kanarie') RETURNING id, email")) == [
        "Query INSERT INTO users (email) VALUES ([kanarie]) RETURNING id, email"
    ]
    assert play.server(
        described("users.id", "users.email"),
        row("1", stored("users.email", "kanarie")),
        complete("INSERT 0 1"),
        ready(),
    ) == [
        "RowDescription id 20, email 25",
        "DataRow 1, kanarie",
        "CommandComplete INSERT 0 1",
        "ReadyForQuery I",
    ]


def test_the_application_sees_logical_types() -> None:
    play = Playbook()
    play.client(query("SELECT age, born, balance, nick, tags, photo FROM users"))
    values = {"age": "36", "born": "1815-12-10", "balance": "12.50", "nick": "kanarie", "tags": "{a,b}"}
    sealed = [stored(f"users.{name}", value) for name, value in values.items()]
    assert play.server(
        described(*(f"users.{name}" for name in (*values, "photo"))), row(*sealed, None), complete(), ready()
    ) == [
        "RowDescription age 23, born 1082, balance 1700(786438), nick 1043(24), tags 1009, photo 17",
        "DataRow 36, 1815-12-10, 12.50, kanarie, {a,b}, NULL",
        "CommandComplete SELECT 1",
        "ReadyForQuery I",
    ]


def test_several_statements_in_one_text() -> None:
    play = Playbook()
    text = "SELECT 1; UPDATE users SET email = 'kanarie'; SELECT id, ssn FROM users; SELECT 2"
    assert play.client(query(text)) == ["Query " + text.replace("'kanarie'", "[kanarie]")]
    assert play.server(
        described("one:23"),
        row("1"),
        complete(),
        complete("UPDATE 1"),
        described("users.id", "users.ssn"),
        row("1", stored("users.ssn", "kanarie")),
        complete(),
        described("two:23"),
        row("2"),
        complete(),
        ready(),
    )[5:8] == ["DataRow 1, kanarie", "CommandComplete SELECT 1", "RowDescription two 23"]


def test_a_refusal_stands_where_the_servers_own_error_would() -> None:
    play = Playbook()
    assert play.client(query("SELECT email FROM users ORDER BY email")) == ["Query refused by pgveil"]
    assert play.server(error("42601", "syntax error"), ready()) == [REFUSED, "ReadyForQuery I"]


def test_a_refusal_fails_the_transaction_as_an_error_does() -> None:
    play = Playbook()
    play.run(query("BEGIN"), in_transaction=True)
    play.client(query("SELECT email FROM users ORDER BY email"))
    assert play.server(error("42601", "syntax error"), ready("E")) == [REFUSED, "ReadyForQuery E"]
    play.client(query("SELECT email FROM users ORDER BY email"))
    assert play.server(error("25P02", "aborted"), ready("E"))[0].startswith("ERROR 25P02")


def test_pipelined_queries_keep_their_order() -> None:
    """The refusal waits for the replies before it, for the server gives it its place."""
    play = Playbook()
    assert play.client(query("SELECT 1"), query("SELECT lower(email) FROM users"), query("SELECT 2")) == [
        "Query SELECT 1",
        "Query refused by pgveil",
        "Query SELECT 2",
    ]
    assert play.server(described("a:23"), row("1"), complete(), ready()) == [
        "RowDescription a 23",
        "DataRow 1",
        "CommandComplete SELECT 1",
        "ReadyForQuery I",
    ]
    assert play.server(error("42601", "syntax error"), ready()) == [
        'ERROR 0A000: the function lower() is not possible on protected column "public.users.email"',
        "ReadyForQuery I",
    ]
    assert play.server(described("a:23"), row("2"), complete(), ready())[1] == "DataRow 2"


def test_an_empty_query() -> None:
    play = Playbook()
    assert play.client(query("")) == ["Query "]
    assert play.server(EMPTY, ready()) == ["EmptyQueryResponse", "ReadyForQuery I"]
    assert play.client(parse(""), bind(), describe(portal=True), execute(), SYNC)[-1] == "Sync"
    assert play.server(PARSE_COMPLETE, BIND_COMPLETE, NO_DATA, EMPTY, ready())[-2:] == [
        "EmptyQueryResponse",
        "ReadyForQuery I",
    ]


# --- extended queries ------------------------------------------------------------------------------------

SELECT = "SELECT id, email FROM users WHERE email = $1"


def test_parse_bind_describe_execute() -> None:
    play = Playbook()
    assert play.client(parse(SELECT), bind("kanarie"), describe(portal=True), execute(), SYNC) == [
        f"Parse : {SELECT} (25)",
        "Bind ([kanarie])",
        "Describe P",
        "Execute",
        "Sync",
    ]
    assert play.server(
        PARSE_COMPLETE,
        BIND_COMPLETE,
        described("users.id", "users.email"),
        row("7", stored("users.email", "kanarie")),
        complete(),
        ready(),
    ) == [
        "ParseComplete",
        "BindComplete",
        "RowDescription id 20, email 25",
        "DataRow 7, kanarie",
        "CommandComplete SELECT 1",
        "ReadyForQuery I",
    ]


def test_many_binds_before_one_sync() -> None:
    play = Playbook()
    batch: list[Message] = [parse("INSERT INTO users (email) VALUES ($1)", "s")]
    for number in range(3):
        batch += [bind(f"kanarie {number}", name="s"), execute()]
    assert play.client(*batch, SYNC)[1:] == [
        *(
            "Bind s([kanarie 0])",
            "Execute",
            "Bind s([kanarie 1])",
            "Execute",
            "Bind s([kanarie 2])",
            "Execute",
        ),
        "Sync",
    ]
    replies = [PARSE_COMPLETE] + [BIND_COMPLETE, complete("INSERT 0 1")] * 3
    assert play.server(*replies, ready()).count("CommandComplete INSERT 0 1") == 3
    assert play.session.idle


def test_rows_in_portions() -> None:
    play = Playbook()
    play.client(parse("SELECT ssn FROM users"), bind(portal="p"), execute("p", 1), execute("p", 1), SYNC)
    first, second = stored("users.ssn", "kanarie 1"), stored("users.ssn", "kanarie 2")
    assert play.server(
        PARSE_COMPLETE, BIND_COMPLETE, row(first), SUSPENDED, row(second), complete(), ready()
    ) == [
        "ParseComplete",
        "BindComplete",
        "DataRow kanarie 1",
        "PortalSuspended",
        "DataRow kanarie 2",
        "CommandComplete SELECT 1",
        "ReadyForQuery I",
    ]


def test_portals_take_turns() -> None:
    """Rows belong to the portal that is executed, not to what was described last."""
    play = Playbook()
    play.client(
        parse("SELECT ssn FROM users", "a"),
        parse("SELECT name FROM plain", "b"),
        bind(name="a", portal="pa"),
        bind(name="b", portal="pb"),
        describe("pb", portal=True),
        execute("pa", 1),
        execute("pb", 1),
        execute("pa"),
        SYNC,
    )
    sealed = stored("users.ssn", "kanarie")
    assert play.server(
        *(PARSE_COMPLETE, PARSE_COMPLETE, BIND_COMPLETE, BIND_COMPLETE, described("plain.name")),
        *(row(sealed), SUSPENDED, row("clear"), SUSPENDED, row(sealed), complete(), ready()),
    )[5:] == [
        *("DataRow kanarie", "PortalSuspended", "DataRow clear", "PortalSuspended", "DataRow kanarie"),
        *("CommandComplete SELECT 1", "ReadyForQuery I"),
    ]


def test_a_refusal_in_a_pipeline_is_skipped_to_sync() -> None:
    """What stands behind it up to Sync is not done; what stands behind Sync is."""
    play = Playbook()
    sent = play.client(
        parse("UPDATE users SET email = $1"),
        bind("kanarie 1"),
        execute(),
        parse("SELECT email FROM users ORDER BY email"),
        bind(),
        execute(),
        SYNC,
        parse("UPDATE users SET email = $1"),
        bind("kanarie 2"),
        execute(),
        SYNC,
    )
    assert sent[3] == "Parse : refused by pgveil"
    assert play.server(
        PARSE_COMPLETE, BIND_COMPLETE, complete("UPDATE 1"), error("42601", "syntax error"), ready()
    ) == [
        "ParseComplete",
        "BindComplete",
        "CommandComplete UPDATE 1",
        REFUSED,
        "ReadyForQuery I",
    ]
    assert play.server(PARSE_COMPLETE, BIND_COMPLETE, complete("UPDATE 1"), ready())[-1] == "ReadyForQuery I"
    assert play.session.idle


def test_after_an_error_nothing_is_sent_before_sync() -> None:
    play = Playbook()
    play.client(parse("SELECT 1/$1", "s"), describe("s"))
    assert play.server(PARSE_COMPLETE, error()) == ["ParseComplete", "ERROR 22012: division by zero"]
    assert play.client(bind("x", name="s"), execute(), query("SELECT 1"), parse("SELECT 2")) == []
    assert play.client(SYNC, query("SELECT 3")) == ["Sync", "Query SELECT 3"]
    assert play.server(ready(), described("a:23"), complete(), ready())[0] == "ReadyForQuery I"
    assert play.session.idle


# --- at any time -----------------------------------------------------------------------------------------


def test_notices_notifications_and_settings_touch_nothing() -> None:
    play = Playbook()
    play.client(query("SELECT ssn FROM users"))
    notice = NoticeResponse.of("WARNING", "01000", "hello")
    notification = NotificationResponse(1, b"channel", b"")
    sealed = row(stored("users.ssn", "kanarie"))
    aside = [notice, notification, status("application_name", "x")]
    shown = play.server(
        *aside, described("users.ssn"), *aside, sealed, *aside, sealed, complete(), *aside, ready()
    )
    assert [line for line in shown if line.startswith("DataRow")] == ["DataRow kanarie"] * 2
    assert len(shown) == 4 * 3 + 5
    assert play.server(*aside) == [
        "WARNING 01000: hello",
        "NotificationResponse",
        "ParameterStatus application_name = x",
    ]
    assert play.session.idle


def test_termination_goes_through() -> None:
    assert Playbook().client(TERMINATE) == ["Terminate"]


def test_an_error_without_a_question_goes_through() -> None:
    """As 57P01 of the server itself."""
    assert Playbook().server(error("57P01", "terminating connection")) == [
        "ERROR 57P01: terminating connection"
    ]


# --- idle, draining, failing -----------------------------------------------------------------------------


def test_is_idle_between_transactions_only() -> None:
    play = Playbook()
    assert play.session.idle
    play.client(query("BEGIN"))
    assert not play.session.idle
    play.server(complete("BEGIN"), ready("T"))
    assert not play.session.idle
    play.client(query("COMMIT"))
    play.server(complete("COMMIT"), ready())
    assert play.session.idle
    play.session.frontend_received(b"Q\0")
    assert not play.session.idle


def test_draining_ends_an_idle_session_at_once() -> None:
    play = Playbook()
    play.session.shutdown()
    assert play.to_client() == ["FATAL 57P01: terminating connection due to administrator command"]
    assert play.session.closing


def test_draining_waits_for_the_transaction() -> None:
    play = Playbook()
    play.run(query("BEGIN"), in_transaction=True)
    play.session.shutdown()
    assert not play.session.closing
    play.client(query("COMMIT"))
    assert play.server(complete("COMMIT"), ready()) == [
        "CommandComplete COMMIT",
        "ReadyForQuery I",
        "FATAL 57P01: terminating connection due to administrator command",
    ]
    assert play.session.closing


def test_a_failed_session_takes_nothing_more() -> None:
    play = Playbook()
    play.session.fail(KeysUnavailable("gone"))
    assert play.to_client() == ["FATAL 58000: gone"]
    assert play.client(query("SELECT 1")) == []
    assert play.server(ready()) == []
    play.session.fail(KeysUnavailable("again"))
    assert play.to_client() == []
