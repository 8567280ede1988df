"""Names of statements: registered when sent, certain when answered, taken back when skipped or refused."""

from __future__ import annotations

import pytest

from proxy.session.names import Cursor, Names, Portal, Statement, Uncertain
from proxy.sql.analysis import SessionView
from proxy.sql.plan import PLAIN, StatementPlan, TextPlan
from proxy.sql.planner import Planner
from tests.sql.world import world

PLANNER = Planner(world())
VIEW = SessionView()


def statement(names: Names, plan: TextPlan = PLAIN) -> Statement:
    return Statement(b"SELECT 1", plan, PLANNER, VIEW, (), names.segment)


def test_a_name_is_good_within_its_segment_before_it_is_certain() -> None:
    names = Names()
    made = statement(names)
    names.parse(b"s", made)
    assert names.statement(b"s") is made
    names.segment += 1
    with pytest.raises(Uncertain):
        names.statement(b"s")
    made.certain = True
    assert names.statement(b"s") is made


def test_an_unknown_name_is_nothing() -> None:
    assert Names().statement(b"s") is None
    assert Names().portal(b"p") is None


def test_a_name_that_is_taken_stays_what_it_is() -> None:
    names = Names()
    first = statement(names)
    names.parse(b"s", first)
    assert names.parse(b"s", statement(names)) is None
    assert names.statement(b"s") is first


def test_the_unnamed_statement_is_replaced() -> None:
    names = Names()
    names.parse(b"", statement(names))
    second = statement(names)
    undo = names.parse(b"", second)
    assert undo is not None
    assert names.statement(b"") is second


@pytest.mark.parametrize(("failed", "left"), [(True, False), (False, True)])
def test_an_unnamed_statement_whose_successor_fails_is_lost_one_that_is_skipped_is_not(
    failed: bool, left: bool
) -> None:
    names = Names()
    first = statement(names)
    first.certain = True
    names.parse(b"", first)
    undo = names.parse(b"", statement(names))
    assert undo is not None
    undo(failed)
    assert names.statement(b"") is (first if left else None)


def test_a_refused_parse_loses_the_unnamed_statement_unless_it_is_skipped() -> None:
    names = Names()
    first = statement(names)
    names.parse(b"", first)
    undo = names.lose_unnamed()
    assert names.statement(b"") is None
    undo(False)
    assert names.statement(b"") is first
    undo = names.lose_unnamed()
    undo(True)
    assert names.statement(b"") is None


def test_undone_in_reverse_the_first_meaning_comes_back() -> None:
    names = Names()
    first = statement(names)
    first.certain = True
    names.parse(b"s", first)
    undos = [names.close(b"s"), names.parse(b"s", statement(names))]
    for undo in reversed(undos):
        assert undo is not None
        undo(False)
    assert names.statement(b"s") is first


def test_deallocate_all_keeps_the_unnamed_one() -> None:
    names = Names()
    unnamed = statement(names)
    names.parse(b"", unnamed)
    names.parse(b"s", statement(names))
    names.clear()
    assert names.statements == {b"": unnamed}


def test_portals_end_with_the_transaction_and_cursors_without_hold() -> None:
    names = Names()
    names.portals[b"p"] = Portal(PLAIN, ())
    names.cursors = {b"c": Cursor(None), b"held": Cursor(None, hold=True)}
    names.end_of_transaction()
    assert not names.portals
    assert list(names.cursors) == [b"held"]


def test_a_cursor_is_a_portal_too() -> None:
    names = Names()
    names.cursors[b"c"] = Cursor(None, binary=True)
    portal = names.portal(b"c")
    assert portal is not None
    assert portal.formats == (1,)


def test_a_statement_without_text_has_an_empty_plan() -> None:
    made = statement(Names(), TextPlan(()))
    assert made.plain
    assert made.results is None
    assert made.copy is None


def test_a_plan_is_confirmed_or_out_of_date() -> None:
    made = statement(Names())
    assert made.confirmed(PLANNER, VIEW)
    other = SessionView(("audit",))
    assert not made.confirmed(PLANNER, other)
    made.confirm(TextPlan((StatementPlan(),)), PLANNER, other)
    assert made.confirmed(PLANNER, other)
