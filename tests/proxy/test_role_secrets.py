"""SCRAM secrets of roles, read as the maintenance login."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from proxy.addresses import Endpoint
from proxy.embedded import free_port
from proxy.introspect import CatalogUnavailable, connector
from proxy.role_secrets import RoleSecrets
from tests.postgres import Database
from tests.proxy.catalogs import address, end_sessions


@asynccontextmanager
async def secrets_of(database: Database, user: str = "postgres") -> AsyncIterator[RoleSecrets]:
    secrets = RoleSecrets(connector(address(database.postgres, user)), database.name)
    try:
        await secrets.open()
        yield secrets
    finally:
        await secrets.close()


async def test_a_superuser_reads_them(database: Database) -> None:
    async with secrets_of(database) as secrets:
        assert secrets.readable
        assert (await secrets.get("with_scram") or "").startswith("SCRAM-SHA-256$4096:")
        assert (await secrets.get("with_md5") or "").startswith("md5")
        assert await secrets.get("ordinary") is None  # it has none
        assert await secrets.get("nobody at all") is None
        assert await secrets.get("nobody\udcff") is None
        assert await secrets.get("x' OR true --") is None


async def test_nobody_else_does_unless_it_is_granted(database18: Database) -> None:
    async with secrets_of(database18, "ordinary") as secrets:
        assert not secrets.readable
    columns = "rolname, rolpassword, rolcanlogin, rolvaliduntil"
    database18.execute(f"GRANT SELECT ({columns}) ON pg_catalog.pg_authid TO ordinary")
    async with secrets_of(database18, "ordinary") as secrets:
        assert secrets.readable
        assert await secrets.get("with_scram") is not None


@pytest.mark.parametrize("change", ["VALID UNTIL '2001-01-01'", "NOLOGIN"])
async def test_who_may_not_log_in_has_none(database18: Database, change: str) -> None:
    database18.execute(f"CREATE ROLE passing_by LOGIN PASSWORD 'secret'; ALTER ROLE passing_by {change}")
    try:
        async with secrets_of(database18) as secrets:
            assert await secrets.get("passing_by") is None
            database18.execute("ALTER ROLE passing_by LOGIN VALID UNTIL 'infinity'")
            assert await secrets.get("passing_by") is not None
    finally:
        database18.execute("DROP ROLE passing_by")


async def test_a_lost_connection_is_made_anew(database18: Database) -> None:
    async with secrets_of(database18) as secrets:
        end_sessions(database18)
        for _ in range(2):  # the first may still use the old one, and fail
            try:
                found = await secrets.get("with_scram")
            except CatalogUnavailable:
                continue
        assert found is not None


async def test_a_server_that_is_away(database18: Database) -> None:
    away = replace(address(database18.postgres), endpoints=(Endpoint("127.0.0.1", free_port()),))
    secrets = RoleSecrets(connector(away), "postgres")
    with pytest.raises(CatalogUnavailable):
        await secrets.open()
    with pytest.raises(CatalogUnavailable):
        await secrets.get("with_scram")
