"""What is no fault and worth knowing."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy.catalog import Dependent
from policy.guard import condition
from policy.notes import notes
from tests.policy.samples import catalog_of, policy_of, table


@pytest.mark.parametrize(
    ("field", "suffix", "words"),
    [
        ("equal", None, "takes plaintext that is written past pgveil"),
        ("equal", " NOT VALID", "is not validated"),
        ("equal", "", None),
        ("{class: equal, plaintext: allow}", " NOT VALID", None),
    ],
)
def test_a_column_that_the_server_does_not_guard(
    tmp_path: Path, field: str, suffix: str | None, words: str | None
) -> None:
    definition = f"CHECK ({condition('email', 'text')}){suffix}"
    guard = Dependent("check constraint", "pgveil_guard_email", ("email",), definition=definition)
    users = table(1, "users", {"email": "text"}, dependents=(guard,) if suffix is not None else ())
    found = notes(policy_of(tmp_path, f"  users: {{email: {field}}}\n"), catalog_of(users))
    assert [finding.severity for finding in found] == (["note"] if words else [])
    assert words is None or words in found[0].message
