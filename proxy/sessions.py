"""What sessions have in common: the state of each database, the keys, and the errands that sessions send.

A session itself cannot wait. What it needs before it can go on it asks of the shell (session/requests.py);
here it is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from crypto.errors import CryptoError
from crypto.manager import KeyManager
from policy.binding import Binding
from policy.model import Policy
from proxy import log
from proxy.errors import CatalogLocked, KeysUnavailable, ServerError
from proxy.flow import Session
from proxy.introspect import Catalogs, CatalogUnavailable
from proxy.session.requests import FetchKeys, RefreshCatalog
from proxy.session.startup import SessionRequest
from proxy.sql.planner import Planner

IDLE = 1.0  # seconds without sessions after which a database is let go: DROP DATABASE waits for five

OnChange = Callable[[str, Binding], None]


class Database:
    """One database as its sessions see it. The planner, which has the binding, is replaced as a whole.

    Once a session has committed DDL, nothing is planned before the catalogue has been read again: another
    client may have been told of it, and its next statement means what it means by now.
    """

    def __init__(self, name: str, binding: Binding) -> None:
        self.name = name
        self.planner = Planner(binding)
        self.sessions = 0  # that are open
        self.changes = 0  # DDL that was committed here
        self._seen = 0  # of these, the ones that the binding has
        self._current = self.planner

    def outdate(self) -> None:
        """DDL was committed."""
        self.changes += 1
        self.planner = self._current.outdated()

    def replace(self, binding: Binding, changes: int = 0) -> None:
        """The catalogue was read; `changes`: that had been committed when the reading began."""
        if binding is not self._current.binding:
            self._current = Planner(binding)
        self._seen = max(self._seen, changes)
        self.planner = self._current if self._seen == self.changes else self._current.outdated()


class Secrets(Protocol):
    """Where the SCRAM secrets of roles come from (introspect.RoleSecrets)."""

    @property
    def readable(self) -> bool: ...

    async def get(self, role: str) -> str | None: ...


class LiveSessions:
    """Opens sessions and does their errands (server.Sessions).

    home           the maintenance login's own database, which is watched always; others only while they
                   have sessions, so that they can be dropped
    make           makes the session of one client
    make_catalogs  makes the reader of catalogues for a policy
    """

    def __init__(
        self,
        policy: Policy,
        keys: KeyManager,
        secrets: Secrets,
        home: str,
        make: Callable[[SessionRequest, Database], Session],
        make_catalogs: Callable[[Policy, OnChange], Catalogs],
    ) -> None:
        self.policy = policy
        self._keys = keys
        self._secrets = secrets
        self._home = home
        self._make = make
        self._make_catalogs = make_catalogs
        self._databases: dict[str, Database] = {}
        self._catalogs = self._new_catalogs(policy)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def has_secrets(self) -> bool:
        return self._secrets.readable

    async def open(self, request: SessionRequest) -> Session:
        """A session for this client. Raises ServerError."""
        database = await self.database(request.database)
        session = self._make(request, database)
        database.sessions += 1
        return session

    def closed(self, request: SessionRequest) -> None:
        """A session that was opened has ended."""
        database = self._databases[request.database]
        database.sessions -= 1
        if database.sessions == 0 and database.name != self._home:
            asyncio.get_running_loop().call_later(IDLE, self._release, database)

    async def database(self, name: str) -> Database:
        """The state of a database; read if this is the first time. Raises ServerError."""
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ServerError("the name of the database is not in UTF-8", sqlstate="3D000") from None
        if name not in self._databases:
            self._changed(name, await self._catalogs.get(name))
        return self._databases[name]

    async def secret(self, user: str) -> str | None:
        """The SCRAM secret of a role, None if it has none. Raises CatalogUnavailable."""
        return await self._secrets.get(user)

    async def fulfil(self, database: str, request: Any) -> None:
        """Do what a session asks for. Raises ServerError."""
        match request:
            case RefreshCatalog(names, patient):
                changes = self._changes(database) if names is None else 0
                try:
                    binding = await self._catalogs.refresh(database, names, patient=patient)
                except CatalogUnavailable as error:
                    raise CatalogLocked(error.message) if error.locked else error from error
                self._changed(database, binding, changes)
            case FetchKeys(needs, key_id):
                await self._fetch_keys(FetchKeys(needs, key_id))
            case _:
                raise AssertionError(f"no such request: {type(request).__name__}")

    def announce(self, database: str) -> None:
        """DDL was committed: read the catalogue again, and tell the other workers and proxies."""
        if (known := self._databases.get(database)) is not None:
            known.outdate()
        self._spawn(self._announce(database))

    async def replace_policy(self, policy: Policy) -> None:
        """Go by another policy from now on, in sessions that are open, too.

        Raises CatalogUnavailable, and then nothing has changed.
        """
        new: dict[str, Binding] = {}
        catalogs = self._new_catalogs(policy)
        try:
            for name in tuple(self._databases):
                new[name] = await catalogs.get(name)
        except ServerError:
            await catalogs.close()
            raise
        self.policy = policy
        old, self._catalogs = self._catalogs, catalogs
        for name, binding in new.items():
            self._changed(name, binding)
        await old.close()

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._catalogs.close()

    def _new_catalogs(self, policy: Policy) -> Catalogs:
        def changed(name: str, binding: Binding) -> None:
            if catalogs is self._catalogs:  # not one that is being set up, nor one that was replaced
                self._changed(name, binding)

        catalogs = self._make_catalogs(policy, changed)
        return catalogs

    def _release(self, database: Database) -> None:
        if database.sessions == 0 and self._databases.get(database.name) is database:
            del self._databases[database.name]
            self._spawn(self._catalogs.release(database.name))

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _changes(self, name: str) -> int:
        known = self._databases.get(name)
        return known.changes if known is not None else 0

    def _changed(self, name: str, binding: Binding, changes: int = 0) -> None:
        known = self._databases.get(name)
        if known is None:
            self._databases[name] = Database(name, binding)
        else:
            known.replace(binding, changes)

    async def _fetch_keys(self, request: FetchKeys) -> None:
        try:
            if request.needs:
                await self._keys.ensure(request.needs)
            if request.key_id is not None:
                await self._keys.look_up(request.key_id)
        except CryptoError as error:
            log.warning("keys cannot be had", reason=str(error))
            raise KeysUnavailable(
                "the keys of a protected column cannot be had now", detail=str(error)
            ) from error

    async def _announce(self, database: str) -> None:
        changes = self._changes(database)
        try:
            self._changed(database, await self._catalogs.announce(database), changes)
        except CatalogUnavailable as error:
            log.warning("a change of the catalogue could not be announced", reason=error.reason)
