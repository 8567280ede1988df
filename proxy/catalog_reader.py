"""Rows of the catalogue queries -> policy.catalog. Pure; the rows are tuples in the order of the queries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from policy.catalog import Catalog, Column, Dependent, Parameter, Relation, Signature
from proxy import catalog_sql

Rows = Sequence[tuple[Any, ...]]
_NO_COLUMNS: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class FunctionNames:
    """Without schemas: the server's own functions, all others, those that may change search_path."""

    system: frozenset[str] = frozenset()
    user: frozenset[str] = frozenset()
    path_changers: frozenset[str] = frozenset()
    signatures: Mapping[str, tuple[Signature, ...]] = field(default_factory=dict)
    trigger_code: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class DatabaseRows:
    """What the queries about the database as a whole returned, by the name of the query."""

    server: tuple[Any, ...]
    schemas: Rows
    role_settings: Rows
    default_search_path: str
    functions: FunctionNames
    type_views: Rows = ()


@dataclass(frozen=True)
class RelationRows:
    """What the queries about some relations returned, by the name of the query."""

    relations: Rows
    columns: Rows
    types: Rows
    parents: Rows
    unique_indexes: Rows
    definitions: Mapping[int, str | None]


def build(rows: DatabaseRows, relations: Mapping[int, Relation], generation: int) -> Catalog:
    return Catalog(
        database=rows.server[0],
        server_version=rows.server[1],
        relations=relations,
        schemas=frozenset(schema for (schema,) in rows.schemas),
        role_settings={(role, database): setting for role, database, setting in rows.role_settings},
        default_search_path=rows.default_search_path,
        generation=generation,
        functions=rows.functions.system | rows.functions.user,
        path_changers=rows.functions.path_changers,
        signatures=rows.functions.signatures,
        trigger_code=rows.functions.trigger_code,
        type_views=dict(rows.type_views),
    )


def build_relations(rows: RelationRows) -> dict[int, Relation]:
    """The relations by oid, without the details of protected ones."""
    columns = _columns(rows)
    parents = _grouped(rows.parents)
    unique: dict[int, list[tuple[str, ...]]] = {}
    for oid, numbers, key_count in rows.unique_indexes:
        unique.setdefault(oid, []).append(_names(columns.get(oid, _NO_COLUMNS), numbers[:key_count]))
    return {
        oid: Relation(
            oid=oid,
            schema=schema,
            name=name,
            kind=kind,
            columns=columns.get(oid, _NO_COLUMNS),
            definition=rows.definitions.get(oid),
            unique_indexes=tuple(unique.get(oid, ())),
            parents=tuple(parents.get(oid, ())),
        )
        for oid, schema, name, kind in rows.relations
    }


def signatures(rows: Rows) -> dict[str, tuple[Signature, ...]]:
    """The functions that function_sql.SIGNATURES returned, by name."""
    found: dict[str, list[Signature]] = {}
    for schema, name, returns, array, names, modes, attributes, arrays in rows:
        modes = modes or ["i"] * len(attributes)
        names = names or [""] * len(modes)
        inputs = [i for i, mode in enumerate(modes) if mode in "ibv"]
        parameters = tuple(
            Parameter(names[i], tuple(json.loads(attributes[place])), arrays[place])
            for place, i in enumerate(inputs)
        )
        columns = tuple(names[i] for i, mode in enumerate(modes) if mode in "obt")
        found.setdefault(name, []).append(Signature(schema, name, parameters, returns, array, columns))
    return {name: tuple(of_name) for name, of_name in found.items()}


def bodies(rows: Rows) -> dict[str, tuple[str, ...]]:
    """The code of functions by name."""
    found: dict[str, list[str]] = {}
    for name, body in rows:
        found.setdefault(name, []).append(body)
    return {name: tuple(of_name) for name, of_name in found.items()}


def updated(
    old: Mapping[int, Relation], gone: Iterable[int], read: Mapping[int, Relation]
) -> Mapping[int, Relation]:
    """The relations as they are now. What is as it was stays the same object, with its details."""
    missing = [oid for oid in gone if oid in old]
    changed = {
        oid: relation
        for oid, relation in read.items()
        if oid not in old or _without_details(old[oid]) != relation
    }
    if not missing and not changed:
        return old
    relations = {**old, **changed}
    for oid in missing:
        del relations[oid]
    return relations


def _without_details(relation: Relation) -> Relation:
    columns = tuple(replace(c, default=None) if c.default is not None else c for c in relation.columns)
    return replace(relation, columns=columns, dependents=())


def unchanged(one: Catalog, other: Catalog) -> bool:
    """Whether a catalogue is the other one, with the same relations, read again."""
    return one.relations is other.relations and replace(one, generation=other.generation) == other


