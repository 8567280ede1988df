"""The plan cache: texts that differ in literals share a plan where the plan allows it; it is bounded."""

from __future__ import annotations

import itertools

import pytest

from proxy.errors import ServerError
from proxy.sql.analysis import SessionView
from proxy.sql.cache import PlanCache
from proxy.sql.plan import PLAIN, TextPlan
from proxy.sql.planner import Planner
from tests.sql.test_shape import pieces_of, replaced, split
from tests.sql.test_statements import CASES
from tests.sql.transcript import said_of
from tests.sql.world import world


def plan_of(planner: Planner, text: str, view: SessionView | None = None) -> TextPlan:
    return planner.plan(text.encode(), view or SessionView(), final=True).plan


def judged(planner: Planner, text: bytes, search_path: tuple[str, ...]) -> list[str]:
    try:
        planned = planner.plan(text, SessionView(search_path), final=True)
    except ServerError as error:
        return [error.sqlstate]
    return said_of(planned, text.decode())


# --- texts that differ in literals -----------------------------------------------------------------------


def test_texts_that_differ_in_literals_share_a_plan() -> None:
    planner = Planner(world())
    first = plan_of(planner, "SELECT id FROM users WHERE email = 'a' AND id = 1 LIMIT 3")
    assert plan_of(planner, "SELECT id FROM users WHERE email = 'it''s' AND id = 99 LIMIT 1e2") is first
    assert plan_of(planner, "SELECT id FROM users WHERE email = 'b' AND id = 1 LIMIT 3;") is not first
    assert len(planner.cache) == 2


def test_lists_of_any_length_share_a_plan() -> None:
    planner = Planner(world())

    def text(count: int) -> str:
        rows = ", ".join(f"('{i}', {i})" for i in range(count))
        return f"INSERT INTO users (email, id) VALUES {rows}"

    assert plan_of(planner, text(1000)) is plan_of(planner, text(20))


def test_literals_that_decide_the_plan_are_part_of_the_key() -> None:
    planner = Planner(world())
    by_note = plan_of(planner, "SELECT note, email FROM users ORDER BY 1")
    assert plan_of(planner, "SELECT note, email FROM users ORDER BY 1") is by_note
    with pytest.raises(ServerError, match="ORDER BY"):
        plan_of(planner, "SELECT note, email FROM users ORDER BY 2")
    with pytest.raises(ServerError, match="ORDER BY"):
        plan_of(planner, "SELECT note, email FROM users ORDER BY 2")


def test_kinds_of_literals_do_not_share_a_plan() -> None:
    planner = Planner(world())
    plan_of(planner, "SELECT email FROM users ORDER BY 1.5")
    with pytest.raises(ServerError, match="ORDER BY"):
        plan_of(planner, "SELECT email FROM users ORDER BY 1")


def test_limits_of_types_do_not_share_a_plan() -> None:
    planner = Planner(world())
    allowed = judged(planner, b"SELECT 1 FROM users WHERE nick = 'abc'::varchar(20)", ("public",))
    assert allowed[0].startswith("sent:")
    fresh = judged(Planner(world()), b"SELECT 1 FROM users WHERE nick = 'abc'::varchar(2)", ("public",))
    assert judged(planner, b"SELECT 1 FROM users WHERE nick = 'abc'::varchar(2)", ("public",)) == fresh


@pytest.mark.parametrize("file", sorted({case.file for case in CASES}))
def test_a_kept_plan_judges_like_a_fresh_one(file: str) -> None:
    """Whatever was planned before, a text is judged as if it were the first."""
    kept, fresh = Planner(world()), Planner(world())
    for case in CASES:
        text = case.steps[0].text.encode()
        if case.file != file or (found := split(text)) is None:
            continue
        judged(kept, text, case.search_path)
        for number in range(3):
            other = b"".join(piece for piece, _ in replaced(pieces_of(found), [number, number + 1]))
            fresh.cache = PlanCache()
            assert judged(kept, other, case.search_path) == judged(fresh, other, case.search_path)


def test_search_paths_do_not_share_a_plan() -> None:
    planner = Planner(world())
    text = "UPDATE users SET email = 'a'"
    assert plan_of(planner, text, SessionView(("audit",))).plain
    assert not plan_of(planner, text, SessionView(("public",))).plain
    assert plan_of(planner, text, SessionView(("audit",))).plain


