"""The plan cache: by search_path and shape, and by the literals that the plan depends on.

What goes first is decided by the second-chance algorithm: of the oldest entries, the first that was not used
since it was looked at last. Unlike a strict order of use it costs nothing to keep at each hit.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from proxy.sql.plan import TextPlan

_ENTRIES = 2_000
_BYTES = 4 << 20  # of texts: the plans themselves are of about the same size
_VARIANTS = 64  # plans of one shape, for different literals

Path = tuple[str, ...] | None


class Entry:
    """What is known of a shape: its plan, or one for each tuple of the literals that it depends on."""

    __slots__ = ("by_literals", "pinned", "plan", "size", "used")

    def __init__(self, pinned: tuple[int, ...]) -> None:
        self.pinned = pinned  # ordinals of the literals that the plan depends on
        self.plan: TextPlan | None = None
        self.by_literals: dict[tuple[bytes, ...], TextPlan] = {}
        self.size = 0
        self.used = False

    def plan_for(self, literals: Sequence[bytes]) -> TextPlan | None:
        return self.by_literals.get(tuple([literals[i] for i in self.pinned]))


class PlanCache:
    """At most so many shapes and so many bytes of texts."""

    def __init__(self, entries: int = _ENTRIES, size: int = _BYTES) -> None:
        self._entries = entries
        self._size = size
        self._held = 0
        self._by_shape: dict[tuple[Path, Hashable], Entry] = {}  # the oldest first

    def get(self, search_path: Path, shape: Hashable) -> Entry | None:
        """What is known of a shape: `plan`, or where that is None, `plan_for(literals)`."""
        entry = self._by_shape.get((search_path, shape))
        if entry is not None:
            entry.used = True
        return entry

    def put(
        self,
        search_path: Path,
        shape: Hashable,
        literals: Sequence[bytes],
        pinned: Sequence[int],
        plan: TextPlan,
        size: int,
    ) -> None:
        """Keep a plan; `pinned` are the ordinals of the literals that it depends on; `size` of the text."""
        if size > self._size or not self._entries:
            return
        key = (search_path, shape)
        entry = self._by_shape.get(key)
        if entry is None or entry.pinned != tuple(pinned):
            self._forget(key)
            entry = self._by_shape[key] = Entry(tuple(pinned))
        if not pinned:
            entry.plan = plan
        else:
            if len(entry.by_literals) >= _VARIANTS:
                del entry.by_literals[next(iter(entry.by_literals))]
            entry.by_literals[tuple(literals[i] for i in pinned)] = plan
        self._held += max(size, entry.size) - entry.size
        entry.size = max(size, entry.size)
        while len(self._by_shape) > self._entries or self._held > self._size:
            self._make_room(key)

    def _make_room(self, newest: tuple[Path, Hashable]) -> None:
        oldest = next(iter(self._by_shape))
        entry = self._by_shape[oldest]
        if entry.used or oldest == newest:
            entry.used = False
            self._by_shape[oldest] = self._by_shape.pop(oldest)
        else:
            self._forget(oldest)

    def _forget(self, key: tuple[Path, Hashable]) -> None:
        entry = self._by_shape.pop(key, None)
        if entry is not None:
            self._held -= entry.size

    def __len__(self) -> int:
        return len(self._by_shape)
