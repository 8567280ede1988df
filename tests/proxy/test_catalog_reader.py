"""Rows of the catalogue queries, without a server; test_introspect has them from real ones."""

from __future__ import annotations

from dataclasses import replace

from policy.catalog import Catalog
from proxy import catalog_sql
from proxy.catalog_reader import (
    NO_DETAILS,
    DatabaseRows,
    DetailRows,
    FunctionNames,
    RelationRows,
    build,
    build_relations,
    unchanged,
    updated,
    with_details,
)

DEFAULT = replace(NO_DETAILS, defaults=[(10, 2, "'x'::text")])


def catalog() -> Catalog:
    """Two tables of the same columns, and a partition of the first with an attribute dropped."""
    flags = [catalog_sql.NOT_NULL | catalog_sql.IDENTITY, catalog_sql.HAS_DEFAULT]
    columns = (["id", "email"], [1, 2], [20, 25], [-1, -1], flags)
    rows = RelationRows(
        relations=[(10, "public", "a", "p"), (11, "public", "b", "r"), (12, "public", "a1", "r")],
        columns=[(10, *columns), (11, *columns), (12, ["email"], [3], [25], [-1], [0])],
        types=[(20, "int8"), (25, "text")],
        parents=[(12, 10)],
        unique_indexes=[(10, [1, 2, 0], 1), (12, [3], 1), (99, [1], 1)],
        definitions={},
    )
    database = DatabaseRows(
        server=("app", 160004, "pgveil", "public", "public"),
        schemas=[("public",), ("pg_catalog",)],
        role_settings=[("joe", "", "x, y")],
        default_search_path='"$user", public',
        functions=FunctionNames(frozenset({"now"}), frozenset({"go", "f"}), frozenset({"go"})),
    )
    return build(database, build_relations(rows), 7)


def test_relations_are_built_from_their_rows() -> None:
    built = catalog()
    a, b, part = (built.relations[oid] for oid in (10, 11, 12))
    assert [column.name for column in a.columns] == ["id", "email"]
    identity, email = a.columns
    assert (identity.identity, identity.not_null, identity.has_default) == (True, True, False)
    assert (email.identity, email.not_null, email.has_default, email.type_name) == (
        False,
        False,
        True,
        "text",
    )
    assert a.columns[0] is b.columns[0]  # equal columns are one object: a large catalogue has many
    assert (part.parents, part.columns[0].number) == ((10,), 3)
    assert (a.unique_indexes, part.unique_indexes) == ((("id",),), (("email",),))
    assert (built.generation, built.search_path("joe")) == (7, "x, y")
    assert (built.functions, built.path_changers) == ({"now", "go", "f"}, {"go"})


def test_details_are_put_beside_what_they_belong_to() -> None:
    rows = DetailRows(
        defaults=[(10, 2, "'x'::text")],
        indexes=[(10, "i", False, True, False, [0, 1, 2], 2, [2], "CREATE ...", 90)],
        check_constraints=[(10, "c", [2], "CHECK ..."), (10, "no columns", None, "CHECK (true)")],
        foreign_keys=[(10, "f", [2], 12, [3], "FOREIGN KEY ..."), (10, "g", [1], 98, [1], "FOREIGN KEY ...")],
        triggers=[(10, "t", "CREATE TRIGGER ...")],
        rules=[],
        row_policies=[(10, "p", [2])],
        partition_keys=[(10, [0, 1], [2], "RANGE ...")],
        generated_columns=[],
    )
    detailed = with_details(catalog().relations, [10, 12], rows)
    assert [column.default for column in detailed[10].columns] == [None, "'x'::text"]
    assert [column.default for column in detailed[11].columns] == [None, None]
    by_name = {dependent.name: dependent for dependent in detailed[10].dependents}
    assert (by_name["i"].kind, by_name["i"].keys, by_name["i"].columns) == ("unique index", ("id",), ("id",))
    assert (by_name["i"].oid, by_name["i"].numbers) == (90, (0, 1, 2))
    assert by_name["no columns"].columns == ()
    assert (by_name["f"].references, by_name["f"].referenced) == (12, ("email",))
    assert by_name["g"].referenced == ()  # of a relation that the snapshot does not have
    assert by_name[""].columns == ("id", "email")
    assert detailed[11].dependents == ()


def test_what_stays_the_same_is_the_same_object() -> None:
    before = catalog().relations
    after = with_details(before, [10, 11], NO_DETAILS)
    assert all(after[oid] is before[oid] for oid in before)
    assert with_details(with_details(before, [10], DEFAULT), [10], NO_DETAILS) == before


def test_only_what_has_changed_is_replaced() -> None:
    before = catalog().relations
    detailed = with_details(before, [10], DEFAULT)
    again = catalog().relations
    after = updated(detailed, [11], {10: again[10], 12: replace(again[12], name="a2")})
    assert after[10] is detailed[10]  # with its details
    assert after[12].name == "a2"
    assert 11 not in after


def test_an_unchanged_catalogue_is_known() -> None:
    one = catalog()
    assert updated(one.relations, [99], catalog().relations) is one.relations
    assert unchanged(replace(one, generation=8), one)
    assert not unchanged(replace(one, schemas=frozenset()), one)
    assert not unchanged(
        replace(one, relations=catalog().relations), one
    )  # other objects: details may differ
