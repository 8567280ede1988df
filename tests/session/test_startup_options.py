"""The search_path that a client asks for when it connects is the one that PostgreSQL takes."""

from __future__ import annotations

import pytest

from proxy.session.startup_options import initial_search_path
from tests.postgres import Postgres

OPTIONS = [
    "-c search_path=a",
    "-csearch_path=a",
    "--search_path=a",
    "--search-path=a",
    "-c search-path=a",
    "-c SEARCH_PATH=a",
    "-c search_path=a,b",
    r"-c search_path=a,\ b",
    r"-c search_path=\"A\",b",
    "-c statement_timeout=0 -c search_path=a",
    "-c search_path=a -c search_path=b",
    "--search-path=b   -c\tsearch_path=a",
    "-c statement_timeout=0",
    "",
    r"-c search_path=a\\b",
    "-c search_path=",
]


@pytest.mark.parametrize("options", OPTIONS)
def test_options(postgres18: Postgres, options: str) -> None:
    with postgres18.connect(options=options) as connection:
        row = connection.execute("SHOW search_path").fetchone()
    assert row is not None
    found = initial_search_path({"options": options})
    assert row[0] == (found if found is not None else '"$user", public')


def test_dashes_of_a_value_stay(postgres18: Postgres) -> None:
    options = "--search-path=my-schema"
    with postgres18.connect(options=options) as connection:
        row = connection.execute("SHOW search_path").fetchone()
    assert row == ("my-schema",)
    assert initial_search_path({"options": options}) == "my-schema"


def test_a_parameter_of_its_own_wins() -> None:
    both = {"options": "-c search_path=a", "search_path": "b"}
    assert initial_search_path(both) == "b"
    assert initial_search_path({"Search_Path": "b"}) == "b"
    assert initial_search_path({}) is None
