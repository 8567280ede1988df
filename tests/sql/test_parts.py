"""Texts cut into their statements."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sql.parts import Turn, parts_of

STATEMENTS = (
    "SELECT ';'",
    "SELECT 'é' -- ; not here",
    "/* ; */ SELECT $$;$$ /* ; */ ",
    "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2)",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END",
    'SELECT "☃;"',
)
BETWEEN = (";", "\n;", " ; ;\n", ";-- ;\n", ";/* ; */")


@given(st.lists(st.tuples(st.sampled_from(STATEMENTS), st.sampled_from(BETWEEN)), max_size=5))
def test_the_parts_are_all_of_the_text(pieces: list[tuple[str, str]]) -> None:
    text = "".join(statement + "\n" + between for statement, between in pieces)
    parts = parts_of(text)
    assert len(parts) == len(pieces)
    assert "".join(part.text for part in parts) == (text if pieces else "")
    for part in parts:
        assert text[part.start :].startswith(part.text)
        assert len(parts_of(part.text)) == 1


@pytest.mark.parametrize(
    ("text", "turn"),
    [
        ("SELECT 1", Turn.NONE),
        ("BEGIN", Turn.BEGIN),
        ("START TRANSACTION READ ONLY", Turn.BEGIN),
        ("END", Turn.COMMIT),
        ("COMMIT AND CHAIN", Turn.OTHER),
        ("ABORT", Turn.OTHER),
        ("SAVEPOINT s", Turn.OTHER),
        ("ROLLBACK TO s", Turn.OTHER),
        ("PREPARE TRANSACTION 'x'", Turn.PREPARE),
        ("COMMIT PREPARED 'x'", Turn.NONE),
        ("ROLLBACK PREPARED 'x'", Turn.NONE),
        ("PREPARE p AS SELECT 1", Turn.NONE),
    ],
)
def test_what_a_statement_does_to_its_transaction(text: str, turn: Turn) -> None:
    assert [part.turn for part in parts_of(text)] == [turn]


def test_what_does_not_parse_has_no_parts() -> None:
    assert parts_of("SELECT 1; SELEC 2") == ()
