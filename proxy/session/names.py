"""Prepared statements and portals by name. Names of the protocol and of SQL are one space, as in the server.

Rule 1  A name is registered when its Parse is sent, and is certain when ParseComplete arrives.
Rule 2  What the server skips or refuses is taken back, the latest first.
Rule 3  A name that is not certain means nothing beyond the Sync that follows it: who asks has to wait.
Rule 4  So it is with a portal that a Bind or a Close on its way takes the name from.
Rule 5  The unnamed portal is known for as long as no error comes that its Bind may have met.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from proxy.errors import Outdated
from proxy.sql.analysis import SessionView
from proxy.sql.plan import CopyPlan, Results, StatementPlan, TextPlan, Widths
from proxy.sql.planner import Planner


class Statement:
    """A prepared statement: its text, its plan and who made it, and the types that the client declared.

    `widths` gives those of the text that the server has; None where it went as it came.
    """

    __slots__ = ("certain", "declared", "plan", "planner", "portal", "segment", "sql", "view", "widths")

    def __init__(
        self,
        sql: bytes,
        plan: TextPlan,
        planner: Planner,
        view: SessionView,
        declared: tuple[int, ...],
        segment: int,
        widths: Callable[[], Widths] | None = None,
    ) -> None:
        self.sql = sql
        self.plan = plan
        self.planner = planner
        self.view = view
        self.declared = declared
        self.segment = segment
        self.widths = widths
        self.certain = False
        self.portal = Portal(plan, (), widths)  # what a Bind makes where formats do not matter

    def confirmed(self, planner: Planner, view: SessionView) -> bool:
        """Whether it was planned for this policy and catalogue, and this search_path.

        What FETCH and EXECUTE name may be another cursor or statement each time.
        """
        return self.planner is planner and self.view is view and not self.plan.by_name

    def confirm(self, plan: TextPlan, planner: Planner, view: SessionView) -> None:
        """Policy, catalogue or search_path have changed: `plan` is what they mean by the statement now.

        Raises Outdated where that is something else.
        """
        if (plan.parameters, plan.statements) != (self.plan.parameters, self.plan.statements):
            raise Outdated(
                "cached plan must not change result type",
                detail="Policy, catalogue or search_path have changed since the statement was prepared.",
                hint="Prepare the statement again.",
            )
        self.planner, self.view = planner, view

    @property
    def plain(self) -> bool:
        """Whether neither its parameters nor its results are protected."""
        return self.plan.parameters is None and self.results is None and self.copy is None

    @property
    def copy(self) -> CopyPlan | None:
        return self.plan.first.copy

    @property
    def results(self) -> Results | None:
        return self.plan.first.results


class Portal:
    """A bound statement's plan, the formats that Bind asked for, and the widths of the statement's text."""

    __slots__ = ("formats", "plan", "widths")

    def __init__(
        self, plan: TextPlan, formats: tuple[int, ...], widths: Callable[[], Widths] | None = None
    ) -> None:
        self.plan = plan
        self.formats = formats
        self.widths = widths

    @property
    def results(self) -> Results | None:
        return self.plan.first.results


class Cursor(NamedTuple):
    """An SQL cursor's results; `hold`: it outlives its transaction; `binary`: the format of its rows."""

    results: Results | None
    hold: bool = False
    binary: bool = False


class Uncertain(Exception):
    """What a name means is decided by replies that are still to come."""


