"""Random nonces for one key version, and the count of them.

A system call for each nonce would cost half as much as the encryption, so they are drawn a block at a
time. A block is counted when it is drawn: after a crash the count is too high, never too low. A process
that forks must not share nonces with its child, so the child throws its block away.

A random 96-bit nonce may be used for 2^32 messages of one key (NIST SP 800-38D, 8.3), over all processes
together. Processes report what they have drawn now and then; the limit here stays well below 2^32, so that
what others have drawn and not yet reported cannot add up to the rest.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable

from crypto.aead import NONCE_BYTES
from crypto.errors import KeyExhausted

BLOCK = 64
WARN_AT = 1 << 30
REFUSE_AT = 3 << 30
# Keys of one name and different algorithms read each other's values.
ADVICE = "give its field a class with another algorithm, which begins a new key"

_sources: weakref.WeakSet[NonceSource] = weakref.WeakSet()


class NonceSource:
    """Nonces of one key version. `take()` raises IndexError when the block is used up: then `refill()`.

    `nonce_bytes`: their length. Nonces of more than 12 bytes have no budget, and are not counted.
    """

    __slots__ = ("__weakref__", "_nonce_bytes", "_pool", "_unreported", "_used", "take")

    take: Callable[[], bytes]

    def __init__(self, used: int = 0, *, nonce_bytes: int = NONCE_BYTES) -> None:
        self._nonce_bytes = nonce_bytes
        self._pool: list[bytes] = []
        self.take = self._pool.pop
        self._used = used  # by every process, as far as is known here
        self._unreported = 0
        _sources.add(self)

    def refill(self) -> bytes:
        """Draw a block and return one nonce of it. Raises KeyExhausted at the end of the key's budget."""
        length = self._nonce_bytes
        if length == NONCE_BYTES:
            if self._used >= REFUSE_AT:
                raise KeyExhausted("a key version has encrypted as many values as is safe")
            self._used += BLOCK
            self._unreported += BLOCK
        drawn = os.urandom(BLOCK * length)
        # The one returned is not in the pool: another thread may empty the pool before this one returns.
        self._pool.extend(drawn[i : i + length] for i in range(length, len(drawn), length))
        return drawn[:length]

    @property
    def used(self) -> int:
        """Encryptions by every process, as far as is known here."""
        return self._used

    @property
    def unreported(self) -> int:
        """Encryptions that the keystore has not heard of yet."""
        return self._unreported

    def reported(self, count: int, total: int) -> None:
        """The keystore has added `count`, and now holds `total`."""
        self._unreported -= count
        self._used = max(self._used, total + self._unreported)

    def forget(self) -> None:
        """Throw the block away, in a forked child. What was drawn is the parent's to report."""
        self._pool.clear()
        self._unreported = 0


def _forget_all() -> None:
    for source in list(_sources):
        source.forget()


os.register_at_fork(after_in_child=_forget_all)
