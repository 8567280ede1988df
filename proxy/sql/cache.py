"""The plan cache: by search_path and shape, and by the literals that the plan depends on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from proxy.sql.plan import TextPlan

_ENTRIES = 2_000
_BYTES = 4 << 20  # of shapes: the plans themselves are of about the same size

Key = tuple[tuple[str, ...] | None, bytes]


class PlanCache:
    """At most so many plans and so many bytes of shapes; the longest unused goes first."""

    def __init__(self, entries: int = _ENTRIES, size: int = _BYTES) -> None:
        self._entries = entries
        self._size = size
        self._held = 0
        self._pinned: dict[Key, tuple[int, ...]] = {}
        self._uses: dict[Key, int] = {}
        self._plans: OrderedDict[tuple[Key, tuple[bytes, ...]], TextPlan] = OrderedDict()

    def get(
        self, search_path: tuple[str, ...] | None, shape: bytes, literals: Sequence[bytes]
    ) -> TextPlan | None:
        """The plan of a shape; None if there is none for these literals."""
        key = (search_path, shape)
        pinned = self._pinned.get(key)
        if pinned is None:
            return None
        full = (key, tuple([literals[i] for i in pinned]) if pinned else ())
        plan = self._plans.get(full)
        if plan is not None:
            self._plans.move_to_end(full)
        return plan

    def put(
        self,
        search_path: tuple[str, ...] | None,
        shape: bytes,
        literals: Sequence[bytes],
        pinned: Sequence[int],
        plan: TextPlan,
    ) -> None:
        """Keep a plan; `pinned` are the ordinals of the literals that it depends on."""
        key = (search_path, shape)
        self._pinned[key] = tuple(pinned)
        full = (key, tuple(literals[i] for i in pinned))
        if full not in self._plans:
            self._held += len(shape)
            self._uses[key] = self._uses.get(key, 0) + 1
        self._plans[full] = plan
        while len(self._plans) > self._entries or (self._held > self._size and len(self._plans) > 1):
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        (key, _), _ = self._plans.popitem(last=False)
        self._held -= len(key[1])
        self._uses[key] -= 1
        if self._uses[key] == 0:
            del self._uses[key]
            self._pinned.pop(key, None)

    def __len__(self) -> int:
        return len(self._plans)
