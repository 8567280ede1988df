"""Sessions in bare frames that make and change tables: pipelines, errors and statements of before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxy.wire.frontend import Query
from tests.integration.raw import SYNC_FRAME, Raw, bind, execute, parse, sqlstates
from tests.integration.schema import POLICY, SCHEMA
from tests.postgres import Postgres
from tests.proxy_process import Veil, Veils


@pytest.fixture
def proxy(postgres: Postgres, veil: Veils) -> Iterator[Veil]:
    with postgres.database() as database:
        database.execute(SCHEMA)
        yield veil(database, POLICY)


@pytest.fixture
def raw(proxy: Veil) -> Iterator[Raw]:
    with Raw(proxy.host, proxy.port, proxy.database.name) as raw:
        yield raw


def test_a_statement_of_before_behind_a_view_that_is_replaced(raw: Raw) -> None:
    """Sent in one write, its value would be stored by the view's new definition."""
    raw.query("CREATE VIEW v AS SELECT id, note AS value FROM users")
    raw.send(parse("INSERT INTO v (value) VALUES ($1)", "s"), SYNC_FRAME)
    raw.until_ready()
    replace = "CREATE OR REPLACE VIEW v AS SELECT id, email AS value FROM users"
    raw.send(Query(replace.encode()).pack(), bind("kanarie", name="s"), execute(), SYNC_FRAME)
    assert sqlstates(raw.until_ready(2)) == ["0A000"]
