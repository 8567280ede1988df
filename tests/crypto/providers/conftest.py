"""Fixtures of key services."""

from __future__ import annotations

import pytest

from crypto.providers import resilient


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses as short as a test wants them."""
    monkeypatch.setattr(resilient, "PAUSE", 0.1)
    monkeypatch.setattr(resilient, "_FIRST_WAIT", 0.01)
