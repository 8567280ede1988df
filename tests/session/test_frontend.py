"""From the client: what waits, what is refused, what is dropped, and that nothing protected slips by."""

from __future__ import annotations

from crypto.keyring import Keyring
from crypto.manager import KeyNeed
from proxy.errors import KeysUnavailable
from proxy.session.frontend import OUTSTANDING
from proxy.session.requests import FetchKeys, RefreshCatalog
from proxy.wire.frames import COPY_DATA, frame
from tests.session.playbook import (
    BIND_COMPLETE,
    FLUSH,
    KEYS,
    PARSE_COMPLETE,
    SYNC,
    Playbook,
    bind,
    complete,
    error,
    execute,
    parse,
    query,
    ready,
)

UPDATE = "UPDATE users SET email = $1"
CLEAR = "UPDATE users SET email = 'clear'"


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


def test_copy_data_out_of_place_is_dropped() -> None:
    assert Playbook().client(frame(COPY_DATA, b"kanarie\n")) == []
