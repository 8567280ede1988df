"""Which column of which relation holds which field."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from policy.binding import Binding, bind
from policy.catalog import Relation
from policy.types import LogicalType
from tests.policy.samples import catalog_of, policy_of, table


def bound(directory: Path, tables: str, *relations: Relation) -> Binding:
    return bind(policy_of(directory, tables), catalog_of(*relations))


def test_a_field_is_found_by_name_and_by_number(tmp_path: Path) -> None:
    users = table(1, "users", {"id": "int8", "email": "varchar(200)", "born": "bytea"})
    binding = bound(tmp_path, "  users: {email: equal, born: {class: random, type: date}}\n", users)
    email = binding.of(users)["email"]
    assert (email.type, email.storage, email.storage_oid) == (LogicalType("varchar", 204), "varchar", 1043)
    assert (email.relation_oid, email.number, email.problem) == (1, 2, None)
    born = binding.fields[1][3]
    assert (born.type, born.storage, born.problem) == (LogicalType("date"), "bytea", None)
    assert set(binding.fields[1]) == {2, 3}


def test_what_is_not_there_or_not_a_table_binds_nothing(tmp_path: Path) -> None:
    users = table(1, "users", {"id": "int8"})
    view = table(2, "people", {"email": "text"}, kind="v")
    elsewhere = table(3, "tenant.orders", {"note": "text"})
    binding = bound(
        tmp_path,
        "  users: {email: equal}\n  people: {email: equal}\n  orders: {note: random}\n",
        *(users, view, elsewhere),
    )
    assert dict(binding.fields) == {}
    assert not any(binding.of(relation) for relation in (users, view, elsewhere))


def test_a_column_that_cannot_hold_ciphertext_is_bound_with_its_problem(tmp_path: Path) -> None:
    users = table(1, "users", {"born": "date", "place": "point", "data": "jsonb"})
    binding = bound(tmp_path, "  users: {born: random, place: random, data: equal}\n", users)
    fields = binding.of(users)
    assert fields["born"].type == LogicalType("date")
    assert "change the column to bytea and write type: date" in str(fields["born"].problem)
    assert "its type point cannot be protected" in str(fields["place"].problem)
    assert "can only be randomized" in str(fields["data"].problem)


def test_a_field_is_held_by_the_one_of_its_names_that_exists(tmp_path: Path) -> None:
    fields = "  users: {email: random, mail: {class: random, id: public.users.email}}\n"
    before = table(1, "users", {"email": "text"})
    after = table(1, "users", {"mail": "text"})
    assert bound(tmp_path, fields, before).of(before)["email"].problem is None
    renamed = bound(tmp_path, fields, after).of(after)["mail"]
    assert (renamed.problem, renamed.field.key_name) == (None, "public.users.email")


def test_two_columns_cannot_hold_one_field(tmp_path: Path) -> None:
    """Their values could be moved from one to the other."""
    users = table(1, "users", {"email": "text", "mail": "text"})
    binding = bound(
        tmp_path, "  users: {email: random, mail: {class: random, id: public.users.email}}\n", users
    )
    assert binding.of(users)["email"].problem is None
    assert "both columns exist" in str(binding.of(users)["mail"].problem)


def test_partitions_of_partitions_hold_the_fields_of_the_table(tmp_path: Path) -> None:
    """A partition may have its columns in another order."""
    parent = table(1, "logs", {"id": "int8", "text": "text"}, kind="p")
    year = table(2, "old.logs_2024", {"text": "text", "id": "int8"}, kind="p", parents=(1,))
    month = table(3, "logs_2024_01", {"id": "int8", "text": "text"}, parents=(2,))
    binding = bound(tmp_path, "  logs: {text: random}\n", month, year, parent)
    (field,) = binding.policy.fields()
    assert {oid: list(columns) for oid, columns in binding.fields.items()} == {1: [2], 2: [1], 3: [2]}
    assert all(found.field is field for columns in binding.fields.values() for found in columns.values())
    assert binding.of(month)["text"].problem is None


def test_a_partition_named_without_its_table_blocks_writes_through_the_table(tmp_path: Path) -> None:
    parent = table(1, "logs", {"id": "int8", "text": "text"}, kind="p")
    part = table(2, "logs_1", {"id": "int8", "text": "text"}, parents=(1,))
    other = table(3, "logs_2", {"id": "int8", "text": "text"}, parents=(1,))
    binding = bound(tmp_path, "  logs_1: {text: random}\n", parent, part, other)
    assert binding.of(part)["text"].problem is None
    assert "name public.logs in the policy instead" in str(binding.of(parent)["text"].problem)
    assert not binding.of(other)


def test_a_child_cannot_have_another_key_than_its_parent(tmp_path: Path) -> None:
    parent = table(1, "people", {"email": "text"})
    child = table(2, "staff", {"email": "text", "badge": "text"}, parents=(1,))
    tables = "  people: {email: equal}\n  staff: {email: equal, badge: random}\n"
    binding = bound(tmp_path, tables, parent, child)
    assert "keep only the parent table in the policy" in str(binding.of(child)["email"].problem)
    assert binding.of(parent)["email"].problem is None
    assert binding.of(child)["badge"].problem is None


def test_a_child_may_be_named_with_its_parents_key(tmp_path: Path) -> None:
    parent = table(1, "people", {"email": "text"})
    child = table(2, "staff", {"email": "text"}, parents=(1,))
    tables = "  people: {email: {class: equal, key: k}}\n  staff: {email: {class: equal, key: k}}\n"
    binding = bound(tmp_path, tables, parent, child)
    assert binding.of(child)["email"].problem is None


PARTITIONED = (
    "  logs: {text: random}\n"
    "  logs_1: {text: {class: random, id: public.logs.text}}\n"
    "  logs_2: {text: {class: random, id: public.logs.text}}\n"
)


@pytest.mark.parametrize("tables", [PARTITIONED, "".join(reversed(PARTITIONED.splitlines(keepends=True)))])
def test_a_partition_may_be_named_with_its_parents_id(tmp_path: Path, tables: str) -> None:
    """It is the parent's field then; until it is attached, it waits, whatever stands first in the policy."""
    parent = table(1, "logs", {"id": "int8", "text": "text"}, kind="p")
    apart = [table(number, f"logs_{number - 1}", {"id": "int8", "text": "text"}) for number in (2, 3)]
    problems = [bound(tmp_path, tables, parent, *apart).of(one)["text"].problem for one in (parent, *apart)]
    assert problems[0] is None
    assert all("make its table a child of the other's" in str(problem) for problem in problems[1:])
    attached = [replace(child, parents=(1,)) for child in apart]
    binding = bound(tmp_path, tables, parent, *attached)
    field = binding.policy.find("public", "logs", "text")
    found = [binding.of(one)["text"] for one in (parent, *attached)]
    assert all(one.field is field and one.problem is None for one in found)


