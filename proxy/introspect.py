"""Keeps what is known of the server's catalogue current for as long as the proxy runs.

It is looked at again when a session asks (DDL went by, or a name is unknown), when another worker or proxy
announces DDL (LISTEN/NOTIFY), and when a poll finds that somebody changed the catalogue past every proxy.
How it is read stands in `proxy/catalog_snapshot.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from policy.binding import Binding, bind
from policy.model import Policy
from proxy import catalog_sql
from proxy.addresses import ServerAddress
from proxy.catalog_snapshot import Snapshot, read_snapshot
from proxy.errors import ServerError

if TYPE_CHECKING:  # generic only in the stubs
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
    Connect: TypeAlias = Callable[[str], Awaitable[Connection]]  # a database's name -> a new connection to it

_log = logging.getLogger("pgveil.catalog")
_CLOSE_TIMEOUT = 2.0  # seconds
_RETRY_DELAY = 1.0
_PATIENCE = 30.0  # how long somebody waits who holds no lock himself, while the catalogue is locked
_LOCKED_DELAY = 0.1
CONNECTION_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)


class CatalogUnavailable(ServerError):
    """The maintenance login cannot read the catalogue now. `reason` is for the operator only.

    `locked`: somebody holds a lock on it, as VACUUM FULL does.
    """

    sqlstate = "58000"

    def __init__(self, database: str, cause: BaseException) -> None:
        self.reason = "timeout" if isinstance(cause, TimeoutError) else str(cause).partition("\n")[0]
        self.locked = isinstance(cause, asyncpg.LockNotAvailableError)
        missing = isinstance(cause, asyncpg.InvalidCatalogNameError)
        message = f'database "{database}" does not exist' if missing else "the catalogue cannot be read now"
        super().__init__(message, sqlstate="3D000" if missing else None)


def connector(server: ServerAddress) -> Connect:
    """Connects to databases of a server as its maintenance login."""

    async def connect(database: str) -> Connection:
        connection: Connection = await asyncpg.connect(
            host=[endpoint.host for endpoint in server.endpoints],
            port=[endpoint.port for endpoint in server.endpoints],
            user=server.user,
            database=database,
            passfile=server.passfile,
            ssl=server.tls_context() or False,
            direct_tls=server.direct_tls,
            timeout=server.connect_timeout * len(server.endpoints),
            server_settings={"application_name": "pgveil"},
        )
        return connection

    return connect


async def read_binding(server: ServerAddress, database: str, policy: Policy) -> Binding:
    """The binding of a policy to a database as it is now. Raises CatalogUnavailable."""
    catalogs = Catalogs(connector(server), policy, poll=0)
    try:
        return await catalogs.get(database)
    finally:
        await catalogs.close()


class Catalogs:
    """The bindings of every database that a session has asked for.

    `on_change(database, binding)` is called whenever a binding is replaced. `poll` is in seconds; with 0 only
    notifications and sessions start a new look at the catalogue.
    Each database has one connection of its own, which listens.
    """

    def __init__(
        self,
        connect: Connect,
        policy: Policy,
        *,
        on_change: Callable[[str, Binding], None] | None = None,
        poll: float = 30.0,
    ) -> None:
        self._connect = connect
        self._policy = policy
        self._on_change = on_change
        self._poll = poll
        self._databases: dict[str, _Database] = {}

    async def get(self, database: str) -> Binding:
        """The current binding; read if this is the first time. Raises CatalogUnavailable."""
        watched = self._databases.get(database)
        if watched is not None and watched.binding is not None:
            return watched.binding
        return await self.refresh(database, None, patient=True)

    async def refresh(self, database: str, names: Iterable[str] | None, *, patient: bool = False) -> Binding:
        """The binding as of now. With names, only if a relation or function of these exists that it lacks.

        `patient`: who asks holds no lock that others could wait for: a locked catalogue is waited for.
        Raises CatalogUnavailable.
        """
        watched = self._databases.get(database)
        if watched is None:
            watched = self._databases[database] = _Database(
                database, self._connect, self._policy, self._on_change
            )
        try:
            wanted = None if names is None else sorted(set(names))
            binding = await watched.refresh(wanted, _PATIENCE if patient else 0)
        except BaseException:
            if watched.binding is None:  # a name that is no database must not stay here
                self._databases.pop(database, None)
                await watched.close()
            raise
        current = self._databases.setdefault(database, watched)
        if current is watched:
            watched.watch(self._poll)
        else:  # another caller's failure took this one off the list, and a third began anew
            await watched.close()
        return binding

    async def announce(self, database: str) -> Binding:
        """Tell all workers and proxies that this database's catalogue has changed; the binding as of now."""
        if (watched := self._databases.get(database)) is not None:
            with contextlib.suppress(CatalogUnavailable):
                await watched.notify()  # first: whoever asks in the meantime shares the answer below
                return await self.refresh(database, None)
        binding = await self.refresh(database, None)
        await self._databases[database].notify()
        return binding

    def release(self, database: str) -> Awaitable[None]:
        """Nobody uses this database now: close the connection, which would keep it from being dropped.

        It is forgotten at once; what is returned waits for the connection to be closed.
        """
        watched = self._databases.pop(database, None)
        return watched.close() if watched is not None else asyncio.sleep(0)

    async def close(self) -> None:
        """Close every connection. A closed object may not be used again."""
        databases, self._databases = list(self._databases.values()), {}
        for watched in databases:
            await watched.close()


