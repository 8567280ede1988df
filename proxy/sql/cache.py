"""The plan cache: by search_path and shape, and by the literals that the plan depends on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

from proxy.sql.plan import TextPlan

_ENTRIES = 2_000
_BYTES = 4 << 20  # of texts: the plans themselves are of about the same size
_VARIANTS = 64  # plans of one shape, for different literals

Path = tuple[str, ...] | None


class Entry:
    """What is known of a shape: its plan, or one for each tuple of the literals that it depends on."""

    __slots__ = ("by_literals", "pinned", "plan", "size")

    def __init__(self, pinned: tuple[int, ...]) -> None:
        self.pinned = pinned  # ordinals of the literals that the plan depends on
        self.plan: TextPlan | None = None
        self.by_literals: dict[tuple[bytes, ...], TextPlan] = {}
        self.size = 0

    def plan_for(self, literals: Sequence[bytes]) -> TextPlan | None:
        return self.by_literals.get(tuple([literals[i] for i in self.pinned]))


class PlanCache:
    """At most so many shapes and so many bytes of texts; the longest unused goes first."""

    def __init__(self, entries: int = _ENTRIES, size: int = _BYTES) -> None:
        self._entries = entries
        self._size = size
        self._held = 0
        self._by_shape: OrderedDict[tuple[Path, Hashable], Entry] = OrderedDict()

    def get(self, search_path: Path, shape: Hashable) -> Entry | None:
        """What is known of a shape: `plan`, or where that is None, `plan_for(literals)`."""
        key = (search_path, shape)
        entry = self._by_shape.get(key)
        if entry is not None:
            self._by_shape.move_to_end(key)
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
        self._by_shape.move_to_end(key)
        while len(self._by_shape) > self._entries or self._held > self._size:
            self._forget(next(iter(self._by_shape)))

    def _forget(self, key: tuple[Path, Hashable]) -> None:
        entry = self._by_shape.pop(key, None)
        if entry is not None:
            self._held -= entry.size

    def __len__(self) -> int:
        return len(self._by_shape)
