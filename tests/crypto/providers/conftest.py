"""Fixtures of key services: real servers where they can run here, else small faithful ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crypto.providers import resilient
from tests.openbao import Bao, start_bao


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


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses as short as a test wants them."""
    monkeypatch.setattr(resilient, "PAUSE", 0.1)
    monkeypatch.setattr(resilient, "_FIRST_WAIT", 0.01)
