"""What the server does with protected columns by itself, each kind of dependent in turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy.binding import bind
from policy.catalog import Dependent
from policy.hazards import find
from tests.policy.samples import catalog_of, policy_of, table


def hazards(
    directory: Path, class_name: str, dependent: Dependent, tables: str = "", others: tuple[int, ...] = ()
) -> list[tuple[str, str]]:
    """The hazards of users.email in a class; tables `t7` ... with a column `email` stand beside it."""
    users = table(1, "users", {"id": "int8", "email": "text"}, dependents=(dependent,))
    catalog = catalog_of(users, *(table(oid, f"t{oid}", {"email": "text"}) for oid in others))
    binding = bind(policy_of(directory, f"  users: {{email: {class_name}}}\n{tables}"), catalog)
    return list(find(binding, users, binding.of(users)["email"], "email"))


def index(
    kind: str, definition: str, columns: tuple[str, ...] = ("email",), *, key: bool = True
) -> Dependent:
    return Dependent(kind, "i", columns, ("email",) if key else (), f"CREATE INDEX i ON users {definition}")


PLAIN = "USING btree (email)"


@pytest.mark.parametrize("kind", ["primary key", "unique index"])
def test_uniqueness_needs_equal_ciphertexts(tmp_path: Path, kind: str) -> None:
    ((severity, text),) = hazards(tmp_path, "random", index(kind, PLAIN))
    assert (severity, text.split(",")[0]) == ("error", f"the {kind} i would no longer find duplicates")
    assert hazards(tmp_path, "equal", index(kind, PLAIN)) == []


def test_an_index_on_randomized_ciphertext_is_of_no_use(tmp_path: Path) -> None:
    assert hazards(tmp_path, "random", index("index", PLAIN)) == [
        ("warning", "the index i is of no use on randomized ciphertext")
    ]
    assert hazards(tmp_path, "equal", index("index", PLAIN)) == []
    assert hazards(tmp_path, "equal", index("index", "USING hash (email)")) == []


def test_an_index_that_cannot_serve_equality(tmp_path: Path) -> None:
    ((severity, text),) = hazards(tmp_path, "equal", index("index", "USING gin (email gin_trgm_ops)"))
    assert (severity, text) == ("warning", "the index i is of no use: gin does not serve equality")


@pytest.mark.parametrize(("kind", "severity"), [("unique index", "error"), ("index", "warning")])
@pytest.mark.parametrize(
    ("definition", "key"),
    [
        ("USING btree (lower(email))", False),
        ("USING btree (email) WHERE (email <> ''::text)", True),
        ("USING btree (id) WHERE (email ~~ '%@example.org'::text)", False),
    ],
)
def test_an_index_that_computes_on_the_column(
    tmp_path: Path, kind: str, severity: str, definition: str, key: bool
) -> None:
    ((found, text),) = hazards(tmp_path, "equal", index(kind, definition, key=key))
    assert found == severity
    assert "computes on it" in text


@pytest.mark.parametrize(
    ("definition", "key"),
    [
        ("USING btree (email) WHERE (email IS NOT NULL)", True),
        ("USING btree (id) WHERE ((email IS NULL) AND (id > 5))", False),
    ],
)
def test_a_test_for_null_computes_nothing(tmp_path: Path, definition: str, key: bool) -> None:
    assert hazards(tmp_path, "equal", index("unique index", definition, key=key)) == []


@pytest.mark.parametrize(
    ("definition", "hazardous"),
    [
        ("CHECK ((email ~~ '%@%'::text))", True),
        ("CHECK (((email IS NOT NULL) OR (length(email) > 3)))", True),
        ("CHECK ((email IS NOT NULL))", False),
        ("CHECK (((id > 0) OR (email IS NULL)))", False),
    ],
)
def test_check_constraints_see_ciphertext(tmp_path: Path, definition: str, hazardous: bool) -> None:
    found = hazards(tmp_path, "equal", Dependent("check constraint", "c", ("email",), definition=definition))
    assert found == ([("error", "the check constraint c would see ciphertext: drop it")] if hazardous else [])


def foreign_key(oid: int) -> Dependent:
    return Dependent("foreign key", "f", ("email",), references=oid, referenced=("email",))


def test_a_foreign_key_needs_equal_ciphertexts_on_both_sides(tmp_path: Path) -> None:
    ((severity, text),) = hazards(tmp_path, "random", foreign_key(7), others=(7,))
    assert severity == "error"
    assert "the foreign key f cannot hold" in text
    unprotected = hazards(tmp_path, "equal", foreign_key(7), others=(7,))
    other_key = hazards(tmp_path, "equal", foreign_key(7), "  t7: {email: equal}\n", others=(7,))
    expected = "the foreign key f pairs it with public.t7.email: both need the same key: and type"
    assert unprotected == other_key == [("error", expected)]


def test_a_foreign_key_between_fields_of_one_key_holds(tmp_path: Path) -> None:
    shared = "{class: equal, key: email}"
    assert hazards(tmp_path, shared, foreign_key(7), f"  t7: {{email: {shared}}}\n", others=(7,)) == []


@pytest.mark.parametrize(
    ("kind", "severity"),
    [
        ("exclusion constraint", "error"),
        ("generated column", "error"),
        ("partition key", "error"),
        ("row security policy", "error"),
        ("trigger", "warning"),
        ("rule", "warning"),
    ],
)
def test_whatever_else_sees_the_column(tmp_path: Path, kind: str, severity: str) -> None:
    columns = () if severity == "warning" else ("email",)
    ((found, _),) = hazards(tmp_path, "equal", Dependent(kind, "x", columns))
    assert found == severity
    assert hazards(tmp_path, "equal", Dependent(kind, "x", ("id",))) == []
