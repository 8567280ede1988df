"""Policy files: what is right in them, and where what is wrong stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.document import DocumentError, Problems
from policy.loader import PolicyError, load, read_document
from policy.model import Mode
from policy.types import TYPES, LogicalType

ROOT = Path(__file__).parent.parent.parent


def findings(directory: Path, text: str | bytes) -> list[str]:
    """What is wrong with a policy file, without the file's name."""
    path = directory / "policy.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(PolicyError) as caught:
        load(path)
    assert str(caught.value) == "\n".join(caught.value.findings)
    return [finding.removeprefix(f"{path}:") for finding in caught.value.findings]


def test_the_policy_that_comes_with_pgveil_loads() -> None:
    policy = load(ROOT / "config" / "policy.yaml")
    assert {table for _, table in policy.tables} == {
        *("users", "api_keys", "conversations", "agents", "workflows", "knowledge", "metrics", "sessions"),
    }
    birth_date = policy.tables["public", "users"]["birth_date"]
    assert birth_date.type == LogicalType("date")
    assert birth_date.mode is Mode.RANDOMIZED
    assert policy.tables["public", "users"]["email"].algorithm == "aes-siv"
    assert policy.tables["public", "users"]["password_hash"].algorithm == "chacha20-poly1305"


def test_every_kind_of_mistake_is_found_at_once_and_in_order(tmp_path: Path) -> None:
    text = """\
version: 1
classes:
  lookup: {mode: deterministic}
  pii:    {mode: randomised}
  odd:    {mode: deterministic, algorithm: aes-256-gcm, colour: red}
tables:
  users:
    email:      lookpu
    on:         {class: lookup, type: numeric, foo: 1}
    on:         pii
    full.name:  pii
  public.users: {a: lookup}
  orders:
    a: {class: pii, id: x, plaintext: yes}
    b: {class: lookup, type: point}
    c:
    d: {type: date}
"""
    assert findings(tmp_path, text) == [
        "4:18: mode 'randomised' must be one of deterministic, randomized (did you mean 'randomized'?)",
        "5:44: algorithm aes-256-gcm cannot be deterministic (it can be: aes-siv)",
        "5:57: unknown key 'colour' in class 'odd'",
        "8:17: class 'lookpu' of public.users.email does not exist (did you mean 'lookup'?)",
        "9:39: type numeric has no fixed scale, so equal values may differ in bytes: write numeric(p, s); "
        "class 'lookup' is deterministic",
        "9:48: unknown key 'foo' in public.users.on",
        "10:5: duplicate key 'on' (first on line 9)",
        "11:5: cannot read the column name 'full.name' (a name with a dot goes in double quotes)",
        "12:3: duplicate table public.users",
        "14:39: plaintext 'yes' must be one of allow, refuse",
        f"15:30: type 'point' cannot be protected (supported: {', '.join(TYPES)})",
        "16:7: public.orders.c needs a class (a class name, or a mapping with class:)",
        "17:5: public.orders.d has no class",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1: the file is empty"),
        ("# nothing\n", "1:1: the file is empty"),
        ("- 1", "1:1: the file must hold a mapping (key: value)"),
        ("a: [", "1:5: malformed YAML: while parsing a flow node, expected the node content"),
        ("a: b: c", "1:5: malformed YAML: mapping values are not allowed here"),
        ("\ta: 1", "1:1: malformed YAML: while scanning for the next token, found character '\\t'"),
        (
            "a: 1\n---\nb: 1",
            "2:1: malformed YAML: expected a single document in the stream, but found another",
        ),
        ("a: *b", "1:4: malformed YAML: found undefined alias 'b'"),
        ("a: 1\nb: \x01", "2:4: malformed YAML: a control character"),
        (b"a: 1\nb: \xff\xfe", "2:1: the file is not UTF-8 text"),
        ("a: " + "[" * 5000, "1:1: nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_one_line(
    tmp_path: Path, text: str | bytes, expected: str
) -> None:
    (finding,) = findings(tmp_path, text)
    assert finding.startswith(expected)
    assert "\n" not in finding


def test_no_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"^.*none\.yaml: No such file or directory$"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}"])
def test_an_alias_that_holds_itself_ends(tmp_path: Path, text: str) -> None:
    assert any("nested too deeply" in finding for finding in findings(tmp_path, text))


def test_a_tag_that_would_run_code_is_refused(tmp_path: Path) -> None:
    (tmp_path / "evil.yaml").write_text("a: !!python/object/apply:os.system ['true']\nb: !x y\n")
    problems = Problems()
    read_document(tmp_path / "evil.yaml", problems)
    with pytest.raises(DocumentError, match=r"evil.yaml:2:4: the tag '!x' is not allowed"):
        problems.raise_any(DocumentError)


def test_words_that_yaml_takes_for_something_else_stay_names(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        "\ufeffversion: 1\nclasses: {yes: {mode: randomized}}\n"
        "tables: {null: {on: yes, 1: yes, 2001-01-01: yes, ~: yes}}\n"
    )
    policy = load(tmp_path / "p.yaml")
    assert list(policy.tables["public", "null"]) == ["on", "1", "2001-01-01", "~"]


@given(st.binary(max_size=200))
def test_no_input_ends_in_anything_but_findings(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "random.yaml"
    path.write_bytes(b"version: 1\nclasses: {a: {mode: randomized}}\ntables:\n " + data)
    found = []
    try:
        load(path)
    except PolicyError as error:
        found = error.findings
    assert all(finding.startswith(f"{path}:") for finding in found)
