"""Rewriting by token span: what is not a protected literal keeps every byte, and positions map back."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.session.reports import original_position
from proxy.sql.analysis import SessionView
from proxy.sql.parse import parse
from proxy.sql.plan import Slot
from proxy.sql.planner import Planned, Planner
from proxy.sql.render import render
from tests.sql.test_statements import CASES
from tests.sql.transcript import Case
from tests.sql.world import world

WORKING = [case for case in CASES if not case.steps[0].refused and case.steps[0].not_yet is None]
PLANNER = Planner(world())


def planned(text: str, search_path: tuple[str, ...] = ("public",)) -> Planned:
    return PLANNER.plan(text.encode(), SessionView(search_path), final=True)


def as_it_came(slot: Slot, token: bytes) -> bytes:
    """Seals nothing: the rewritten text is then the original, but for type names and parameter numbers."""
    return slot.fixed.encode() if slot.fixed is not None else token


@pytest.mark.parametrize("case", WORKING, ids=str)
def test_every_character_of_the_original_is_accounted_for(case: Case) -> None:
    text = case.steps[0].text
    plan = planned(text, case.search_path)
    if plan.plan.template is not None:
        sent, widths = render(plan, as_it_came)
        assert sum(width for _, width in widths()) == len(sent)
        assert sum(origin for origin, _ in widths()) == len(text)


@pytest.mark.parametrize("case", WORKING, ids=str)
def test_a_position_is_that_of_the_same_token(case: Case) -> None:
    """Every token that is sent has its place in the client's text: its own, or that of what it replaces."""
    text = case.steps[0].text
    plan = planned(text, case.search_path)
    if plan.plan.template is None:
        return
    sent, widths = render(plan, lambda slot, token: b"'sealed'" + slot.suffix)
    tokens = {token.start: token.text for token in parse(text).tokens}
    ends = itertools.accumulate((origin for origin, _ in widths()), initial=0)
    replaced = {start for start, (origin, new) in zip(ends, widths(), strict=False) if origin != new}
    for token in parse(sent).tokens:
        place = original_position(widths(), token.start + 1) - 1
        assert place in tokens
        assert tokens[place] == token.text or place in replaced


def test_positions_in_rows_that_share_a_plan() -> None:
    """Rows after the first are not in the plan; a value of the eighth one has its place all the same."""
    rows = ", ".join(f"('ä€{i}', 'ü{i}')" for i in range(9))
    text = f"INSERT INTO users (email, note) VALUES {rows} RETURNING nosuch"
    sent, widths = render(planned(text), lambda slot, token: b"'a long envelope'")
    for words in ("'ü0'", "'ü7'", "'ü8'", "nosuch"):
        assert original_position(widths(), sent.index(words) + 1) == text.index(words) + 1
    sealed = [match.start() for match in re.finditer("'a long envelope'", sent)]
    assert original_position(widths(), sealed[7] + 9) == text.index("'ä€7'") + 1


BETWEEN = st.lists(
    st.sampled_from([" ", "\n", "\t", "/* é 'x' $1 */", "/* /* nested */ */", "-- it's\n", "  "]),
    min_size=1,
    max_size=3,
).map("".join)
STATEMENTS = [
    "INSERT INTO users ( email , note ) VALUES ( 'ä€👋' , 'clear' ) , ( E'b' , 'ü' )",
    "SELECT id , 'é' FROM users WHERE email IN ( 'a' , 'b' , 'c' , 'd' , 'e' , 'f' ) AND note = 'é'",
    "UPDATE users SET email = 'x' , age = 5 , active = true WHERE nick = 'n' AND id = 3",
]


decorated = given(st.sampled_from(STATEMENTS), st.lists(BETWEEN, min_size=1, max_size=9))


def spread(statement: str, between: list[str]) -> str:
    """The statement with these comments and spaces between its tokens."""
    fillers = itertools.cycle(between)
    return "".join(token + next(fillers) for token in statement.split(" "))


@decorated
def test_comments_and_spaces_survive(statement: str, between: list[str]) -> None:
    text = spread(statement, between)
    sent, widths = render(planned(text), as_it_came)
    assert sent == text
    assert sum(origin for origin, _ in widths()) == len(text)


@decorated
def test_protected_literals_are_all_replaced_and_nothing_else(statement: str, between: list[str]) -> None:
    sent, _ = render(planned(spread(statement, between)), lambda slot, token: b"'sealed'")
    protected = {"'ä€👋'", "E'b'", "'x'", "5", "true", *(f"'{letter}'" for letter in "abcdefn")}
    tokens = ["'sealed'" if token in protected else token for token in statement.split(" ")]
    assert sent == spread(" ".join(tokens), between)


@pytest.mark.parametrize("case", WORKING, ids=str)
def test_what_is_sent_parses(case: Case) -> None:
    """Ciphertext in its place makes a statement that the server's grammar takes."""
    text = case.steps[0].text
    plan = planned(text, case.search_path)
    if plan.plan.template is None:
        return
    sent, _ = render(plan, lambda slot, token: b"'pgv1:AAAA'" + slot.suffix)
    parse(sent)
