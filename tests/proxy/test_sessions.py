"""What sessions share, and the errands that are done for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, cast

import pytest

from crypto.errors import KeystoreUnavailable
from crypto.manager import KeyManager, KeyNeed
from policy.binding import Binding, bind
from policy.model import Policy
from proxy import sessions as sessions_module
from proxy.errors import KeysUnavailable, ServerError
from proxy.introspect import Catalogs, CatalogUnavailable
from proxy.session.requests import FetchKeys, RefreshCatalog
from proxy.session.startup import Begin, SessionRequest, Startup
from proxy.sessions import Database, LiveSessions, OnChange
from proxy.sql.analysis import SessionView
from proxy.sql.context import UnknownRelations
from proxy.wire.startup import StartupMessage
from tests.passing import PassingSession
from tests.policy.samples import catalog_of
from tests.sql.world import world

OLD, NEW = world().policy, Policy({}, {})


class FakeCatalogs:
    """Has every database but `gone`; reads it anew each time it is asked to."""

    def __init__(self, policy: Policy, changed: OnChange) -> None:
        self.policy = policy
        self.changed = changed
        self.asked: list[Any] = []
        self.closed = False
        self.broken = False

    async def get(self, database: str) -> Binding:
        self.asked.append(("get", database))
        if database == "gone" or self.broken:
            raise CatalogUnavailable(database, ConnectionError("away"))
        return bind(self.policy, catalog_of())

    async def refresh(self, database: str, names: Any, *, patient: bool) -> Binding:
        self.asked.append(("refresh", names))
        return await self.get(database)

    async def announce(self, database: str) -> Binding:
        self.asked.append(("announce", database))
        return await self.get(database)

    def release(self, database: str) -> Awaitable[None]:
        self.asked.append(("release", database))
        return asyncio.sleep(0)

    async def close(self) -> None:
        self.closed = True


class FakeKeys:
    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.error: Exception | None = None

    async def ensure(self, needs: Any) -> None:
        self.asked.append(needs)
        if self.error is not None:
            raise self.error

    async def look_up(self, key_id: bytes) -> None:
        self.asked.append(key_id)


class FakeSecrets:
    readable = True

    async def get(self, role: str) -> str | None:
        return f"secret of {role}"


class Stage:
    def __init__(self) -> None:
        self.catalogs: list[FakeCatalogs] = []
        self.keys = FakeKeys()
        self.made: list[Database] = []
        self.broken = False
        self.sessions = LiveSessions(
            OLD, cast(KeyManager, self.keys), FakeSecrets(), "app", self.make, self.make_catalogs
        )

    def make(self, request: SessionRequest, database: Database) -> PassingSession:
        self.made.append(database)
        return PassingSession()

    def make_catalogs(self, policy: Policy, changed: OnChange) -> Catalogs:
        self.catalogs.append(FakeCatalogs(policy, changed))
        self.catalogs[-1].broken = self.broken
        return cast(Catalogs, self.catalogs[-1])


@pytest.fixture
def stage() -> Stage:
    return Stage()


def request(database: str = "app") -> SessionRequest:
    parameters = {b"user": b"ann", b"database": database.encode()}
    (event,) = Startup(tls=False).receive(StartupMessage(3 << 16, parameters).pack())
    assert isinstance(event, Begin)
    return event.request


async def test_sessions_of_a_database_share_its_state(stage: Stage) -> None:
    await stage.sessions.open(request())
    await stage.sessions.open(request())
    assert stage.made[0] is stage.made[1]
    assert stage.catalogs[0].asked == [("get", "app")]


async def test_a_database_that_cannot_be_read_opens_no_session(stage: Stage) -> None:
    with pytest.raises(CatalogUnavailable):
        await stage.sessions.open(request("gone"))
    assert stage.made == []


async def test_a_database_without_sessions_is_let_go(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "IDLE", 0.01)
    for _ in range(2):
        await stage.sessions.open(request("other"))
    stage.sessions.closed(request("other"))
    await asyncio.sleep(0.03)
    assert ("release", "other") not in stage.catalogs[0].asked
    stage.sessions.closed(request("other"))
    await stage.sessions.open(request("other"))  # in the meantime
    await asyncio.sleep(0.03)
    assert ("release", "other") not in stage.catalogs[0].asked
    stage.sessions.closed(request("other"))
    await asyncio.sleep(0.03)
    assert stage.catalogs[0].asked.count(("release", "other")) == 1
    await stage.sessions.open(request("other"))
    assert stage.catalogs[0].asked.count(("get", "other")) == 2


async def test_the_maintenance_logins_own_database_is_kept(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions_module, "IDLE", 0.01)
    await stage.sessions.open(request())
    stage.sessions.closed(request())
    await asyncio.sleep(0.03)
    assert ("release", "app") not in stage.catalogs[0].asked


async def test_a_name_that_no_database_can_have(stage: Stage) -> None:
    with pytest.raises(ServerError) as caught:
        await stage.sessions.database("sh\udcffop")
    assert caught.value.sqlstate == "3D000"


async def test_a_refreshed_catalogue_is_planned_with_anew(stage: Stage) -> None:
    await stage.sessions.open(request())
    before = stage.made[0].planner
    await stage.sessions.fulfil("app", RefreshCatalog(frozenset({"people"})))
    assert ("refresh", frozenset({"people"})) in stage.catalogs[0].asked
    assert stage.made[0].planner is not before


async def test_an_unchanged_catalogue_keeps_its_plans(stage: Stage) -> None:
    database = await stage.sessions.database("app")
    before = database.planner
    stage.catalogs[0].changed("app", before.binding)
    assert database.planner is before


async def test_nothing_is_planned_by_a_catalogue_from_before_ddl_that_was_committed(stage: Stage) -> None:
    """Whoever was told of the DDL by its client must not be served by the old catalogue."""
    database = await stage.sessions.database("app")
    before = database.planner
    assert before.plan(b"SELECT 1", SessionView()).plan.plain
    stage.sessions.announce("app")
    with pytest.raises(UnknownRelations):
        database.planner.plan(b"SELECT 1", SessionView())
    stage.catalogs[0].changed("app", before.binding)  # read by somebody else, perhaps before the DDL
    with pytest.raises(UnknownRelations):
        database.planner.plan(b"SELECT 1", SessionView())
    await stage.sessions.fulfil("app", RefreshCatalog(None))
    assert database.planner.plan(b"SELECT 1", SessionView()).plan.plain


async def test_keys_are_made_and_looked_up(stage: Stage) -> None:
    need = KeyNeed("public.users.email", "public.users", "aes-siv")
    await stage.sessions.fulfil("app", FetchKeys((need,), b"\0\0\0\1"))
    assert stage.keys.asked == [(need,), b"\0\0\0\1"]


async def test_keys_that_cannot_be_had(stage: Stage) -> None:
    stage.keys.error = KeystoreUnavailable("keys.json: somewhere")
    with pytest.raises(KeysUnavailable) as caught:
        await stage.sessions.fulfil("app", FetchKeys((KeyNeed("a", "b", "aes-siv"),)))
    assert "keys.json" not in caught.value.message  # which is for the log


async def test_ddl_is_announced(stage: Stage) -> None:
    database = await stage.sessions.database("app")
    before = database.planner
    stage.sessions.announce("app")
    await asyncio.sleep(0.01)
    assert ("announce", "app") in stage.catalogs[0].asked
    assert database.planner is not before


async def test_another_policy_takes_over_in_open_sessions_too(stage: Stage) -> None:
    database = await stage.sessions.database("app")
    await stage.sessions.replace_policy(NEW)
    assert database.planner.binding.policy is NEW
    old, new = stage.catalogs
    assert old.closed
    before = database.planner
    old.changed("app", bind(OLD, catalog_of()))  # too late
    assert database.planner is before
    new.changed("app", bind(NEW, catalog_of()))
    assert database.planner is not before


async def test_a_policy_whose_catalogue_cannot_be_read_changes_nothing(stage: Stage) -> None:
    database = await stage.sessions.database("app")
    before = database.planner
    stage.broken = True
    with pytest.raises(CatalogUnavailable):
        await stage.sessions.replace_policy(NEW)
    assert database.planner is before
    old, new = stage.catalogs
    assert new.closed
    assert not old.closed


async def test_secrets_come_from_the_server(stage: Stage) -> None:
    assert stage.sessions.has_secrets
    assert await stage.sessions.secret("ann") == "secret of ann"
