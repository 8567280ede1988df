"""Reads one database's catalogue through asyncpg: all of it once, then what has changed.

The SQL stands in `proxy/catalog_sql.py`, what its rows mean in `proxy/catalog_reader.py`. A relation is read
again if a row that it is built from has another version than before, or if anything that its columns, its
definition or its details name has (`proxy/catalog_versions.py`). What has not changed stays the same object.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import asyncpg

from policy.binding import bind
from policy.catalog import BUILT_IN_SEARCH_PATH, Catalog, Relation
from policy.model import Policy
from policy.server_code import CHANGES_SEARCH_PATH, READABLE, TRUSTED, word_pattern
from proxy import catalog_sql, function_sql
from proxy.catalog_reader import (
    NO_DETAILS,
    DatabaseRows,
    DetailRows,
    FunctionNames,
    RelationRows,
    bodies,
    build,
    build_relations,
    signatures,
    unchanged,
    updated,
    with_details,
)
from proxy.catalog_versions import Changes, Versions, detail_versions, no_details

if TYPE_CHECKING:
    from proxy.introspect import Connection


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A catalogue, the versions of what it was built from, and those of the details of protected relations.

    `connection`: that it was read through. Another one may lead to another server.
    """

    catalog: Catalog
    versions: Versions
    details: Mapping[int, int]
    functions: FunctionNames
    connection: Connection


async def read_catalog(connection: Connection, policy: Policy) -> Catalog:
    """Read all of one database's catalogue, with the details of what the policy protects."""
    return (await read_snapshot(connection, policy)).catalog


