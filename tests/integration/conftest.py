"""Fixtures of the tests of whole sessions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.pair import Pair, make_pair
from tests.postgres import Postgres


@pytest.fixture(scope="module")
def pair(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A database behind pgveil and its plain twin, for all tests of a module, in each version in turn."""
    with make_pair(postgres, tmp_path_factory.mktemp("pair")) as pair:
        yield pair
