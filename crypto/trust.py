"""For how long the keys in memory may be used, by when somebody last vouched for them."""

from __future__ import annotations

import asyncio
import math


class Trust:
    """Keystore and provider vouch for the keys every `ttl` seconds; `grace` is how long they may fail to.

    `outage` is why the keys could not be read again the last time, None if they could; `troubled` is set
    while there is one.
    """

    def __init__(self, ttl: float, grace: float) -> None:
        self.ttl = ttl
        self.grace = grace
        self.outage: str | None = None
        self.troubled = asyncio.Event()
        self._since = 0.0
        self._vouched = -math.inf

    def note(self, outage: str | None) -> None:
        """The keys were read again, or why they could not be."""
        if outage is None:
            self.troubled.clear()
        elif self.outage is None:
            self._since = _now()
            self.troubled.set()
        self.outage = outage

    def renew(self) -> None:
        """Keystore and provider agree that the keys are good."""
        self._vouched = _now()

    @property
    def age(self) -> float:
        """Seconds since they did; inf if they never did."""
        return _now() - self._vouched

    @property
    def over(self) -> bool:
        """Whether that is too long ago."""
        return self.age > self.ttl + self.grace

    @property
    def outage_seconds(self) -> float:
        """How long the outage has lasted; 0 if there is none."""
        return 0.0 if self.outage is None else _now() - self._since

    @property
    def unready(self) -> str | None:
        """Why there are no keys to work with: never read, or too long ago. None while there are."""
        if math.isinf(self.age):
            return f"the keys could not be read yet: {self.outage}"
        if self.outage is not None and self.over:
            return f"nobody could be asked about the keys for too long: {self.outage}"
        return None


def _now() -> float:
    return asyncio.get_running_loop().time()
