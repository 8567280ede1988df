"""The short way: how far it goes over whole exchanges, and where it leaves the rest to the long one."""

from __future__ import annotations

from proxy.session.names import Portal
from proxy.session.replies import (
    BIND,
    PLAIN_DESCRIBE,
    PLAIN_EXECUTE,
    PLAIN_QUERY,
    SYNC,
    Kind,
    Reply,
)
from proxy.session.results import described as judge
from proxy.session.shortcut import pass_reply, pass_request
from proxy.session.state import State
from proxy.wire.backend import RowDescription
from proxy.wire.frames import HEADER, NO_DATA, frame
from tests.session.playbook import (
    BIND_COMPLETE,
    PARSE_COMPLETE,
    complete,
    describe,
    described,
    error,
    execute,
    packed,
    ready,
    row,
)
from tests.session.playbook import SYNC as SYNC_FRAME
from tests.session.test_state import new_state

TAIL = packed(describe(portal=True), execute(), SYNC_FRAME)


def bound(text: str) -> State:
    """A session whose unnamed portal is that of a statement."""
    state = new_state()
    state.replies.clear()
    plan = state.context.planner().plan(text.encode(), state.view()).plan
    state.names.portals[b""] = Portal(plan, ())
    return state


def test_describe_execute_sync_of_a_plain_portal() -> None:
    state = bound("SELECT * FROM plain")
    assert pass_request(state, b"before" + TAIL + b"after", 6) == 6 + len(TAIL)
    assert list(state.replies) == [PLAIN_DESCRIBE, PLAIN_EXECUTE, SYNC]
    assert state.names.segment == 1


def test_a_pipeline_has_no_sync_yet() -> None:
    state = bound("SELECT * FROM plain")
    assert pass_request(state, packed(execute(), describe(portal=True)), 0) == len(packed(execute()))
    assert list(state.replies) == [PLAIN_EXECUTE]
    assert state.names.segment == 0


def test_a_portal_with_protected_results_keeps_them_in_mind() -> None:
    state = bound("SELECT email FROM users")
    pass_request(state, TAIL, 0)
    assert [reply.portal for reply in state.replies] == [state.names.portals[b""]] * 2 + [None]


def test_what_is_no_such_exchange_is_not_passed() -> None:
    state = bound("SELECT * FROM plain")
    assert pass_request(state, TAIL[:8], 0) == 0
    assert pass_request(state, packed(execute(rows=1), SYNC_FRAME), 0) == 0
    assert pass_request(state, packed(execute("other"), SYNC_FRAME), 0) == 0
    state.skipping = True
    assert pass_request(state, TAIL, 0) == 0
    assert pass_request(bound("SET search_path = audit"), TAIL, 0) == 0
    assert not state.replies


def test_the_answer_to_plain_statements_up_to_its_end() -> None:
    state = new_state()
    state.replies.clear()
    statement = Reply(Kind.PARSE)
    state.replies += (PLAIN_QUERY, statement, BIND, PLAIN_DESCRIBE, PLAIN_EXECUTE, SYNC)
    shape = described("plain.name")
    assert isinstance(shape, RowDescription)
    judge(state, shape.pack()[HEADER:], None)
    first = packed(shape, row("x"), complete())
    assert pass_reply(state, first + packed(ready("T")), 0) == len(first + packed(ready()))
    assert state.status == ord("T")
    second = packed(PARSE_COMPLETE, BIND_COMPLETE, shape, row("x"), complete())
    state.unsettled = True  # something has to be done when the transaction ends
    assert pass_reply(state, second + packed(ready()), 0) == len(second)
    assert list(state.replies) == [SYNC]
    state.replies += (BIND, PLAIN_DESCRIBE, PLAIN_EXECUTE)
    state.replies.popleft()
    write = packed(BIND_COMPLETE, frame(NO_DATA), complete("INSERT 0 1"))
    assert pass_reply(state, write, 0) == len(write)
    assert not state.replies


def test_it_stops_where_something_has_to_be_looked_at() -> None:
    state = new_state()
    state.replies.clear()
    state.replies += (PLAIN_QUERY,)
    rows = packed(row("x"), row("y"))
    assert pass_reply(state, packed(described("plain.name")), 0) == 0  # a description not seen before
    assert pass_reply(state, rows[:-1], 0) == len(rows) // 2  # a row that is not there whole
    assert pass_reply(state, rows + packed(error()), 0) == len(rows)
    state.replies.clear()
    state.replies += (Reply(Kind.EXECUTE, portal=Portal(bound("TABLE users").names.portals[b""].plan, ())),)
    assert pass_reply(state, rows, 0) == 0  # rows with protected columns
