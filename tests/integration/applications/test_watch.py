"""The watch over the applications' server finds what it looks for."""

from __future__ import annotations

import pytest

from tests.integration.applications.policies import CLASSES
from tests.integration.applications.watch import watched
from tests.postgres import Database
from tests.proxy_process import Veils


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("SELECT 'kanarie', pg_sleep(0.3)", "pg_stat_activity"),
        ("SELECT 'a word'", "the server's log"),
        ("INSERT INTO other VALUES (E'k\\141narie')", "the tables"),
    ],
)
def test_a_value_is_seen(database18: Database, veil: Veils, sql: str, place: str) -> None:
    """In a statement while it runs, in the log, in a table."""
    database18.execute("CREATE TABLE letters (body text); CREATE TABLE other (body text)")
    proxy = veil(database18, CLASSES + "  letters: {body: secret}", leaks=True)
    with pytest.raises(AssertionError, match=place), watched(proxy, ["a word"]):
        proxy.execute(sql)


def test_a_column_that_is_not_sealed_is_seen(database18: Database, veil: Veils) -> None:
    """Whatever it holds."""
    database18.execute("CREATE TABLE letters (body text)")
    proxy = veil(database18, CLASSES + "  letters: {body: secret}")
    with watched(proxy):
        proxy.execute("INSERT INTO letters VALUES ('kanarie')")
    with pytest.raises(AssertionError, match=r"not sealed: .*letters"), watched(proxy):
        database18.execute("INSERT INTO letters VALUES ('x')")
