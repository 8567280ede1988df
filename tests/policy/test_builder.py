"""What a policy must not say even where every word of it is known: keys, ids, names."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy.loader import PolicyError, load
from policy.model import Mode
from policy.types import LogicalType
from tests.policy.samples import CLASSES, policy_of

OTHERS = CLASSES.replace("tables:", "  chacha: {mode: randomized, algorithm: chacha20-poly1305}\ntables:")


def finding(directory: Path, tables: str, classes: str = CLASSES) -> str:
    """The one thing wrong with these tables."""
    path = directory / "policy.yaml"
    path.write_text(classes + tables)
    with pytest.raises(PolicyError) as caught:
        load(path)
    (found,) = caught.value.findings
    return found.removeprefix(f"{path}:")


def test_defaults_of_classes_and_fields(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path, "  users: {a: random, b: {class: equal, plaintext: allow, type: 'varchar(9)'}}\n"
    )
    a, b = policy.fields()
    assert (a.mode, a.algorithm, a.field_class.sensitivity) == (Mode.RANDOMIZED, "aes-256-gcm", "high")
    assert (b.mode, b.algorithm) == (Mode.DETERMINISTIC, "aes-siv")
    assert (a.type, a.plaintext_allowed) == (None, False)
    assert (b.type, b.plaintext_allowed) == (LogicalType("varchar", 13), True)
    assert (a.location.line, a.location.column) == (6, 11)


def test_names_are_as_the_catalogue_holds_them(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "  Users: {Email: random}\n  '\"a.b\".c': {'\"d.e\"': random}\n")
    assert list(policy.tables) == [("public", "Users"), ("a.b", "c")]
    assert list(policy.tables["a.b", "c"]) == ["d.e"]


def test_a_table_name_of_three_parts_is_refused(tmp_path: Path) -> None:
    assert finding(tmp_path, "  app.public.users: {a: random}\n").startswith(
        "6:3: cannot read the table name 'app.public.users'"
    )


def test_an_id_may_stand_at_the_old_and_at_the_new_name_of_a_column(tmp_path: Path) -> None:
    """Both stand in the policy while the column is being renamed, so that it is protected all the time."""
    policy = policy_of(tmp_path, "  t: {a: random, b: {class: random, id: public.t.a}}\n")
    assert {field.key_name for field in policy.fields()} == {"public.t.a"}


def test_fields_of_one_id_are_protected_alike(tmp_path: Path) -> None:
    assert finding(tmp_path, "  t: {a: {class: random, id: x}, b: {class: equal, id: x}}\n") == (
        "6:34: public.t.b and public.t.a have the same id 'x': as two names of one field they need "
        "the same class, type and key"
    )


def test_a_shared_key_is_not_called_as_a_field(tmp_path: Path) -> None:
    assert finding(tmp_path, "  t: {a: random, b: {class: random, key: public.t.a}}\n") == (
        "6:18: the key 'public.t.a' of public.t.b is also the id of public.t.a"
    )


@pytest.mark.parametrize("algorithm", ["", "aes-256-gcm", "chacha20-poly1305"])
def test_a_class_may_have_a_key_for_each_value(tmp_path: Path, algorithm: str) -> None:
    chosen = f"algorithm: {algorithm}, " if algorithm else ""
    written = f"  own: {{mode: randomized, {chosen}record_key: true}}\n"
    policy = policy_of(tmp_path, "  t: {a: own}\n", CLASSES.replace("tables:", written + "tables:"))
    (field,) = policy.fields()
    assert field.algorithm == f"{algorithm or 'aes-256-gcm'}-record"


def test_a_deterministic_class_cannot(tmp_path: Path) -> None:
    written = "  own: {mode: deterministic, record_key: true}\n"
    found = finding(tmp_path, "  t: {a: random}\n", CLASSES.replace("tables:", written + "tables:"))
    assert found.endswith("record_key needs a randomized class: equal values would differ")


@pytest.mark.parametrize("other", ["random", "chacha"])
def test_fields_of_one_key_are_encrypted_alike(tmp_path: Path, other: str) -> None:
    first = "equal" if other == "random" else "random"
    tables = f"  t: {{a: {{class: {first}, key: k}}, b: {{class: {other}, key: k}}}}\n"
    assert "share the key 'k', so they must have the same mode and algorithm" in finding(
        tmp_path, tables, OTHERS
    )


def test_fields_of_one_key_are_of_one_type(tmp_path: Path) -> None:
    tables = "  t: {a: {class: equal, key: k, type: int4}, b: {class: equal, key: k, type: date}}\n"
    assert "must have the same type (they have date and int4)" in finding(tmp_path, tables)


def test_types_of_one_family_may_share_a_key(tmp_path: Path) -> None:
    tables = "  t: {a: {class: equal, key: k, type: int4}, b: {class: equal, key: k, type: int8}}\n"
    assert len(list(policy_of(tmp_path, tables).fields())) == 2


@pytest.mark.parametrize("type_name", ["json", "jsonb", "interval"])
def test_types_without_one_form_cannot_be_deterministic(tmp_path: Path, type_name: str) -> None:
    found = finding(tmp_path, f"  t: {{a: {{class: equal, type: {type_name}}}}}\n")
    assert found.startswith(f"6:31: equal values of type {type_name} may differ in bytes")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("classes: {}\ntables: {}\n", "1:1: the policy has no version (write version: 1)"),
        ("version: 2\nclasses: {}\ntables: {}\n", "1:10: version must be 1, the only one this release knows"),
        ("version: 1\ntables: {}\n", "1:1: the policy has no classes"),
        ("version: 1\nclasses: {}\n", "1:1: the policy has no tables"),
        (
            "version: 1\nclasses: {}\ntabels: {}\ntables: {}\n",
            "3:1: unknown key 'tabels' in the policy (did you",
        ),
        (
            "version: 1\nclasses: {a: {}}\ntables: {}\n",
            "2:11: class 'a' has no mode (randomized or deterministic)",
        ),
        ("version: 1\nclasses: {a: b}\ntables: {}\n", "2:14: class 'a' must be a mapping (key: value)"),
        ("version: 1\nclasses: {}\ntables: [a]\n", "3:9: tables must be a mapping (key: value)"),
        ("version: 1\nclasses: {}\ntables: {a: }\n", "3:12: table 'a' must be a mapping (key: value)"),
        (
            "version: 1\nclasses: {a: {mode: randomized, sensitivity: hihg}}\ntables: {}\n",
            "2:46: sensitivity",
        ),
    ],
)
def test_the_parts_of_a_policy(tmp_path: Path, text: str, expected: str) -> None:
    assert finding(tmp_path, text, "").startswith(expected)


def test_a_policy_may_protect_nothing_yet(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("version: 1\nclasses: {}\ntables: {}\n")
    assert list(load(tmp_path / "p.yaml").fields()) == []


@pytest.mark.parametrize(
    ("of_class", "of_column", "null"),
    [
        ("", "", False),
        ("", ", destroyed: null", True),
        (", destroyed: null", "", True),
        (", destroyed: NULL", ", destroyed: error", False),
        (", destroyed: error", ", destroyed: 'null'", True),
    ],
)
def test_a_value_whose_key_was_destroyed(tmp_path: Path, of_class: str, of_column: str, null: bool) -> None:
    written = f"  own: {{mode: randomized{of_class}}}\n"
    policy = policy_of(
        tmp_path, f"  t: {{a: {{class: own{of_column}}}}}\n", CLASSES.replace("tables:", written + "tables:")
    )
    assert [field.null_if_destroyed for field in policy.fields()] == [null]


@pytest.mark.parametrize("written", ["", "yes", "~", "[null]"])
def test_a_word_that_says_nothing_of_destroyed_values(tmp_path: Path, written: str) -> None:
    assert "destroyed" in finding(tmp_path, f"  t: {{a: {{class: random, destroyed: {written}}}}}\n")


@pytest.mark.parametrize(("written", "required"), [("refuse", True), ("continue", False)])
def test_whether_work_needs_an_audit_trail(tmp_path: Path, written: str, required: bool) -> None:
    tables = f"  users: {{a: random}}\naudit: {{on_failure: {written}}}\n"
    assert policy_of(tmp_path, tables).audit_required is required


@pytest.mark.parametrize(
    ("audit", "message"),
    [
        ("{on_failure: ignore}", "7:21: on_failure 'ignore' must be one of continue, refuse"),
        ("{on_failures: refuse}", "7:9: unknown key 'on_failures' in audit (did you mean 'on_failure'?)"),
        ("refuse", "7:8: audit must be a mapping (key: value)"),
    ],
)
def test_an_audit_that_is_misspelt(tmp_path: Path, audit: str, message: str) -> None:
    assert finding(tmp_path, f"  users: {{a: random}}\naudit: {audit}\n") == message
