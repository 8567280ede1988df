"""Fixtures of the tests of whole sessions. One pgveil serves a module; each test finds its tables empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.pair import Pair, make_pair
from tests.integration.schema import KINDS_POLICY, KINDS_SCHEMA, SCHEMA
from tests.postgres import Postgres
from tests.proxy_process import Veil, Veils


@pytest.fixture(scope="module")
def pair(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A database behind pgveil and its plain twin, for all tests of a module, in each version in turn."""
    with make_pair(postgres, tmp_path_factory.mktemp("pair")) as pair:
        yield pair


@pytest.fixture(scope="module")
def shared_proxy(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Veil]:
    """pgveil before the small schema and the table of all kinds, in each version in turn."""
    with postgres.database() as database:
        database.execute(SCHEMA + KINDS_SCHEMA)
        yield Veils(tmp_path_factory.mktemp("proxy"))(database, KINDS_POLICY)


@pytest.fixture
def proxy(shared_proxy: Veil) -> Iterator[Veil]:
    """The module's pgveil before empty tables; afterwards a look for leaks."""
    shared_proxy.database.execute("TRUNCATE users, orders, plain, kinds RESTART IDENTITY")
    yield shared_proxy
    shared_proxy.assert_no_leak()
