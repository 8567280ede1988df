"""Views whose definition could not be read: they may lead anywhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy.binding import bind
from proxy.errors import Refused
from proxy.sql.analysis import SessionView
from proxy.sql.context import UnknownRelations
from proxy.sql.planner import Planner
from tests.sql.world import view, world


def planner() -> Planner:
    """`names`, over an unprotected table, and `contacts` as they are while somebody has them locked."""
    catalog = world().catalog
    over = view(990, "over", {"name": "text"}, "SELECT names.name FROM public.names;")
    relations = {**catalog.relations, over.oid: over}
    for name in ("names", "contacts"):
        relation = catalog.lookup("public", name)
        assert relation is not None
        relations[relation.oid] = replace(relation, definition=None)
    return Planner(bind(world().policy, replace(catalog, relations=relations)))


@pytest.mark.parametrize("sql", ["SELECT * FROM names", "UPDATE contacts SET mail = 'x'", "TABLE over"])
def test_the_catalogue_is_read_again_then_they_are_refused(sql: str) -> None:
    made = planner()
    if "over" not in sql:
        with pytest.raises(UnknownRelations):
            made.plan(sql.encode(), SessionView())
    with pytest.raises(Refused, match="view"):
        made.plan(sql.encode(), SessionView(), final=True)


def test_other_relations_are_not_concerned() -> None:
    assert planner().plan(b"SELECT name FROM plain", SessionView(), final=True).plan.plain
