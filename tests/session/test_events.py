"""Which errors the audit trail is told of, and how a session hands them out."""

from __future__ import annotations

import pytest

from proxy.errors import AuditUnavailable, CannotOpen, InvalidValue, Outdated, Refused, ServerError
from proxy.session.events import SecurityEvent, StatementRefused, ValueNotOpened, event_of
from tests.session.playbook import (
    PARSE_COMPLETE,
    SYNC,
    Message,
    Playbook,
    bind,
    complete,
    described,
    execute,
    parse,
    query,
    ready,
    row,
)


def about(error: ServerError, **attributes: str) -> ServerError:
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (Refused("no", sqlstate="42P01"), StatementRefused("42P01", None, None, "no")),
        (
            about(Refused("no"), field="public.users.email", construct="ORDER BY"),
            StatementRefused("0A000", "public.users.email", "ORDER BY", None),
        ),
        (AuditUnavailable("no trail"), StatementRefused("58000", None, None, "no trail")),
        (about(CannotOpen("no"), field="f", key="0a0b0c0d"), ValueNotOpened("f", "0a0b0c0d")),
        (Outdated("prepare it anew"), None),
        (InvalidValue("not a date"), None),
        (ServerError("something else"), None),
    ],
)
def test_what_an_error_is_to_the_trail(error: ServerError, event: SecurityEvent | None) -> None:
    assert event_of(error) == event


def test_a_session_hands_out_what_it_refuses() -> None:
    """Once, in order, and without a word of the statement."""
    play = Playbook()
    play.client(query("SELECT id FROM users ORDER BY email /* kanarie */"))
    play.client(parse("SELECT lower(email) FROM users"), SYNC)
    first, second = play.session.events
    assert first == StatementRefused("0A000", "public.users.email", "ORDER BY", None)
    assert isinstance(second, StatementRefused)
    assert second.field == "public.users.email"
    assert play.session.alert
    play.session.events.clear()
    assert not play.session.alert


def test_a_session_hands_out_that_a_value_does_not_open() -> None:
    play = Playbook()
    play.client(query("SELECT email FROM users"))
    play.server(described("users.email"), row(b"in clear"), complete("SELECT 1"), ready())
    assert play.session.events == [ValueNotOpened("public.users.email", None)]


TOUCHING = (
    "SELECT email FROM users",
    "SELECT id FROM users WHERE email = 'clear'",
    "INSERT INTO users (email) VALUES ('clear')",
    "COPY users (email) TO STDOUT",
    "SELECT json_agg(email) FROM users",
)
UNTOUCHED = (
    "SELECT 1",
    "SELECT id FROM users",
    "BEGIN",
    "SET search_path = app",
    "DELETE FROM users WHERE id = 3",
)


@pytest.mark.parametrize("sql", TOUCHING)
def test_no_work_with_fields_against_an_objection(sql: str) -> None:
    play = Playbook()
    play.objection = AuditUnavailable("no trail")
    [sent] = play.client(query(sql))
    assert "refused by pgveil" in sent
    assert play.session.events == [StatementRefused("58000", None, None, "no trail")]


@pytest.mark.parametrize("sql", UNTOUCHED)
def test_all_other_work_goes_on(sql: str) -> None:
    play = Playbook()
    play.objection = AuditUnavailable("no trail")
    assert play.client(query(sql)) == [f"Query {sql}"]
    assert play.session.events == []


def test_a_statement_that_was_prepared_before() -> None:
    play = Playbook()
    run: tuple[Message, ...] = (bind(b"a@b.c", name="s"), execute(), SYNC)
    play.client(parse("SELECT id FROM users WHERE email = $1", "s"), SYNC)
    play.server(PARSE_COMPLETE, ready())
    play.objection = AuditUnavailable("no trail")
    assert any("refused by pgveil" in sent for sent in play.client(*run))
