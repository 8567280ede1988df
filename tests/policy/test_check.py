"""A policy against a catalogue: names, types, lengths, defaults. What dependents do is in test_hazards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from policy.catalog import Column, Relation
from policy.check import check
from tests.policy.samples import catalog_of, policy_of, table


def found(directory: Path, tables: str, *relations: Relation) -> list[str]:
    """The findings, without the file's name."""
    findings = check(policy_of(directory, tables), catalog_of(*relations))
    return [str(finding).removeprefix(f"{directory}/policy.yaml:") for finding in findings]


def with_column(relation: Relation, name: str, **attributes: object) -> Relation:
    changed = tuple(
        replace(column, **attributes) if column.name == name else column  # type: ignore[arg-type]
        for column in relation.columns
    )
    assert all(isinstance(column, Column) for column in changed)
    return replace(relation, columns=changed)


def test_a_policy_that_fits_has_no_findings(tmp_path: Path) -> None:
    users = table(1, "users", {"email": "text", "born": "bytea"})
    assert found(tmp_path, "  users: {email: equal, born: {class: random, type: date}}\n", users) == []


def test_names_that_do_not_exist(tmp_path: Path) -> None:
    users = table(1, "users", {"id": "int8", "email": "text"})
    orders = table(2, "shop.orders", {"note": "text"})
    tables = """\
  users:
    emial: equal
  user: {email: equal}
  orders: {note: random}
  nothing.such: {a: random}
"""
    assert found(tmp_path, tables, users, orders) == [
        "7:5: error: column public.users.emial does not exist (did you mean 'email'?)",
        "8:10: error: table public.user does not exist (did you mean 'users'?)",
        "9:12: error: table public.orders does not exist (did you mean 'shop.orders'?)",
        "10:18: error: table nothing.such does not exist",
    ]


def test_a_column_that_is_being_renamed_is_there_under_one_of_its_names(tmp_path: Path) -> None:
    tables = "  users: {email: random, mail: {class: random, id: public.users.email}}\n"
    for name in ("email", "mail"):
        assert found(tmp_path, tables, table(1, "users", {name: "text"})) == []
    both = found(tmp_path, tables, table(1, "users", {"email": "text", "mail": "text"}))
    assert both == [
        "6:26: error: public.users.mail: it has the id 'public.users.email' of public.users.email, "
        "and both columns exist: give it another id, or make its table a child of the other's"
    ]


def test_a_partition_that_is_named_beside_its_table_may_be_attached_or_not_be_there(tmp_path: Path) -> None:
    tables = "  logs: {text: random}\n  logs_1: {text: {class: random, id: public.logs.text}}\n"
    logs = table(1, "logs", {"id": "int8", "text": "text"}, kind="p")
    part = table(2, "logs_1", {"id": "int8", "text": "text"}, parents=(1,))
    assert found(tmp_path, tables, logs) == found(tmp_path, tables, logs, part) == []
    (apart,) = found(tmp_path, tables, logs, replace(part, parents=()))
    assert "make its table a child of the other's" in apart


def test_views_and_the_servers_own_tables_are_not_protected(tmp_path: Path) -> None:
    views = [table(1, "v", {"a": "text"}, kind="v"), table(2, "m", {"a": "text"}, kind="m")]
    tables = "  v: {a: random}\n  m: {a: random}\n  pg_catalog.pg_class: {relname: random}\n"
    assert found(tmp_path, tables, *views) == [
        "6:7: error: public.v is a view: name the table that it reads",
        "7:7: error: public.m is a materialized view: name the table that it reads",
        "8:25: error: pg_catalog.pg_class is the server's own and cannot be protected",
    ]


def test_a_wrong_storage_is_an_error_and_while_a_migration_is_under_way_a_warning(tmp_path: Path) -> None:
    users = table(1, "users", {"born": "date", "seen": "date"})
    tables = "  users: {born: random, seen: {class: random, plaintext: allow}}\n"
    born, seen = found(tmp_path, tables, users)
    assert born.startswith(
        "6:11: error: public.users.born: it is of type date, and ciphertext of date is kept in"
    )
    assert seen.startswith(
        "6:25: warning: public.users.seen: it is of type date, and ciphertext of date is kept"
    )


def test_a_column_too_short_for_its_longest_ciphertext(tmp_path: Path) -> None:
    users = table(1, "users", {"email": "varchar(255)", "nick": "varchar(255)", "name": "varchar(200)"})
    tables = (
        "  users: {email: equal, nick: {class: equal, type: text}, name: {class: equal, type: varchar(9)}}\n"
    )
    assert found(tmp_path, tables, users) == [
        "6:11: error: public.users.email: it is of type varchar(255), and ciphertext of varchar(255) has up "
        "to 1396 characters: change the column to text (no row is rewritten) and write type: varchar(255) in "
        "the policy",
        "6:25: warning: public.users.nick: it is of type varchar(255), where ciphertext of only 164 bytes "
        "fits: change it to text",
    ]


def test_values_that_the_server_makes_itself_would_be_plaintext(tmp_path: Path) -> None:
    columns = {"a": "text", "b": "text", "c": "bytea", "d": "text"}
    users = table(1, "users", columns)
    users = with_column(users, "a", has_default=True, default="'x'::text")
    users = with_column(users, "b", generated=True)
    users = with_column(users, "c", identity=True)
    users = with_column(users, "d", has_default=True, default="NULL::text")
    tables = "  users: {a: random, b: random, c: random, d: random}\n"
    a, b, c = found(tmp_path, tables, users)
    assert a.endswith(
        "public.users.a: it has a DEFAULT, which the server would store in plaintext: drop the default"
    )
    assert "it is a generated column" in b
    assert "it is an identity column" in c


def test_a_default_of_a_partition_is_found_too(tmp_path: Path) -> None:
    parent = table(1, "logs", {"text": "text"}, kind="p")
    part = with_column(
        table(2, "logs_1", {"text": "text"}, parents=(1,)), "text", has_default=True, default="'x'::text"
    )
    (finding,) = found(tmp_path, "  logs: {text: random}\n", parent, part)
    assert finding.startswith("6:10: error: public.logs_1.text: it has a DEFAULT")


def test_columns_of_one_key_have_one_type(tmp_path: Path) -> None:
    users = table(1, "users", {"a": "text", "b": "bytea"})
    tables = "  users: {a: {class: equal, key: k}, b: {class: equal, key: k}}\n"
    assert found(tmp_path, tables, users) == [
        "6:38: error: the key 'k' is shared by columns of type text and of type bytea"
    ]