class _Database:
    """One database: its connection, its binding, and the task that keeps it current."""

    def __init__(
        self,
        name: str,
        connect: Connect,
        policy: Policy,
        on_change: Callable[[str, Binding], None] | None,
    ) -> None:
        self.name = name
        self.binding: Binding | None = None
        self._connect = connect
        self._policy = policy
        self._on_change = on_change
        self._identity = uuid.uuid4().hex
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()  # one user of the connection at a time
        self._snapshot: Snapshot | None = None
        self._asked = 0
        self._answered = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def refresh(self, names: list[str] | None, patience: float = 0) -> Binding:
        asked = self._asked = self._asked + 1
        deadline = asyncio.get_running_loop().time() + patience
        while True:
            try:
                async with self._lock:
                    if self.binding is None or self._answered < asked:
                        await self._attempt(names)
                    assert self.binding is not None
                    return self.binding
            except CatalogUnavailable as error:
                if not error.locked or asyncio.get_running_loop().time() >= deadline:
                    raise
            await asyncio.sleep(_LOCKED_DELAY)  # meanwhile others may be told, and give up their own locks

    async def _attempt(self, names: list[str] | None) -> None:
        """Bring the binding up to date; a second time on a new connection if the old one turns out dead."""
        reused = self._connection is not None and not self._connection.is_closed()
        try:
            await self._bring_up_to_date(names)
        except CONNECTION_ERRORS as error:
            if not reused or isinstance(error, asyncpg.LockNotAvailableError):
                raise CatalogUnavailable(self.name, error) from error
            self._drop_connection()
            try:
                await self._bring_up_to_date(None)
            except CONNECTION_ERRORS as again:
                raise CatalogUnavailable(self.name, again) from again

    async def _bring_up_to_date(self, names: list[str] | None) -> None:
        connection = await self._connected()
        if names is not None and self.binding is not None and not await self._lacks(connection, names):
            return
        answering = self._asked  # whoever asked until now is answered by what is read from here on
        snapshot = await read_snapshot(connection, self._policy, self._snapshot)
        if self._snapshot is None or snapshot.catalog is not self._snapshot.catalog:
            self.binding = bind(self._policy, snapshot.catalog)
            self._snapshot = snapshot
            if self._on_change is not None:
                self._on_change(self.name, self.binding)
        self._snapshot = snapshot
        self._answered = answering

    async def _lacks(self, connection: Connection, names: list[str]) -> bool:
        """Whether the server has a relation or function of one of the names that the snapshot has not."""
        assert self.binding is not None
        relations = self.binding.catalog.relations
        for oid, schema, name in await connection.fetch(catalog_sql.PROBE, names):
            known = relations.get(oid)
            if known is None or (known.schema, known.name) != (schema, name):
                return True
        known_functions = self.binding.catalog.functions or frozenset()
        found = await connection.fetch(catalog_sql.PROBE_FUNCTIONS, names)
        return any(name not in known_functions for (name,) in found)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            connection = await self._connect(self.name)
            try:
                await connection.execute(catalog_sql.PREPARE_SESSION)
                with contextlib.suppress(asyncpg.ReadOnlySQLTransactionError):  # a standby: polling must do
                    await connection.add_listener(catalog_sql.CHANNEL, self._notified)
            except BaseException:
                connection.terminate()
                raise
            connection.add_termination_listener(self._terminated)
            self._connection = connection
        return self._connection

    def _notified(self, connection: Any, process: int, channel: str, payload: object) -> None:
        if payload != self._identity:
            self._wake.set()

    def _terminated(self, connection: Any) -> None:
        self._wake.set()  # notifications may be missed from now on: connect again and look

    async def notify(self) -> None:
        async with self._lock:
            try:
                connection = await self._connected()
                await connection.execute(catalog_sql.NOTIFY, catalog_sql.CHANNEL, self._identity)
            except asyncpg.ReadOnlySQLTransactionError:
                return
            except CONNECTION_ERRORS as error:
                raise CatalogUnavailable(self.name, error) from error

    def watch(self, poll: float) -> None:
        """Start to keep the binding current by itself."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_current(poll))

    async def _keep_current(self, poll: float) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(poll or None):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self.refresh(None)
            except CatalogUnavailable as error:
                _log.warning("database %s: %s (%s)", self.name, error.message, error.reason)
                await asyncio.sleep(_RETRY_DELAY)
                self._wake.set()

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.remove_termination_listener(self._terminated)
            connection.terminate()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.remove_termination_listener(self._terminated)
            try:
                await connection.close(timeout=_CLOSE_TIMEOUT)
            except CONNECTION_ERRORS:
                connection.terminate()
