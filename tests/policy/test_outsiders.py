"""Functions and publications that use protected tables."""

from __future__ import annotations

from pathlib import Path

from policy.binding import bind
from policy.outsiders import Function, Publication, outsiders
from tests.policy.samples import catalog_of, policy_of, table


def test_each_is_said_in_a_sentence(tmp_path: Path) -> None:
    tables = "  users: {email: equal, phone: random}\ntrusted_functions: [sync]\n"
    users = table(7, "users", {"email": "text", "phone": "text"})
    functions = [
        Function("public", "count_users", "SELECT count(*) FROM users"),
        Function("app", "sync", "UPDATE users SET phone = NULL"),
        Function("app", "parsed", "", (7,)),
        Function("app", "other", "SELECT usersx"),
    ]
    publications = [
        Publication("everything", "public", "users"),
        Publication("some", "public", "users", ("email",), "(phone IS NOT NULL)"),
        Publication("none", "public", "users", ("id",)),
        Publication("elsewhere", "public", "plain"),
    ]
    binding = bind(policy_of(tmp_path, tables), catalog_of(users))
    found = [(f.severity, f.message) for f in outsiders(binding, functions, publications)]
    stored = "it sees ciphertext, and what it writes itself is stored as it is"
    assert found == [
        ("warning", f"public.users: the function public.count_users names it: {stored}"),
        ("note", "public.users: the trusted function app.sync names it and uses phone: it sees ciphertext"),
        ("warning", f"public.users: the function app.parsed names it: {stored}"),
        ("note", "public.users: the publication everything sends email, phone to subscribers, as ciphertext"),
        ("warning", "public.users: the row filter of publication some compares ciphertext"),
        ("note", "public.users: the publication some sends email to subscribers, as ciphertext"),
    ]
