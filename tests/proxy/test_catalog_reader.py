"""Rows of the catalogue queries, without a server; test_introspect has them from real ones."""

from __future__ import annotations

from policy.catalog import Catalog
from proxy import catalog_sql
from proxy.catalog_reader import DetailRows, SnapshotRows, build, with_details

NO_DETAILS = DetailRows([], [], [], [], [], [], [], [], [])


def catalog() -> Catalog:
    """Two tables of the same columns, and a partition of the first with an attribute dropped."""
    flags = [catalog_sql.NOT_NULL | catalog_sql.IDENTITY, catalog_sql.HAS_DEFAULT]
    columns = (["id", "email"], [1, 2], [20, 25], [-1, -1], flags)
    rows = SnapshotRows(
        server=("app", 160004, "pgveil", "public", "public"),
        schemas=[("public",), ("pg_catalog",)],
        relations=[(10, "public", "a", "p"), (11, "public", "b", "r"), (12, "public", "a1", "r")],
        columns=[(10, *columns), (11, *columns), (12, ["email"], [3], [25], [-1], [0])],
        types=[(20, "int8"), (25, "text")],
        parents=[(12, 10)],
        unique_indexes=[(10, [1, 2, 0], 1), (12, [3], 1), (99, [1], 1)],
        role_settings=[("joe", "", "x, y")],
        definitions={},
        default_search_path='"$user", public',
    )
    return build(rows, 7)


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


def test_details_are_put_beside_what_they_belong_to() -> None:
    rows = DetailRows(
        defaults=[(10, 2, "'x'::text")],
        indexes=[(10, "i", False, True, False, [0, 1, 2], 2, [2], "CREATE ...")],
        check_constraints=[(10, "c", [2], "CHECK ..."), (10, "no columns", None, "CHECK (true)")],
        foreign_keys=[(10, "f", [2], 12, [3], "FOREIGN KEY ..."), (10, "g", [1], 98, [1], "FOREIGN KEY ...")],
        triggers=[(10, "t", "CREATE TRIGGER ...")],
        rules=[],
        row_policies=[(10, "p", [2])],
        partition_keys=[(10, [0, 1], [2], "RANGE ...")],
        generated_columns=[],
    )
    detailed = with_details(catalog(), rows)
    assert [column.default for column in detailed.relations[10].columns] == [None, "'x'::text"]
    assert [column.default for column in detailed.relations[11].columns] == [None, None]
    by_name = {dependent.name: dependent for dependent in detailed.relations[10].dependents}
    assert (by_name["i"].kind, by_name["i"].keys, by_name["i"].columns) == ("unique index", ("id",), ("id",))
    assert by_name["no columns"].columns == ()
    assert (by_name["f"].references, by_name["f"].referenced) == (12, ("email",))
    assert by_name["g"].referenced == ()  # of a relation that the snapshot does not have
    assert by_name[""].columns == ("id", "email")
    assert detailed.relations[11].dependents == ()


def test_without_details_nothing_changes() -> None:
    before = catalog()
    assert with_details(before, NO_DETAILS).relations == before.relations
