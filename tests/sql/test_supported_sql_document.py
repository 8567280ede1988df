"""docs/supported-sql.md says what happens: its tables are made of supported/*.sql, and of nothing else."""

from __future__ import annotations

import pytest

from tests.sql.supported import DOCUMENT, MODES, Construct, constructs, document

PAIRS = [
    pytest.param(construct, mode, id=f"{construct.heading}-{construct.title}-{mode}".replace(" ", "_"))
    for construct in constructs()
    for mode in MODES
]


@pytest.mark.parametrize(("construct", "mode"), PAIRS)
def test_a_construct_does_what_is_said_of_it(construct: Construct, mode: str) -> None:
    refused = construct.refusal(mode)
    assert (refused is None) == construct.works[mode], refused and refused.message


def test_a_refusal_says_what_to_do_instead() -> None:
    refusals = [construct.refusal(mode) for construct in constructs() for mode in MODES]
    assert [refused.message for refused in refusals if refused is not None and not refused.hint] == []


def test_the_document_is_made_of_the_files() -> None:
    text = DOCUMENT.read_text()
    assert text == document(text), "run make docs"


def test_there_are_enough_of_them() -> None:
    assert len(PAIRS) >= 300
