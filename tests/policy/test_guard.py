"""The form of guards, held against the form of envelopes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crypto import envelope
from policy import guard
from policy.binding import bind
from policy.catalog import Dependent
from policy.guard import condition, find_guard, find_outdated, guard_name, is_guard, obstacle
from tests.policy.samples import catalog_of, policy_of, table


def test_the_shortest_envelope_is_as_long_as_a_guard_asks() -> None:
    assert min(envelope.ascii_size(name, 0) for name in envelope.SUITES) == guard._ASCII_LENGTH
    assert min(envelope.binary_size(name, 0) for name in envelope.SUITES) == guard._BINARY_LENGTH


@pytest.mark.parametrize("algorithm", envelope.SUITES)
@pytest.mark.parametrize("key_id", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x5e\xed\0\1"])
def test_every_header_begins_as_a_guard_asks(algorithm: str, key_id: bytes) -> None:
    body = envelope.header(algorithm, key_id) + bytes(40)
    assert re.search(guard._ASCII, (envelope.MARKER + envelope.encode(body)).decode())
    assert (envelope.MAGIC + body).hex().startswith(guard._BINARY)


def test_a_long_name_is_cut_and_stays_its_own() -> None:
    assert guard_name("email") == "pgveil_guard_email"
    one, other = guard_name("é" * 31), guard_name("é" * 31 + "x")
    assert one != other
    assert one.startswith("pgveil_guard_éé")
    assert max(len(one.encode()), len(other.encode())) <= 63


def test_a_name_cannot_leave_its_quotes() -> None:
    assert '"a""b{0}"' in condition('a"b{0}', "text")


def check_constraint(name: str, definition: str, *columns: str) -> Dependent:
    return Dependent("check constraint", name, columns or ("email",), definition=definition)


def test_only_the_form_of_a_guard_is_one() -> None:
    definition = f"CHECK ({condition('email', 'text')})"
    assert is_guard(check_constraint("pgveil_guard_email", definition), "email", "text")
    assert is_guard(check_constraint("pgveil_guard_email", definition + " NOT VALID"), "email", "text")
    assert is_guard(check_constraint("pgveil_guard_old_name", definition), "email", "text")
    assert not is_guard(check_constraint("mine", definition), "email", "text")
    assert not is_guard(check_constraint("pgveil_guard_email", definition), "email", "bytea")
    assert not is_guard(
        check_constraint("pgveil_guard_email", "CHECK ((email <> ''::text))"), "email", "text"
    )


def test_what_was_a_guard_is_found_as_well(tmp_path: Path) -> None:
    old = check_constraint("pgveil_guard_email", "CHECK ((email ~~ 'pgv0:%'::text))")
    users = table(1, "users", {"email": "text"}, dependents=(old,))
    binding = bind(policy_of(tmp_path, "  users: {email: equal}\n"), catalog_of(users))
    assert find_guard(users, binding.of(users)["email"], "email") is None
    assert find_outdated(users, "email") == old


def test_columns_that_cannot_have_a_guard(tmp_path: Path) -> None:
    short = table(1, "short", {"email": "varchar(10)"})
    foreign = table(2, "elsewhere", {"email": "text"}, kind="f")
    parent = table(3, "parent", {"email": "text"}, kind="p")
    child = table(4, "child", {"email": "text"}, parents=(3,))
    names = ("short", "elsewhere", "parent")
    policy = policy_of(tmp_path, "".join(f"  {name}: {{email: equal}}\n" for name in names))
    binding = bind(policy, catalog_of(short, foreign, parent, child))
    found = [obstacle(binding, r, binding.of(r)["email"]) or "" for r in (short, foreign, parent, child)]
    assert [words in text for words, text in zip(["shortest", "foreign", "", "parent"], found, strict=True)]
    assert [bool(text) for text in found] == [True, True, False, True]