async def read_snapshot(connection: Connection, policy: Policy, old: Snapshot | None = None) -> Snapshot:
    """The catalogue as it is now, read in one snapshot. Where nothing has changed it is the old object."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        versions = Versions.from_arrays(*(await _rows(connection, catalog_sql.VERSIONS))[0])
        details = await _detail_versions(connection, old.details) if old is not None else {}
        if old is not None and versions == old.versions and details == old.details:
            return old
        return await _read(connection, policy, versions, details, old)


async def _read(
    connection: Connection,
    policy: Policy,
    versions: Versions,
    details: Mapping[int, int],
    old: Snapshot | None,
) -> Snapshot:
    """Read what is new or has changed; everything where nothing can be said of that."""
    generation = old.catalog.generation + 1 if old is not None else 1
    changes = versions.since(old.versions) if old is not None else None
    if changes is None or changes.system or old is None or old.connection is not connection:
        old, changes = None, None
    wanted = await _wanted(connection, versions, changes)
    rows = await _relation_rows(connection, wanted)
    before = old.catalog.relations if old is not None else {}
    relations = updated(before, changes.gone if changes is not None else (), build_relations(rows))
    functions = old.functions if old is not None else None
    if changes is None or changes.functions or functions is None:
        functions = await _functions(connection, policy, functions)
    type_views = await _type_views(connection, policy, old)
    catalog = build(await _database_rows(connection, functions, type_views), relations, generation)
    stale = {*wanted, *(oid for oid in details if old is None or old.details[oid] != details[oid])}
    catalog, details = await _with_details(connection, policy, catalog, old, stale)
    if old is not None and unchanged(catalog, old.catalog):
        catalog = old.catalog
    unread = [oid for oid, definition in rows.definitions.items() if definition is None]
    return Snapshot(catalog, versions.without(unread), details, functions, connection)


async def _wanted(connection: Connection, versions: Versions, changes: Changes | None) -> list[int]:
    """The oids of what has to be read; others, of indexes for example, may be among them."""
    if changes is None:
        ((system,),) = await _rows(connection, catalog_sql.SYSTEM_RELATIONS)
        return [*system, *versions.relations]
    wanted = set(changes.new)
    if changes.changed:
        objects = [list(column) for column in zip(*changes.changed, strict=True)]
        wanted.update(oid for (oid,) in await _rows(connection, catalog_sql.DEPENDENTS, *objects))
    return sorted(wanted)


async def _functions(connection: Connection, policy: Policy, old: FunctionNames | None) -> FunctionNames:
    system = old.system if old is not None else await _names(connection, catalog_sql.SYSTEM_FUNCTIONS)
    user = await _names(connection, catalog_sql.FUNCTIONS)
    if not user:
        return FunctionNames(system)
    named = [name for _, name in policy.functions]
    found = signatures(await _rows(connection, function_sql.SIGNATURES, named))
    code = bodies(await _rows(connection, function_sql.TRIGGER_CODE, list(READABLE)))
    return FunctionNames(system, user, await _path_changers(connection), found, code)


async def _names(connection: Connection, query: str) -> frozenset[str]:
    return frozenset(name for (name,) in await _rows(connection, query))


async def _path_changers(connection: Connection) -> frozenset[str]:
    """The names of functions that may change search_path, or call one that may."""
    readable = list(READABLE)
    arguments = CHANGES_SEARCH_PATH, readable, list(TRUSTED)
    found = dict(await _rows(connection, catalog_sql.PATH_CHANGERS, *arguments))
    callers = found
    while callers:
        calls = f":funcid ({'|'.join(map(str, found))})\\y"
        callers = dict(
            await _rows(
                connection,
                catalog_sql.PATH_CHANGER_CALLERS,
                list(found),
                word_pattern(found.values()),
                calls,
                readable,
            )
        )
        found = {**found, **callers}
    return frozenset(found.values())


async def _type_views(connection: Connection, policy: Policy, old: Snapshot | None) -> list[tuple[Any, ...]]:
    """Definitions that a new version of the server may change, and nothing else."""
    if old is not None:
        return list(old.catalog.type_views.items())
    return await _rows(connection, catalog_sql.TYPE_VIEWS) if policy.tables else []


async def _database_rows(
    connection: Connection, functions: FunctionNames, type_views: list[tuple[Any, ...]]
) -> DatabaseRows:
    (server,) = await _rows(connection, catalog_sql.SERVER)
    role_settings = await _rows(connection, catalog_sql.ROLE_SETTINGS)
    return DatabaseRows(
        server=server,
        schemas=await _rows(connection, catalog_sql.SCHEMAS),
        role_settings=role_settings,
        default_search_path=await _default_search_path(connection, server, role_settings),
        functions=functions,
        type_views=type_views,
    )


_NO_ROWS = RelationRows([], [], [], [], [], {})


async def _relation_rows(connection: Connection, oids: list[int]) -> RelationRows:
    relations = await _rows(connection, catalog_sql.RELATIONS, oids) if oids else []
    if not relations:
        return _NO_ROWS
    oids = [oid for oid, *_ in relations]
    views = any(kind in "vm" for *_, kind in relations)
    return RelationRows(
        relations=relations,
        columns=await _rows(connection, catalog_sql.COLUMNS, oids),
        types=await _rows(connection, catalog_sql.TYPES, oids),
        parents=await _rows(connection, catalog_sql.PARENTS, oids),
        unique_indexes=await _rows(connection, catalog_sql.UNIQUE_INDEXES, oids),
        definitions=await _view_definitions(connection, oids) if views else {},
    )


async def _view_definitions(connection: Connection, oids: list[int]) -> dict[int, str | None]:
    """All of them at once; or one by one without those that are locked, whose definition is then None."""
    try:
        async with connection.transaction():
            return dict(await _rows(connection, catalog_sql.VIEW_DEFINITIONS, oids))
    except asyncpg.PostgresError:
        pass
    definitions: dict[int, str | None] = {}
    for (oid,) in await _rows(connection, catalog_sql.VIEWS, oids):
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout TO '50ms'")
                definitions[oid] = await connection.fetchval(catalog_sql.VIEW_DEFINITION, oid)
        except asyncpg.PostgresError:
            definitions[oid] = None
    return definitions


async def _with_details(
    connection: Connection, policy: Policy, catalog: Catalog, old: Snapshot | None, changed: set[int]
) -> tuple[Catalog, dict[int, int]]:
    """The catalogue with the details of protected relations, which are read where they may have changed."""
    protected = sorted(bind(policy, catalog).columns)
    known = old.details if old is not None else {}
    ended = known.keys() - protected
    stale = [oid for oid in protected if oid in changed or oid not in known]
    versions = await _detail_versions(connection, protected)
    relations: Mapping[int, Relation] = catalog.relations
    if ended:
        relations = with_details(relations, ended, NO_DETAILS)
    try:
        if stale:
            async with connection.transaction():
                relations = with_details(relations, stale, await _detail_rows(connection, stale))
    except asyncpg.LockNotAvailableError:  # do without for now
        versions |= no_details(stale)
    return replace(catalog, relations=relations), versions


async def _detail_versions(connection: Connection, oids: Iterable[int]) -> dict[int, int]:
    wanted = list(oids)
    if not wanted:
        return {}
    rows = await _rows(connection, catalog_sql.DETAIL_VERSIONS, wanted)
    return detail_versions(wanted, ((oid, version) for oid, version in rows))


async def _detail_rows(connection: Connection, oids: list[int]) -> DetailRows:
    return DetailRows(
        defaults=await _rows(connection, catalog_sql.DEFAULTS, oids),
        indexes=await _rows(connection, catalog_sql.INDEXES, oids),
        check_constraints=await _rows(connection, catalog_sql.CHECK_CONSTRAINTS, oids),
        foreign_keys=await _rows(connection, catalog_sql.FOREIGN_KEYS, oids),
        triggers=await _rows(connection, catalog_sql.TRIGGERS, oids),
        rules=await _rows(connection, catalog_sql.RULES, oids),
        row_policies=await _rows(connection, catalog_sql.ROW_POLICIES, oids),
        partition_keys=await _rows(connection, catalog_sql.PARTITION_KEYS, oids),
        generated_columns=await _rows(connection, catalog_sql.GENERATED_COLUMNS, oids),
    )


async def _rows(connection: Connection, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
    return [tuple(record.values()) for record in await connection.fetch(query, *arguments)]


async def _default_search_path(
    connection: Connection, server: Sequence[Any], role_settings: Iterable[tuple[Any, ...]]
) -> str:
    """What the server gives to a role with no setting of its own.

    The maintenance login sees it, unless it has a setting of its own; then only a superuser can look further.
    """
    database, _, login, own, built_in = server
    if not any(role in ("", login) and of in ("", database) for role, of, _ in role_settings):
        return str(own)
    with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
        async with connection.transaction():
            found = await connection.fetchval(catalog_sql.FILE_SETTING)
            return str(found) if found is not None else BUILT_IN_SEARCH_PATH
    return str(built_in)
