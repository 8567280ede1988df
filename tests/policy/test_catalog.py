"""What a name means in a catalogue."""

from __future__ import annotations

from dataclasses import replace

from policy.catalog import Catalog
from tests.policy.samples import catalog_of, table

USERS = table(1, "users", {"id": "int8", "email": "text"})
OTHER_USERS = table(2, "tenant.users", {"id": "int8"})
OWN_PG_CLASS = table(3, "tenant.pg_class", {"id": "int8"})
CATALOG = catalog_of(USERS, OTHER_USERS, OWN_PG_CLASS)


def test_a_name_means_the_first_of_the_search_path() -> None:
    assert CATALOG.find("users", ["tenant", "public"]) is OTHER_USERS
    assert CATALOG.find("users", ["nowhere", "public", "tenant"]) is USERS
    assert CATALOG.find("users", []) is None
    assert CATALOG.find("Users", ["public"]) is None


def test_the_servers_own_relations_come_first_unless_the_path_says_otherwise() -> None:
    found = CATALOG.find("pg_class", ["tenant"])
    assert found is not None
    assert found.system
    assert CATALOG.find("pg_class", ["tenant", "pg_catalog"]) is OWN_PG_CLASS


def test_all_relations_of_a_name_are_found() -> None:
    assert CATALOG.named("users") == (USERS, OTHER_USERS)
    assert CATALOG.named("nothing") == ()
    assert CATALOG.lookup("tenant", "users") is OTHER_USERS


def test_a_column_is_found_by_its_exact_name() -> None:
    column = USERS.column("email")
    assert column is not None
    assert (column.number, column.type_name) == (2, "text")
    assert USERS.column("Email") is None


def settings(**by_key: str) -> Catalog:
    """A catalogue with search paths; the keyword is role_database, with "all" for every."""
    parts = ((key.split("_"), path) for key, path in by_key.items())
    role_settings = {
        (role.replace("all", ""), database.replace("all", "")): path for (role, database), path in parts
    }
    return replace(CATALOG, role_settings=role_settings, default_search_path="default")


def test_the_most_particular_search_path_holds() -> None:
    """ALTER ROLE ... IN DATABASE, ALTER ROLE, ALTER DATABASE, ALTER ROLE ALL, postgresql.conf."""
    every = {"joe_app": "1", "joe_all": "2", "all_app": "3", "all_all": "4"}
    for _ in range(len(every)):
        assert settings(**every).search_path("joe") == next(iter(every.values()))
        every.pop(next(iter(every)))
    assert settings().search_path("joe") == "default"


def test_a_setting_of_someone_else_or_elsewhere_does_not_count() -> None:
    assert settings(ann_app="1", joe_other="2").search_path("joe") == "default"


def test_ancestors_are_found_once_even_where_they_meet() -> None:
    top = table(10, "top", {"a": "text"})
    left, right = (table(oid, f"t{oid}", {"a": "text"}, parents=(10,)) for oid in (11, 12))
    bottom = table(13, "bottom", {"a": "text"}, parents=(11, 12, 99))
    catalog = catalog_of(top, left, right, bottom)
    assert list(catalog.ancestors(bottom)) == [left, right, top]
    assert list(catalog.ancestors(top)) == []
