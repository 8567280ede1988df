"""Key versions: their states, and how one becomes the next."""

from __future__ import annotations

import enum


class KeyType(enum.Enum):
    """What a key is for: a reference to the master key, a data encryption key, a field encryption key."""

    MASTER = "master"
    DEK = "dek"
    FEK = "fek"


class KeyState(enum.Enum):
    """The life of a key version, one way only: pending, active, retiring, destroyed."""

    PENDING = "pending"  # every process may learn of it before anything is encrypted with it
    ACTIVE = "active"  # exactly one version of a key and algorithm; encrypts
    RETIRING = "retiring"  # decrypts only
    DESTROYED = "destroyed"  # the key is gone; its row remains

    @property
    def opens(self) -> bool:
        return self is not KeyState.DESTROYED

    @property
    def encrypts_soon(self) -> bool:
        """Whether it encrypts, or may at any moment."""
        return self in (KeyState.PENDING, KeyState.ACTIVE)

    def advance(self, to: KeyState) -> KeyState:
        """The state `to`, if this one may become it. Raises ValueError otherwise."""
        if to not in _NEXT[self]:
            raise ValueError(f"a key version that is {self.value} cannot become {to.value}")
        return to


_NEXT = {
    KeyState.PENDING: (KeyState.ACTIVE, KeyState.DESTROYED),  # a rotation may be given up
    KeyState.ACTIVE: (KeyState.RETIRING,),
    KeyState.RETIRING: (KeyState.DESTROYED,),
    KeyState.DESTROYED: (),
}
