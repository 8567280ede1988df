"""What measurements found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """One measurement: so many transactions or rows, in so many seconds.

    `processor` is the processor time in seconds that the proxy spent on it; None where there is no proxy.
    """

    amount: int
    seconds: float
    processor: float | None = None

    @property
    def rate(self) -> float:
        return self.amount / self.seconds

    @property
    def cost(self) -> float | None:
        """Microseconds of the proxy's processor time for each transaction or row."""
        return None if self.processor is None else self.processor / self.amount * 1e6


Outcomes = Mapping[str, Sequence[Outcome]]  # contender -> what it did in each round
