"""ARRAY[...] of literals becomes one literal that means the same array to the server."""

from __future__ import annotations

import pytest

from proxy.sql.analysis import SessionView
from proxy.sql.array_literal import array_token
from proxy.sql.parse import parse
from proxy.sql.plan import Slot
from proxy.sql.planner import Planner
from proxy.sql.rewrite import literal_tokens
from tests.postgres import Database
from tests.sql.world import world

LISTS = [
    "'a', NULL, 'NULL', ''",
    r"""'a "b"', 'it''s', E'\\ \n', $$x{},$$, U&'\0061', ' b '""",
    "1, -2, 0x1F, 1_000",
    "1.5, -.5, NULL, 1e3",
    "true, FALSE, null",
    "'2020-01-01'::date, NULL, date '2020-01-02'",
]


@pytest.mark.parametrize("items", LISTS)
def test_the_same_array(database18: Database, items: str) -> None:
    text = f"UPDATE users SET tags = ARRAY[{items}]"
    plan = Planner(world()).plan(text.encode(), SessionView(("public",)), final=True).plan
    (slot,) = [part for part in plan.template or () if isinstance(part, Slot)]
    tokens = [token.text.encode() for token in literal_tokens(parse(text))]
    with database18.connect() as connection:
        kind = {"date": "date[]"}.get(slot.kind, "text[]" if slot.kind in ("", "text") else "numeric[]")
        kind = "bool[]" if slot.kind == "bool" else kind
        literal = array_token(slot, tokens).decode()
        row = connection.execute(f"SELECT {literal}::{kind} = ARRAY[{items}]::{kind}".encode()).fetchone()
    assert row == (True,)
