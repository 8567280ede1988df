"""Small policies and catalogues, written shortly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from policy.catalog import Catalog, Column, Dependent, Relation
from policy.loader import load
from policy.model import Policy
from policy.types import BY_OID, LogicalType

CLASSES = """\
version: 1
classes:
  random: {mode: randomized}
  equal: {mode: deterministic}
tables:
"""


def policy_of(directory: Path, tables: str, classes: str = CLASSES) -> Policy:
    """A policy with the classes `random` and `equal`; `tables` begins at line 6."""
    path = directory / "policy.yaml"
    path.write_text(classes + tables)
    return load(path)


def column(name: str, number: int, type: str, **attributes: object) -> Column:  # noqa: A002
    """A column of a type as SQL spells it, or of one that the project does not know."""
    try:
        own = LogicalType.parse(type)
    except ValueError:
        return Column(name, number, 600, type, **attributes)  # type: ignore[arg-type]
    type_name = "_" + own.name if own.array else own.name
    assert BY_OID[own.oid] == (own.name, own.array)
    return Column(name, number, own.oid, type_name, own.modifier, **attributes)  # type: ignore[arg-type]


def table(
    oid: int,
    name: str,
    columns: Mapping[str, str],
    *,
    kind: str = "r",
    parents: tuple[int, ...] = (),
    dependents: tuple[Dependent, ...] = (),
) -> Relation:
    """A relation; `name` may have a schema, `columns` are name: type."""
    schema, _, bare = name.rpartition(".")
    made = tuple(column(name, number, spelled) for number, (name, spelled) in enumerate(columns.items(), 1))
    return Relation(oid, schema or "public", bare, kind, made, parents=parents, dependents=dependents)


def catalog_of(*relations: Relation) -> Catalog:
    """A catalogue of these relations, and pg_class."""
    system = Relation(1259, "pg_catalog", "pg_class", "r", (column("relname", 1, "text"),))
    by_oid = {relation.oid: relation for relation in (system, *relations)}
    schemas = frozenset(relation.schema for relation in by_oid.values())
    return Catalog("app", 160000, by_oid, schemas)