def _columns(rows: RelationRows) -> dict[int, tuple[Column, ...]]:
    type_names: dict[int, str] = dict(rows.types)
    made: dict[tuple[Any, ...], Column] = {}  # tables have the same columns again and again: share them
    columns = {}
    for oid, *arrays in rows.columns:
        of_relation = []
        for key in zip(*arrays, strict=True):
            column = made.get(key)
            if column is None:
                column = made[key] = _column(key, type_names)
            of_relation.append(column)
        columns[oid] = tuple(of_relation)
    return columns


def _column(key: tuple[Any, ...], type_names: Mapping[int, str]) -> Column:
    name, number, type_oid, modifier, flags = key
    return Column(
        name=name,
        number=number,
        type_oid=type_oid,
        type_name=type_names.get(type_oid, str(type_oid)),
        modifier=modifier,
        not_null=bool(flags & catalog_sql.NOT_NULL),
        has_default=bool(flags & catalog_sql.HAS_DEFAULT),
        generated=bool(flags & catalog_sql.GENERATED),
        identity=bool(flags & catalog_sql.IDENTITY),
    )


@dataclass(frozen=True)
class DetailRows:
    """What the queries about protected relations returned, by the name of the query."""

    defaults: Rows
    indexes: Rows
    check_constraints: Rows
    foreign_keys: Rows
    triggers: Rows
    rules: Rows
    row_policies: Rows
    partition_keys: Rows
    generated_columns: Rows


NO_DETAILS = DetailRows([], [], [], [], [], [], [], [], [])


def with_details(
    relations: Mapping[int, Relation], oids: Iterable[int], rows: DetailRows
) -> Mapping[int, Relation]:
    """The relations, those of `oids` with the details that the rows have, and no others."""
    expressions = {(oid, number): text for oid, number, text in rows.defaults}
    dependents: dict[int, list[Dependent]] = {}
    for oid, dependent in _dependents(relations, rows):
        dependents.setdefault(oid, []).append(dependent)
    changed = {}
    for oid in oids:
        if (relation := relations.get(oid)) is not None:
            columns = tuple(
                replace(column, default=expressions.get((oid, column.number))) for column in relation.columns
            )
            made = replace(relation, columns=columns, dependents=tuple(dependents.get(oid, ())))
            if made != relation:
                changed[oid] = made
    return {**relations, **changed} if changed else relations


def _dependents(relations: Mapping[int, Relation], rows: DetailRows) -> Iterable[tuple[int, Dependent]]:
    def names(oid: int, numbers: Iterable[int]) -> tuple[str, ...]:
        relation = relations.get(oid)
        return _names(relation.columns, numbers) if relation is not None else ()

    for oid, name, primary, unique, exclusion, keys, key_count, used, definition, index in rows.indexes:
        included = set(keys[key_count:])
        columns = names(oid, sorted(set(keys[:key_count]) | (set(used) - included)))
        kind = _index_kind(primary, unique, exclusion)
        key = names(oid, keys[:key_count])
        yield oid, Dependent(kind, name, columns, key, definition, oid=index, numbers=tuple(keys))
    for oid, name, numbers, definition in rows.check_constraints:
        yield oid, Dependent("check constraint", name, names(oid, numbers or ()), definition=definition)
    for oid, name, numbers, other, other_numbers, definition in rows.foreign_keys:
        columns, referenced = names(oid, numbers), names(other, other_numbers)
        yield oid, Dependent("foreign key", name, columns, (), definition, other, referenced)
    for kind, found in (("trigger", rows.triggers), ("rule", rows.rules)):
        for oid, name, definition in found:
            yield oid, Dependent(kind, name, (), definition=definition)
    for oid, name, numbers in rows.row_policies:
        yield oid, Dependent("row security policy", name, names(oid, numbers))
    for oid, numbers, used, definition in rows.partition_keys:
        columns = names(oid, sorted({*numbers, *used}))
        yield oid, Dependent("partition key", "", columns, definition=definition)
    for oid, name, numbers in rows.generated_columns:
        yield oid, Dependent("generated column", name, names(oid, numbers))


def _index_kind(primary: bool, unique: bool, exclusion: bool) -> str:
    if primary:
        return "primary key"
    if exclusion:
        return "exclusion constraint"
    return "unique index" if unique else "index"


def _names(columns: Iterable[Column], numbers: Iterable[int]) -> tuple[str, ...]:
    """The names of columns by attribute number; 0, which stands for an expression, is left out."""
    by_number = {column.number: column.name for column in columns}
    return tuple(by_number[number] for number in numbers if number in by_number)


def _grouped(pairs: Rows) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups
