"""Every way to write and to read, from statements/*.sql: it works, or is refused; nothing ever leaks.

What works gives the answers of a plain database. What is refused leaves the session as it was.
"""

from __future__ import annotations

import pytest

from tests.integration.cases import DIRECTORY, Case, load
from tests.integration.pair import Pair
from tests.integration.trial import try_case


def _cases() -> list[object]:
    return [
        pytest.param(
            case,
            id=case.name.replace(" ", "_"),
            marks=[pytest.mark.xfail(strict=True, reason=case.bug)] if case.bug else [],
        )
        for file in sorted(DIRECTORY.glob("*.sql"))
        for case in load(file.name)
    ]


@pytest.mark.parametrize("case", _cases())
def test_statement(case: Case, pair: Pair) -> None:
    """Each case in each way; the files name the lessons that they stand for."""
    if case.since > pair.plain.postgres.version:
        pytest.skip(f"PostgreSQL {case.since}")
    try_case(case, pair)
