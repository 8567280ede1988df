"""docs/supported-sql.md says what happens: every example is judged with a field of either mode."""

from __future__ import annotations

import re

import pytest

from proxy.errors import Refused
from proxy.sql.report import explain
from tests.documents import ROOT, code, rows, section
from tests.sql.world import world

TEXT = (ROOT / "docs" / "supported-sql.md").read_text()
EXAMPLES = [row for heading in ("Writing", "Comparing", "Reading") for row in rows(section(TEXT, heading))]
REFUSED = list(rows(section(TEXT, "Refused, and what to do instead")))
DETERMINISTIC, RANDOMIZED = "email", "ssn"


def works(example: str, column: str) -> bool:
    """Whether an example works with this column in the place of F."""
    text = re.sub(r"\bF\b", column, example.replace(r"\|", "|"))
    try:
        explain(world(), text, ("public",))
    except Refused:
        return False
    return True


@pytest.mark.parametrize("row", EXAMPLES, ids=lambda row: row[0][:60])
def test_examples_do_what_the_table_says(row: list[str]) -> None:
    (example,) = code(row[0])
    assert [works(example, DETERMINISTIC), works(example, RANDOMIZED)] == [cell == "yes" for cell in row[1:]]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row[0][:60])
def test_what_is_refused_is_refused_and_the_advice_works(row: list[str]) -> None:
    (example,) = code(row[0])
    assert not works(example, DETERMINISTIC)
    assert not works(example, RANDOMIZED)
    advice = [piece for piece in code(row[1]) if " " in piece]
    assert all(works(piece, DETERMINISTIC) for piece in advice)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 40
    assert len(REFUSED) > 15
