"""Every statement of fixtures/*.sql is judged as the file says; *.invalid.sql holds the refused ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sql.transcript import FIXTURES, Case, Transcript, agrees, cases, explained
from tests.sql.world import world

FILES = sorted(FIXTURES.glob("*.sql"))
CASES = [case for file in FILES for case in cases(file)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_statement_is_judged_as_written(case: Case) -> None:
    session = Transcript(world(), case.search_path)
    for step in case.steps:
        try:
            found = session.say(step.text)
        except Exception:
            if step.not_yet is not None:
                pytest.xfail(step.not_yet)
            raise
        if step.not_yet is not None and not agrees(step.said, found):
            pytest.xfail(step.not_yet)
        assert agrees(step.said, found), (step.text, found)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_explain_says_the_same_of_a_first_statement(file: Path) -> None:
    for case in CASES:
        if case.file == file.name and case.steps[0].not_yet is None:
            text, search_path = case.steps[0].text, case.search_path
            assert explained(world(), text, search_path) == Transcript(world(), search_path).say(text)


def test_every_topic_has_its_refusals_in_a_sibling() -> None:
    names = {file.name for file in FILES}
    for name in names:
        if not name.endswith(".invalid.sql"):
            assert f"{name.removesuffix('.sql')}.invalid.sql" in names
    for case in CASES:
        assert case.steps[-1].refused == case.file.endswith(".invalid.sql"), case