class Names:
    """The statements and portals of a session."""

    def __init__(self) -> None:
        self.statements: dict[bytes, Statement] = {}
        self.portals: dict[bytes, Portal] = {}
        self.cursors: dict[bytes, Cursor] = {}
        self.replaced: dict[bytes, int] = {}  # names of portals (rule 4), and the segment it happened in
        self.unnamed_segment = 0  # in which the unnamed portal was bound
        self.unnamed_lost = False  # whether an error has made it unknown
        self.segment = 0  # counts Sync and Query: what an error skips stays within one

    def statement(self, name: bytes) -> Statement | None:
        """What a name means to the next message. Raises Uncertain."""
        found = self.statements.get(name)
        if found is not None and not found.certain and found.segment != self.segment:
            raise Uncertain
        return found

    def parse(self, name: bytes, statement: Statement) -> Callable[[bool], None] | None:
        """Register a Parse that is sent now; how to undo it. Raises Uncertain.

        A name that is taken stays what it is: the server refuses the Parse.
        """
        previous = self.statement(name)
        if name and previous is not None:
            return None
        self.statements[name] = statement

        def undo(failed: bool) -> None:
            # a Parse that fails has already dropped the unnamed statement; one that is skipped has not
            if previous is not None and not failed:
                self.statements[name] = previous
            elif self.statements.get(name) is statement:
                del self.statements[name]

        return undo

    def close(self, name: bytes) -> Callable[[bool], None]:
        """Take a statement's name away; how to undo it. Raises Uncertain."""
        previous = self.statement(name)
        self.statements.pop(name, None)

        def undo(failed: bool) -> None:
            if previous is not None:
                self.statements[name] = previous

        return undo

    def lose_unnamed(self) -> Callable[[bool], None]:
        """A Parse of the unnamed statement is sent that will fail; how to undo it."""
        previous = self.statements.pop(b"", None)

        def undo(failed: bool) -> None:
            if previous is not None and not failed:
                self.statements[b""] = previous

        return undo

    def clear(self) -> None:
        """DEALLOCATE ALL: every statement but the unnamed one, which is harmless to keep."""
        unnamed = self.statements.get(b"")
        self.statements.clear()
        if unnamed is not None:
            self.statements[b""] = unnamed

    def bind(self, name: bytes, portal: Portal) -> Callable[[bool], None] | None:
        """Register a portal that a Bind makes; how to undo it, None where nothing would be lost by it.

        A portal that has the name already outlives the error that takes it for one, or that skips this Bind,
        if a savepoint is behind it.
        """
        if not name:
            self.portals[name] = portal
            self.unnamed_segment = self.segment
            self.unnamed_lost = False
            return None
        previous = self.portals.get(name)
        self.portals[name] = portal
        if previous is None and name not in self.cursors:
            return None
        self.replaced[name] = self.segment

        def undo(failed: bool) -> None:
            if self.portals.get(name) is portal:
                if previous is not None:
                    self.portals[name] = previous
                else:
                    del self.portals[name]

        return undo

    def failed(self, segment: int) -> None:
        """An error has come in a segment: a Bind of it, or of one before, may not have made its portal."""
        if self.unnamed_segment <= segment and self.portals.pop(b"", None) is not None:
            self.unnamed_lost = True

    def close_portal(self, name: bytes) -> Callable[[bool], None] | None:
        """Take a portal's name away, whoever has made it; how to undo it, None where nothing is lost."""
        portal, cursor = self.portals.pop(name, None), self.cursors.pop(name, None)
        if portal is None and cursor is None:
            return None
        self.replaced[name] = self.segment

        def undo(failed: bool) -> None:
            if portal is not None:
                self.portals[name] = portal
            if cursor is not None:
                self.cursors[name] = cursor

        return undo

    def declare(self, name: bytes, cursor: Cursor) -> None:
        """SQL's DECLARE has made a portal: if another had the name, it is no more."""
        self.portals.pop(name, None)
        self.cursors[name] = cursor

    def portal(self, name: bytes) -> Portal | None:
        """A portal that Bind has made, or SQL's DECLARE: the server knows both by one name.

        Raises Uncertain.
        """
        if self.replaced and self.replaced.get(name, self.segment) != self.segment:
            raise Uncertain
        portal = self.portals.get(name)
        if portal is None and (cursor := self.cursors.get(name)) is not None:
            plan = TextPlan((StatementPlan(results=cursor.results),))
            return Portal(plan, (1,) if cursor.binary else ())
        return portal

    def end_of_transaction(self) -> None:
        """Portals end with the transaction, and cursors without HOLD."""
        self.portals.clear()
        if self.cursors:
            self.cursors = {name: cursor for name, cursor in self.cursors.items() if cursor.hold}
