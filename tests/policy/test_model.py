"""What a field calls its keys and itself."""

from __future__ import annotations

from pathlib import Path

from policy.model import ALGORITHMS, Location, Mode
from tests.policy.samples import policy_of


def test_a_field_has_a_key_of_its_own_below_its_tables(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "  users: {email: equal}\n")
    (field,) = policy.fields()
    assert (str(field), field.id, field.key_name, field.dek_name) == (
        *("public.users.email", "public.users.email", "public.users.email", "public.users"),
    )


def test_a_stable_id_names_the_key_and_a_shared_key_names_both(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        "  users: {mail: {class: equal, id: users.email}}\n"
        "  crm.people: {email: {class: equal, key: email}, phone: {class: equal, key: email}}\n",
    )
    mail, email, phone = policy.fields()
    assert (mail.key_name, mail.dek_name) == ("users.email", "public.users")
    assert (email.key_name, email.dek_name) == (phone.key_name, phone.dek_name) == ("email", "email")
    assert (email.id, phone.id) == ("crm.people.email", "crm.people.phone")


def test_names_with_dots_never_make_two_fields_one(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "  '\"a.b\"': {c: equal}\n  '\"public\".a': {'\"b.c\"': equal}\n")
    assert len({field.id for field in policy.fields()}) == 2
    assert len({field.dek_name for field in policy.fields()}) == 2


def test_no_algorithm_serves_two_modes() -> None:
    every = [algorithm for mode in Mode for algorithm in ALGORITHMS[mode]]
    assert len(every) == len(set(every))


def test_a_location_without_a_line_is_something_else_than_a_file() -> None:
    assert str(Location("policy.yaml", 3, 7)) == "policy.yaml:3:7"
    assert str(Location("environment variable PGVEIL_LISTEN", 0, 0)) == "environment variable PGVEIL_LISTEN"
