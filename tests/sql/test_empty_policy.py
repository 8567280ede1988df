"""A policy that names nothing: whatever is in the server, no statement has to wait for the catalogue."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy.binding import bind
from proxy.sql.analysis import SessionView
from proxy.sql.context import UnknownRelations
from proxy.sql.planner import Planner
from tests.sql.world import world


@pytest.mark.parametrize("sql", ["SELECT a FROM nowhere", "INSERT INTO plain VALUES (1, 'x', 2, 3, 4, 5, 6)"])
def test_nothing_is_looked_for(sql: str) -> None:
    binding = world()
    empty = replace(binding.policy, tables={}, functions={})
    planner = Planner(bind(empty, binding.catalog)).outdated()
    assert planner.plan(sql.encode(), SessionView()).plan.plain
    with pytest.raises(UnknownRelations):
        Planner(binding).outdated().plan(sql.encode(), SessionView())