def test_a_childs_other_column_cannot_have_the_id_of_its_parents(tmp_path: Path) -> None:
    """It has that column, too, and their values could be moved from one to the other."""
    parent = table(1, "people", {"email": "text"})
    child = table(2, "staff", {"email": "text", "mail": "text"}, parents=(1,))
    tables = "  people: {email: equal}\n  staff: {mail: {class: equal, id: public.people.email}}\n"
    binding = bound(tmp_path, tables, parent, child)
    assert "both columns exist" in str(binding.of(child)["mail"].problem)
    assert binding.of(child)["email"].problem is None


def test_two_parents_with_different_keys_are_a_problem_of_the_child_only(tmp_path: Path) -> None:
    people, firms = table(1, "people", {"email": "text"}), table(2, "firms", {"email": "text"})
    child = table(3, "traders", {"email": "text"}, parents=(1, 2))
    binding = bound(tmp_path, "  people: {email: equal}\n  firms: {email: equal}\n", people, firms, child)
    assert binding.of(child)["email"].problem is not None
    assert binding.of(people)["email"].problem is binding.of(firms)["email"].problem is None


def test_a_foreign_table_can_be_protected(tmp_path: Path) -> None:
    far = table(1, "far", {"name": "text"}, kind="f")
    assert "name" in bound(tmp_path, "  far: {name: random}\n", far).of(far)