def test_a_text_that_is_repeated_is_found_whole_and_still_judged_by_the_path() -> None:
    planner = Planner(world())
    text = "SELECT email FROM users WHERE id = $1"
    shown = [plan_of(planner, text, SessionView(("public",))).first.results for _ in range(3)]
    assert shown[0] is not None
    assert shown[1] is shown[2] is shown[0]
    assert plan_of(planner, text, SessionView(("audit",))).plain
    changed = SessionView(("public",), unseen=True)
    with pytest.raises(ServerError, match="still open"):
        plan_of(planner, text, changed)


def test_what_the_open_transaction_has_changed_is_not_taken_from_the_cache() -> None:
    planner = Planner(world())
    text = "SELECT 1 FROM names WHERE name = 'a'"
    assert plan_of(planner, text).plain
    changed = SessionView(unseen=True)
    with pytest.raises(ServerError, match="still open"):
        plan_of(planner, text, changed)
    assert plan_of(planner, text).plain


def test_a_path_that_the_open_transaction_has_set_is_not_taken_from_the_cache() -> None:
    planner = Planner(world())
    text = "ROLLBACK; UPDATE users SET email = 'a'"
    assert plan_of(planner, text, SessionView(("audit", "public"))).template is None
    with pytest.raises(ServerError, match="search_path is not known"):
        plan_of(planner, text, SessionView(("audit", "public"), path_unsettled=True))


# --- long texts ------------------------------------------------------------------------------------------

LONG = "x" * 100_000


def test_a_long_text_of_nothing_protected_goes_as_it_came() -> None:
    assert plan_of(Planner(world()), f"INSERT INTO plain (name) VALUES ('{LONG}')").template is None


@pytest.mark.parametrize(
    "before",
    ["SET search_path = audit", "SAVEPOINT a", "BEGIN", "DECLARE c CURSOR FOR SELECT 1", "CREATE TABLE x ()"],
)
def test_a_long_text_has_its_effects(before: str) -> None:
    short = plan_of(Planner(world()), f"{before}; INSERT INTO plain (name) VALUES ('x')")
    long = plan_of(Planner(world()), f"{before}; INSERT INTO plain (name) VALUES ('{LONG}')")
    effects = [effect for statement in long.statements for effect in statement.effects]
    assert (
        effects == [effect for statement in short.statements for effect in statement.effects]
        or not long.plain
    )


def test_a_long_argument_of_execute_is_encrypted() -> None:
    planner = Planner(world())
    (effect,) = plan_of(planner, "PREPARE p AS INSERT INTO users (email) VALUES ($1)").statements[0].effects
    view = SessionView(prepared=lambda name: effect.plan)  # type: ignore[union-attr]
    for literal in (f"'{LONG}'", f"$${LONG}$$"):
        assert plan_of(planner, f"EXECUTE p({literal})", view).template is not None


# --- bounds ----------------------------------------------------------------------------------------------


def put(cache: PlanCache, shape: str, plan: TextPlan = PLAIN) -> None:
    cache.put((), (shape,), [], [], plan, len(shape))


def test_holds_so_many_shapes_and_drops_the_longest_unused() -> None:
    cache = PlanCache(entries=3)
    for i in range(3):
        put(cache, f"SELECT {i}")
    assert cache.get((), ("SELECT 0",)) is not None  # used again: 1 is the oldest now
    put(cache, "SELECT 3")
    assert len(cache) == 3
    assert cache.get((), ("SELECT 1",)) is None
    assert cache.get((), ("SELECT 0",)) is not None


def test_holds_so_many_bytes() -> None:
    cache = PlanCache(size=1000)
    for i in range(20):
        put(cache, f"{i:04}" * 50)
    assert len(cache) == 5
    put(cache, "x" * 5000)
    assert cache.get((), ("x" * 5000,)) is None
    assert len(cache) == 5


def test_a_shape_has_so_many_plans_for_different_literals() -> None:
    cache = PlanCache()
    plans = [TextPlan(()) for _ in range(100)]
    for i, plan in enumerate(plans):
        cache.put((), ("SELECT",), [b"'kept'", b"%d" % i], [1], plan, 6)
    entry = cache.get((), ("SELECT",))
    assert entry is not None
    assert entry.plan is None
    assert entry.plan_for([b"'other'", b"99"]) is plans[99]
    assert entry.plan_for([b"'other'", b"0"]) is None
    assert len(entry.by_literals) == 64


def test_statements_of_a_busy_day_do_not_grow_it() -> None:
    planner = Planner(world())
    planner.cache = PlanCache(entries=50)
    for i, table in itertools.product(range(40), ("users", "plain")):
        plan_of(planner, f"SELECT id AS c{i} FROM {table} WHERE id = {i} ORDER BY 1")
    assert len(planner.cache) == 50
