"""Fixtures that every test may use: PostgreSQL servers, a database of one's own, and pgveil before it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that tests import their helpers as `tests.…`

from tests.openbao import Bao, start_bao
from tests.postgres import DEBIAN_15, Database, Postgres, start_postgres, versions_to_test
from tests.proxy_process import Veils

# No deadlines: a busy machine is no failure. In CI the same examples every time.
settings.register_profile("pgveil", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("pgveil")

# Tests start pgveil some hundred times: each would compile all its modules anew where containers forbid .pyc.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell that starts tests in the background lets them ignore SIGINT, and so every program that they start.
# SIGTERM ends the tests as Ctrl-C does: the servers that they have started are ended, too.
for ending in (signal.SIGINT, signal.SIGTERM):
    signal.signal(ending, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres16() -> Iterator[Postgres]:
    """PostgreSQL 16."""
    with start_postgres(16) as postgres:
        yield postgres


@pytest.fixture(scope="session")
def postgres18() -> Iterator[Postgres]:
    """PostgreSQL 18."""
    with start_postgres(18) as postgres:
        yield postgres


@pytest.fixture(scope="session")
def postgres15_tls() -> Iterator[Postgres]:
    """PostgreSQL 15 with TLS and client certificates; skips where Debian's package is not installed."""
    if not DEBIAN_15.exists():
        pytest.skip("Debian's PostgreSQL 15 is not installed (apt-get install postgresql-15)")
    with start_postgres(15) as postgres:
        yield postgres


@pytest.fixture(scope="session", params=versions_to_test(), ids="pg{}".format)
def postgres(request: pytest.FixtureRequest) -> Postgres:
    """Each version of PostgreSQL in turn: a test that uses it runs once for each."""
    server: Postgres = request.getfixturevalue(
        "postgres15_tls" if request.param == 15 else f"postgres{request.param}"
    )
    return server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    """A fresh database, in each version of PostgreSQL in turn."""
    with postgres.database() as database:
        yield database


@pytest.fixture
def database16(postgres16: Postgres) -> Iterator[Database]:
    """A fresh database in PostgreSQL 16 only, for tests that no version changes."""
    with postgres16.database() as database:
        yield database


@pytest.fixture
def database18(postgres18: Postgres) -> Iterator[Database]:
    """A fresh database in PostgreSQL 18 only, for tests that no version changes."""
    with postgres18.database() as database:
        yield database


@pytest.fixture
def veil(tmp_path: Path) -> Veils:
    """Makes proxies: `veil(database, policy)` is a running pgveil; afterwards it looks for leaks."""
    return Veils(tmp_path)


@pytest.fixture(scope="session")
def shared_bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """OpenBao, equipped; it is never sealed or stopped."""
    with start_bao(tmp_path_factory.mktemp("bao")) as bao:
        yield bao


@pytest.fixture
def own_bao(tmp_path: Path) -> Iterator[Bao]:
    """OpenBao, equipped, for one test to seal and stop."""
    directory = tmp_path / "bao"
    directory.mkdir()
    with start_bao(directory) as bao:
        yield bao
