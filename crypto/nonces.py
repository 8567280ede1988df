"""Random nonces for one key version, drawn of what the version may still encrypt.

A system call for each nonce would cost half as much as the encryption, so they are drawn a block at a time.
A process that forks must not share nonces with its child, so the child throws its block away.

A random 96-bit nonce may be used for 2^32 messages of one key (NIST SP 800-38D, 8.3), over all processes
together. So each process reserves encryptions in the keystore before it makes them (crypto/budget.py), and
draws nonces of what it has reserved. The data path never waits for that: where a reservation is used up
before the next one is made, the process goes on in debt, up to OVERDRAFT. A process that crashes has reserved
more than it has used; only a debt of its last moment is lost. From REFUSE_AT on nothing is reserved any more:
what is missing from 2^32 is room for such debts.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable

from crypto.aead import NONCE_BYTES
from crypto.errors import KeyExhausted

BLOCK = 64  # nonces of one system call
FIRST = 1 << 10  # encryptions that a process reserves of a key that it has not used yet
MOST = 1 << 22  # encryptions that it reserves at once of one that it uses all the time
OVERDRAFT = 1 << 24  # encryptions that it may make before they are reserved
QUICK, SLOW = 60.0, 3600.0  # seconds between two reservations: the next is larger, or smaller
WARN_AT = 1 << 30
ROTATE_AT = 3 << 29
REFUSE_AT = 3 << 30
ADVICE = "it needs a new version: pgveil rotate"

_sources: weakref.WeakSet[NonceSource] = weakref.WeakSet()


def _nobody() -> None:
    """Where nobody reserves."""


class NonceSource:
    """Nonces of one key version. `take()` raises IndexError when the block is used up: then `refill()`.

    `on_low` is called when more should be reserved. `nonce_bytes`: their length; nonces of more than 12 bytes
    have no budget, and are not counted.
    """

    __slots__ = (
        "__weakref__",
        "_left",
        "_low",
        "_nonce_bytes",
        "_pool",
        "_since",
        "_size",
        "_total",
        "on_low",
        "take",
    )

    take: Callable[[], bytes]
    on_low: Callable[[], None]

    def __init__(self, used: int = 0, *, nonce_bytes: int = NONCE_BYTES) -> None:
        self._nonce_bytes = nonce_bytes
        self._pool: list[bytes] = []
        self.take = self._pool.pop
        self.on_low = _nobody
        self._total = used  # in the keystore, as far as is known here
        self._left = 0  # of what is reserved; negative is a debt
        self._low = FIRST >> 1  # when to ask for more
        self._size = FIRST  # of the next reservation
        self._since: float | None = None  # when the last one was made
        _sources.add(self)

    def refill(self) -> bytes:
        """Draw a block and return one nonce of it. Raises KeyExhausted at the end of the key's budget."""
        length = self._nonce_bytes
        if length == NONCE_BYTES:
            self._spend()
        drawn = os.urandom(BLOCK * length)
        # The one returned is not in the pool: another thread may empty the pool before this one returns.
        self._pool.extend(drawn[i : i + length] for i in range(length, len(drawn), length))
        return drawn[:length]

    def _spend(self) -> None:
        if self._left < BLOCK and (self.used >= REFUSE_AT or self._left <= -OVERDRAFT):
            raise KeyExhausted("a key version has encrypted as many values as is safe")
        self._left -= BLOCK
        if self._left < self._low:
            self.on_low()

    @property
    def used(self) -> int:
        """Encryptions by every process, those that are reserved included, as far as is known here."""
        return self._total + max(0, -self._left)

    @property
    def left(self) -> int:
        """What this process has reserved and not used; negative: what it has used and not reserved."""
        return self._left

    @property
    def wanted(self) -> int:
        """How many to reserve now."""
        if self._left >= self._low:
            return 0
        return max(-self._left, min(self._size - self._left, REFUSE_AT - self._total))

    def reserved(self, count: int, total: int, now: float) -> None:
        """The keystore has added `count` for this process, and now holds `total`. `now` is in seconds."""
        if self._since is not None and now - self._since < QUICK:
            self._size = min(self._size << 3, MOST)
        elif self._since is not None and now - self._since > SLOW:
            self._size = max(self._size >> 3, FIRST)
        self._since = now
        self._left += count
        self._low = max(self._left >> 1, FIRST >> 1)
        self.told(total)

    def told(self, total: int) -> None:
        """The keystore holds `total`. What it held before counts on if that was more: it may be a copy."""
        self._total = max(self._total, total)

    def forget(self) -> None:
        """Throw the block away, in a forked child. What is reserved is the parent's."""
        self._pool.clear()
        self._left = 0
        self.on_low = _nobody


def _forget_all() -> None:
    for source in list(_sources):
        source.forget()


os.register_at_fork(after_in_child=_forget_all)
