"""For how long keys may be used after somebody vouched for them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from crypto import trust as module
from crypto.trust import Trust

AWAY = "the keystore does not answer"


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let seconds pass."""
    now = [1000.0]
    monkeypatch.setattr(module, "_now", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def test_keys_that_nobody_has_vouched_for_yet(wait: Callable[[float], None]) -> None:
    trust = Trust(ttl=100, grace=math.inf)
    trust.note(AWAY)
    assert trust.unready == f"the keys could not be read yet: {AWAY}"
    assert trust.troubled.is_set()
    trust.note(None)
    trust.renew()
    assert trust.unready is None
    assert not trust.troubled.is_set()
    assert trust.outage_seconds == 0


def test_an_outage_is_borne_for_a_while(wait: Callable[[float], None]) -> None:
    trust = Trust(ttl=100, grace=50)
    trust.renew()
    wait(90)
    trust.note(AWAY)
    wait(60)
    trust.note(f"{AWAY} still")
    assert (trust.age, trust.over, trust.unready, trust.outage_seconds) == (150, False, None, 60)
    wait(1)
    assert trust.over
    assert trust.unready == f"nobody could be asked about the keys for too long: {AWAY} still"
    trust.grace = 1000  # another policy
    assert trust.unready is None
    trust.grace = 0
    trust.note(None)
    assert trust.unready is None  # they were read just now, and are about to be vouched for
