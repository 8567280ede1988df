"""The catalogue as the open transaction of a session sees it, which nobody else can see before the commit.

Rule 1  DDL that goes by in a transaction makes it unknown; the next statement that needs it has it asked
        for (inquiry.py). So do a savepoint that is rolled back to, and a name that nobody knows.
Rule 2  Statements are then planned by a planner of the session's own. What it finds is thrown away with
        the transaction: shared plans are made of committed catalogues only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from policy.binding import bind
from proxy.session.inquiry import Answer
from proxy.sql.plan import CatalogChange
from proxy.sql.planner import Planner


class Uncommitted:
    """What an open transaction has done to the catalogue, as far as it is known."""

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()  # of relations to ask for
        self._functions: frozenset[str] = frozenset()  # that may now change search_path
        self._answer: Answer | None = None
        self._base: Planner | None = None  # that `_planner` was made over
        self._planner: Planner | None = None
        self.functions: frozenset[str] = frozenset()  # there are some of these names
        self.seen = False
        self.changed = False  # whether there is anything that others have to read after the commit

    def ask_for(self, names: Iterable[str]) -> None:
        """Relations are named that nobody knows: what has gone by may have made them."""
        self.names |= frozenset(names)
        self.seen = False

    def change(self, change: CatalogChange) -> None:
        """More DDL has gone by."""
        self.names |= change.names
        self._functions |= change.functions
        self.seen, self.changed = False, True

    def answered(self, answer: Answer) -> None:
        """The server has said what the transaction sees."""
        self._answer, self._planner = answer, None
        self.seen = True
        self.functions |= answer.functions
        self.changed |= answer.changed

    def planner(self, shared: Planner) -> Planner:
        """The planner for this transaction, over what others have committed by now."""
        if self._answer is None:
            return shared
        if self._planner is None or self._base is not shared:
            self._base, self._planner = shared, self._over(shared, self._answer)
        return self._planner

    def _over(self, shared: Planner, answer: Answer) -> Planner:
        if not (self._functions or answer.differs(shared.binding.catalog)):
            return shared
        catalog = answer.over(shared.binding.catalog, self._functions)
        listed = {function.name for function in shared.binding.policy.functions.values()} & self._functions
        if listed:  # which parameters they have by now is not known
            signatures = {name: of for name, of in catalog.signatures.items() if name not in listed}
            catalog = replace(catalog, signatures=signatures)
        planner = Planner(bind(shared.binding.policy, catalog))
        return planner.outdated() if shared.outdated_since_read else planner
