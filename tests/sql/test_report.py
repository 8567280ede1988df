"""What `pgveil check --sql FILE` says of the statements of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.errors import Refused
from proxy.sql.report import check_file, explain
from tests.sql.world import world


def said(tmp_path: Path, text: str) -> list[tuple[int, bool, str]]:
    path = tmp_path / "file.sql"
    path.write_text(text)
    return [(report.line, report.works, report.message) for report in check_file(path, world())]


def test_each_statement_is_judged_where_it_stands(tmp_path: Path) -> None:
    text = "\\set a 1\nSELECT email FROM users;\n\nSELECT name FROM plain;\nSELECT max(email)\nFROM users;\n"
    (first, second, third) = said(tmp_path, text)
    assert first == (2, True, "works: decrypts public.users.email")
    assert second == (4, True, "works: nothing protected")
    assert third[:2] == (5, False)
    assert third[2].startswith("refused, 0A000: the function max() is not possible")


def test_a_file_changes_its_own_search_path(tmp_path: Path) -> None:
    text = "SET search_path = audit;\nSELECT email FROM users WHERE email > 'a';\n"
    assert [works for _, works, _ in said(tmp_path, text)] == [True, True]


def test_what_a_file_makes_is_not_judged_before_it_is_there(tmp_path: Path) -> None:
    """A migration's rows, say: pgveil looks at the new table when it is made."""
    text = "CREATE TABLE planned (token text);\nINSERT INTO planned (token) VALUES ('a');\n"
    assert said(tmp_path, text)[1] == (2, True, "not judged: uses what line 1 makes")
    assert not said(tmp_path, text.splitlines()[1])[0][1]


def test_statements_that_depend_on_each_other_are_explained_apart() -> None:
    with pytest.raises(Refused) as refused:
        explain(world(), "CREATE TABLE planned (token text); SELECT token FROM planned", ("public",))
    assert refused.value.hint == "Explain the statements apart."
    with pytest.raises(Refused, match="does not exist"):
        explain(world(), "SELECT token FROM planned", ("public",))
