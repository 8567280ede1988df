"""What every object that holds a key has in common: it does not show it, and it does not travel."""

from __future__ import annotations

from typing import NoReturn, SupportsIndex


class Secret:
    """Base of key-holding classes: a plain repr, and no pickling or copying of the key."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds a key and cannot be pickled or copied")
