"""Catalogues of the servers that the tests run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from policy.catalog import Catalog, Relation
from policy.model import Policy
from proxy import catalog_sql
from proxy.addresses import Endpoint, ServerAddress
from proxy.catalog_snapshot import read_catalog
from proxy.introspect import connector
from tests.postgres import Database, Postgres

NOTHING = Policy({}, {})
_TIMEOUT = 20.0


def address(postgres: Postgres, user: str = "postgres") -> ServerAddress:
    return ServerAddress((Endpoint(postgres.host, postgres.port),), user=user, database="postgres")


async def read(database: Database, policy: Policy = NOTHING, user: str = "postgres") -> Catalog:
    """The catalogue of a database, by a connection of its own."""
    connection = await connector(address(database.postgres, user))(database.name)
    try:
        await connection.execute(catalog_sql.PREPARE_SESSION)
        return await read_catalog(connection, policy)
    finally:
        await connection.close()


def relation(catalog: Catalog, name: str, schema: str = "public") -> Relation:
    """A relation that must be there."""
    found = catalog.lookup(schema, name)
    assert found is not None
    return found


def sessions(database: Database) -> int:
    """How many connections pgveil has to the database."""
    (row,) = database.execute(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name = 'pgveil' AND datname = current_database()"
    )
    return int(row[0])


def end_sessions(database: Database) -> None:
    """What a restart of the server, or a lost network, does to pgveil's connections."""
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'pgveil' AND datname = current_database()"
    )


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something that others bring about holds; fails after a while."""
    async with asyncio.timeout(_TIMEOUT):
        while not condition():  # noqa: ASYNC110 -- what is waited for is no event of this process
            await asyncio.sleep(0.01)
