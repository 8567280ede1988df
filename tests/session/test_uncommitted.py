"""The planner of an open transaction: the shared one until the server was asked, then one over it."""

from __future__ import annotations

from dataclasses import replace

from policy.binding import bind
from policy.catalog import Column, Relation
from proxy.session.inquiry import Answer
from proxy.session.uncommitted import Uncommitted
from proxy.sql.plan import CatalogChange
from proxy.sql.planner import Planner
from tests.sql.world import world

PLANNED = Relation(900, "public", "planned", "r", (Column("token", 1, 25, "text"),))
ANSWER = Answer(frozenset({1, 900}), {900: PLANNED}, frozenset({"public", "fresh"}))


def test_until_the_server_was_asked_it_is_the_shared_one() -> None:
    shared, uncommitted = Planner(world()), Uncommitted()
    uncommitted.change(CatalogChange(frozenset({"planned"})))
    assert not uncommitted.seen
    assert uncommitted.names == {"planned"}
    assert uncommitted.planner(shared) is shared


def test_the_answer_stands_over_the_committed_catalogue() -> None:
    shared, uncommitted = Planner(world()), Uncommitted()
    uncommitted.change(CatalogChange(functions=frozenset({"later"})))
    uncommitted.answered(ANSWER)
    assert uncommitted.seen
    own = uncommitted.planner(shared)
    assert own.binding.of(PLANNED)["token"].field.table == "planned"
    assert 1 not in own.binding.catalog.relations, "it was changed, and is gone"
    assert own.binding.catalog.schemas == {"public", "fresh"}
    assert "later" in own.binding.catalog.path_changers
    assert own.binding.catalog.lookup("public", "orders") is world().catalog.lookup("public", "orders")
    assert shared.binding.catalog.lookup("public", "planned") is None


def test_it_is_made_once_until_others_commit() -> None:
    shared, uncommitted = Planner(world()), Uncommitted()
    uncommitted.answered(ANSWER)
    own = uncommitted.planner(shared)
    assert uncommitted.planner(shared) is own
    catalog = replace(world().catalog, functions=frozenset({"committed"}))
    other = uncommitted.planner(Planner(bind(world().policy, catalog)))
    assert other is not own
    assert other.binding.catalog.functions == {"committed"}
    assert other.binding.of(PLANNED)


def test_ddl_that_others_have_committed_is_read_first() -> None:
    shared, uncommitted = Planner(world()), Uncommitted()
    uncommitted.answered(ANSWER)
    assert not uncommitted.planner(shared).outdated_since_read
    assert uncommitted.planner(shared.outdated()).outdated_since_read


def test_a_catalogue_that_is_no_other_needs_no_planner_of_its_own() -> None:
    shared, uncommitted = Planner(world()), Uncommitted()
    uncommitted.ask_for({"scratch"})
    uncommitted.answered(Answer(frozenset({5000}), {}, world().catalog.schemas, changed=False))
    assert uncommitted.planner(shared) is shared
    assert not uncommitted.changed


def test_more_ddl_makes_it_unseen_again() -> None:
    shared, uncommitted = Planner(world()), Uncommitted()
    uncommitted.answered(ANSWER)
    own = uncommitted.planner(shared)
    uncommitted.change(CatalogChange())
    assert not uncommitted.seen
    assert uncommitted.planner(shared) is own, "portals of before go on with it"
