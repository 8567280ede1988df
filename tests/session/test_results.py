"""Rows and descriptions: what is made once, and that plan and server have to agree."""

from __future__ import annotations

import pytest

from policy.types import LogicalType
from proxy.errors import Contradiction
from proxy.session.results import copy_in, copy_out, describe_rows, described, row_rewriter
from proxy.session.state import SessionContext, State
from proxy.sql.plan import CopyPlan, ResultColumn, Results, Shape
from proxy.sql.planner import Planner
from proxy.wire.backend import RowDescription
from tests.session import playbook
from tests.session.playbook import FIELDS, KEYS, stored
from tests.sql.world import world


@pytest.fixture
def state() -> State:
    planner = Planner(world())
    return State(SessionContext(lambda: planner, lambda: KEYS, "app"))


def column(name: str, shape: Shape = Shape.SCALAR, logical: LogicalType | None = None) -> ResultColumn:
    bound = FIELDS[name]
    return ResultColumn((bound,), shape, logical or (None if shape is Shape.JSON else bound.type))


def body(*columns: str) -> bytes:
    return playbook.described(*columns).pack()[5:]


def shown(state: State, results: Results | None, *columns: str) -> list[int]:
    description = RowDescription.parse(body(*columns))
    return [field.type_oid for field in describe_rows(state, description, results).fields]


def test_logical_types_are_shown(state: State) -> None:
    results = Results((column("users.age"), None, column("users.tags")))
    assert shown(state, results, "users.age", "users.note", "users.tags") == [23, 25, 1009]


def test_a_cast_shows_its_own_type(state: State) -> None:
    results = Results((column("users.age", logical=LogicalType("int8")),))
    assert shown(state, results, "users.age") == [20]


def test_json_keeps_its_type(state: State) -> None:
    assert shown(state, Results((column("users.age", Shape.JSON),)), "j:114") == [114]


def test_a_gap_takes_up_what_is_missing(state: State) -> None:
    results = Results((column("users.age"), column("users.ssn")), gap=1)
    assert shown(state, results, "users.age", "a:25", "b:25", "users.ssn") == [23, 25, 25, 25]
    assert shown(state, results, "users.age", "users.ssn") == [23, 25]
    with pytest.raises(Contradiction):
        shown(state, results, "users.age")


@pytest.mark.parametrize(
    ("planned", "columns"),
    [
        (None, ("users.ssn",)),
        (Results((None,)), ("users.email",)),
        (Results((column("users.ssn"),)), ("users.note",)),
        (Results((column("users.ssn"),)), ("users.email",)),
        (Results((column("users.ssn"),)), ("users.ssn", "users.note")),
    ],
)
def test_plan_and_server_have_to_agree(
    state: State, planned: Results | None, columns: tuple[str, ...]
) -> None:
    with pytest.raises(Contradiction):
        described(state, body(*columns), planned)


def test_fields_of_one_key_may_stand_for_each_other(state: State) -> None:
    """As the two sides of a UNION do."""
    assert shown(state, Results((column("users.email"),)), "orders.buyer") == [25]


def test_a_field_that_is_not_encrypted_yet_is_plain(state: State) -> None:
    assert shown(state, None, "legacy.old_date") == [1082]


def test_what_is_no_tables_column_is_the_plans_word(state: State) -> None:
    assert shown(state, Results((column("users.age"),)), "coalesce:17") == [23]


def test_a_description_is_judged_once(state: State) -> None:
    results = Results((column("users.age"),))
    assert described(state, body("users.age"), results) is described(state, body("users.age"), results)
    plain = described(state, body("plain.name"), None)
    assert plain.message is None
    assert described(state, body("plain.name"), None) is plain


def test_rewriters_are_made_once_for_the_settings_of_the_session(state: State) -> None:
    results = Results((column("users.born"), None))
    made = row_rewriter(state, results, 2, ())
    assert row_rewriter(state, results, 2, ()) is made
    assert row_rewriter(state, results, 2, (1,)) is not made
    state.parameter_status("DateStyle", "German, DMY")
    assert row_rewriter(state, results, 2, ()) is not made


def test_rows_of_another_width_are_a_contradiction(state: State) -> None:
    with pytest.raises(Contradiction):
        row_rewriter(state, Results((column("users.born"), None)), 3, ())


def test_copy_both_ways(state: State) -> None:
    columns = (None, column("users.ssn"))
    incoming = CopyPlan(True, columns, ("id", "ssn"), (("format", "csv"),))
    sealed = copy_in(state, incoming).feed(b'1,"a,b"\n')
    assert sealed.startswith(b"1,")
    assert b"a,b" not in sealed
    outgoing = CopyPlan(False, columns, ("id", "ssn"), ())
    assert copy_out(state, outgoing).feed(b"1\t" + stored("users.ssn", "a\tb") + b"\n") == b"1\ta\\tb\n"
