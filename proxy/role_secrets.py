"""The SCRAM secrets of roles, for logins that pgveil takes at both ends (session/passthrough.py)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from proxy import catalog_sql
from proxy.introspect import CONNECTION_ERRORS, CatalogUnavailable

if TYPE_CHECKING:
    from proxy.introspect import Connect, Connection


class RoleSecrets:
    """Reads them as the maintenance login, if that may read `pg_authid`; `open` finds out.

    On a connection of its own to `database`; any will do, since roles are the same in all of them.
    """

    def __init__(self, connect: Connect, database: str) -> None:
        self._connect = connect
        self._database = database
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()  # one user of the connection at a time
        self.readable = False

    async def open(self) -> None:
        """Connect, and see whether secrets can be read. Raises CatalogUnavailable."""
        async with self._lock:
            try:
                await self._connected()
            except CONNECTION_ERRORS as error:
                raise CatalogUnavailable(self._database, error) from error

    async def get(self, role: str) -> str | None:
        """What `pg_authid` holds of a role that can log in now; None if there is nothing.

        Raises CatalogUnavailable.
        """
        try:
            role.encode()
        except UnicodeEncodeError:  # no role has a name like that
            return None
        async with self._lock:
            try:
                connection = await self._connected()
                secret = await connection.fetchval(catalog_sql.SCRAM_OF_ROLE, role)
            except CONNECTION_ERRORS as error:
                raise CatalogUnavailable(self._database, error) from error
        return None if secret is None else str(secret)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            connection = await self._connect(self._database)
            await connection.execute(catalog_sql.PREPARE_SESSION)
            self.readable = bool(await connection.fetchval(catalog_sql.SCRAM_READABLE))
            self._connection = connection
        return self._connection
