"""Fixtures of the tests that run whole applications."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.applications.stage import Stage
from tests.integration.schema import KINDS_TWIN, TWIN_SCHEMA
from tests.postgres import Database, Postgres
from tests.proxy_process import Veil


@pytest.fixture(scope="module")
def plain_twin(postgres: Postgres) -> Iterator[Database]:
    """The tables that the applications believe they have, with no encryption."""
    with postgres.database() as plain:
        plain.execute(TWIN_SCHEMA + KINDS_TWIN)
        yield plain


@pytest.fixture
def stage(proxy: Veil, plain_twin: Database) -> Stage:
    """The module's pgveil before empty tables and its twin; afterwards a look for leaks."""
    return Stage(proxy, plain_twin)
