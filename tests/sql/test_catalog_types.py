"""The catalogue's relations in a statement: which are replaced, and what a statement keeps as it came."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from policy.binding import Binding, bind
from policy.catalog import Catalog, Dependent, Relation
from policy.model import Policy
from proxy.sql.analysis import SessionView
from proxy.sql.catalog_types import CatalogTypes
from proxy.sql.planner import Planner
from proxy.sql.report import explain
from proxy.sql.scope import Columns
from tests.policy.samples import catalog_of, column, policy_of, table

POLICY = """\
  users:
    born: {class: random, type: date}
    age: {class: equal, type: int4}
    email: {class: equal}
    nick: {class: equal, type: varchar(20)}
    broken: {class: equal, type: int4}
"""
COLUMNS = {"id": "int8", "born": "bytea", "email": "text", "nick": "text", "age": "bytea", "broken": "text"}
DEFINITION = " SELECT a.attname AS column_name,\n    a.atttypid AS udt\n   FROM pg_attribute a;"


def _attribute() -> Relation:
    columns = {
        "attrelid": "int8",
        "attname": "text",
        "atttypid": "int8",
        "attnum": "int2",
        "atttypmod": "int4",
    }
    return table(1249, "pg_catalog.pg_attribute", columns)


def _catalog(*others: Relation) -> Catalog:
    view = replace(table(13000, "information_schema.columns", {"column_name": "text"}), kind="v")
    catalog = catalog_of(_attribute(), view, table(70, "users", COLUMNS), *others)
    return replace(catalog, type_views={13000: DEFINITION})


def _none(relation: Relation) -> Columns:
    return []


@pytest.fixture
def binding(tmp_path: Path) -> Binding:
    return bind(policy_of(tmp_path, POLICY), _catalog())


def _sent(binding: Binding, sql: str, *search_path: str) -> str:
    return explain(binding, sql, search_path or ("public",)).sent


def test_the_columns_that_describe_a_type(binding: Binding) -> None:
    """Only what differs is named, and a field that cannot be used is shown as it is stored."""
    shown = _sent(binding, "SELECT * FROM pg_attribute a")
    born, nick, age, broken = (70 << 16 | number for number in (2, 4, 5, 6))
    assert f"ANY ('{{{born}}}'::pg_catalog.int8[]) THEN '1082'::pg_catalog.\"int8\"" in shown
    assert f"ANY ('{{{age}}}'::pg_catalog.int8[]) THEN '23'::pg_catalog.\"int8\"" in shown
    assert f"ANY ('{{{nick}}}'::pg_catalog.int8[]) THEN '24'::pg_catalog.\"int4\"" in shown
    assert str(broken) not in shown
    assert shown.startswith("SELECT * FROM (SELECT a.attrelid, a.attname, CASE WHEN ")
    assert shown.endswith("ELSE a.atttypmod END AS atttypmod FROM pg_catalog.pg_attribute AS a) a")


def test_a_view_becomes_its_definition(binding: Binding) -> None:
    shown = _sent(binding, "SELECT udt FROM information_schema.columns")
    assert shown.startswith("SELECT udt FROM (SELECT a.attname AS column_name,\n    a.atttypid AS udt\n")
    assert shown.endswith('pg_catalog.pg_attribute AS a) a) AS "columns"')


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT attname FROM ONLY pg_attribute",
        "SELECT attname FROM pg_attribute *",
        "SELECT attname FROM pg_attribute FOR UPDATE",
        "SELECT attname FROM pg_attribute GROUP BY attrelid, attnum",
        "SELECT ctid FROM pg_attribute",
        "SELECT a.tableoid FROM pg_attribute a",
        "SELECT a FROM pg_attribute a",
        "SELECT (a.*).attname FROM pg_attribute a",
        "SELECT f(a.*) FROM pg_class c LEFT JOIN pg_attribute a ON true",
        "SELECT attname FROM pg_attribute TABLESAMPLE SYSTEM (1)",
        "WITH pg_attribute AS (SELECT 1) SELECT * FROM pg_attribute",
        "SELECT 1 FROM public.columns, information_schema.columns",
        "SELECT attname FROM other.pg_attribute",
        "SELECT attname FROM elsewhere.pg_catalog.pg_attribute",
        "UPDATE pg_attribute SET attnotnull = true",
        "DELETE FROM pg_catalog.pg_attribute",
        "COPY pg_attribute TO STDOUT",
        "CREATE VIEW v AS SELECT attname FROM pg_attribute",
        "CREATE MATERIALIZED VIEW v AS SELECT attname FROM pg_attribute",
        "SELECT 'pg_attribute'",
    ],
)
def test_what_stays_as_it_came(binding: Binding, sql: str) -> None:
    assert _sent(binding, sql) == sql


def test_names_are_followed_as_the_server_does(binding: Binding) -> None:
    """A name without schema is one of pg_catalog unless the path puts that behind others."""
    sql = "SELECT column_name FROM columns"
    assert _sent(binding, sql, "public") == sql
    assert "pg_attribute" in _sent(binding, sql, "information_schema")
    assert _sent(binding, "SELECT attname FROM pg_attribute", "public", "pg_catalog").endswith("pg_attribute")
    longer = "SET search_path = information_schema; SELECT column_name FROM columns; RESET search_path"
    assert "pg_catalog" in _sent(binding, longer)  # the only one of that name


def test_references_with_a_schema_lose_it(binding: Binding) -> None:
    shown = _sent(
        binding, 'SELECT "pg_catalog" . pg_attribute.attname FROM pg_catalog.pg_attribute ORDER BY 1'
    )
    assert shown.startswith("SELECT pg_attribute.attname FROM (SELECT ")
    assert shown.endswith(') AS "pg_attribute" ORDER BY 1')


def test_a_policy_that_changes_no_type_edits_nothing(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "  users:\n    email: {class: equal}\n")
    sql = "SELECT * FROM pg_attribute, information_schema.columns"
    assert _sent(bind(policy, _catalog()), sql) == sql
    assert not CatalogTypes(bind(Policy({}, {}), _catalog()), _none).mentioned(sql)


def test_arrays_and_collations(tmp_path: Path) -> None:
    """What pg_type says of a type stands in pg_attribute, too."""
    policy = policy_of(tmp_path, '  users:\n    born: {class: random, type: "int8[]"}\n')
    names = ("attndims", "attalign", "attcollation", "attlen")
    extra = tuple(column(name, 10 + i, "int4") for i, name in enumerate(names))
    catalog = _catalog()
    relations = dict(catalog.relations)
    relations[1249] = replace(relations[1249], columns=relations[1249].columns + extra)
    types = CatalogTypes(bind(policy, replace(catalog, relations=relations)), _none)
    shown = types.table(relations[1249])
    assert shown is not None
    assert "THEN '1'" in shown
    assert "THEN 'd'" in shown
    assert "a.attcollation, a.attlen FROM" in shown  # as those of bytea


def test_indexes_and_views_have_columns_of_their_own(tmp_path: Path) -> None:
    """An index's attributes are numbered anew, expressions too; a view's are followed to the table's."""
    index = Dependent("index", "i", ("born", "age"), oid=90, numbers=(0, 5, 2))
    view = replace(table(91, "v", {"n": "int8", "day": "bytea"}, kind="v"), definition=_VIEW)
    wrong = replace(table(92, "w", {"day": "bytea"}, kind="v"), definition=_WRONG)
    catalog = _catalog(replace(table(70, "users", COLUMNS), dependents=(index,)), view, wrong)
    shown = _sent(bind(policy_of(tmp_path, POLICY), catalog), "SELECT * FROM pg_attribute a")
    dates = (70 << 16 | 2, 90 << 16 | 3, 91 << 16 | 2)
    assert f"ANY ('{{{','.join(map(str, dates))}}}'::pg_catalog.int8[]) THEN '1082'" in shown
    assert str(90 << 16 | 2) in shown
    assert str(92 << 16 | 1) not in shown


_VIEW = "SELECT id AS n, born AS day FROM public.users"
_WRONG = "SELECT born || 'x' AS day FROM public.users"


def test_what_is_kept_of_redirected_statements_is_bounded(tmp_path: Path) -> None:
    """Their templates are long where many columns are protected: the cache counts these, not the texts."""
    columns = {f"c{i}": "bytea" for i in range(1, 3001)}
    policy = policy_of(
        tmp_path, "  users:\n" + "".join(f"    {name}: {{class: random, type: date}}\n" for name in columns)
    )
    planner = Planner(bind(policy, _catalog(table(71, "others", {}), table(70, "users", columns))))
    for i in range(300):
        for _ in range(3):
            planner.plan(f"SELECT attname AS a{i} FROM pg_attribute".encode(), SessionView(), final=True)
    longest = len(_sent(planner.binding, "SELECT attname FROM pg_attribute"))
    assert longest > 20_000
    assert 0 < len(planner.cache) * longest < 5 << 20
