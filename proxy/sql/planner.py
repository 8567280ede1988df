"""From a statement text to its plan, which is kept by the text's shape. One planner serves one binding."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from policy.binding import Binding
from proxy.errors import Refused
from proxy.sql.analysis import UNKNOWN, Analyser, Names, SessionView
from proxy.sql.cache import PlanCache
from proxy.sql.context import UnknownRelations, Unseen
from proxy.sql.mentions import Mentions
from proxy.sql.plan import PLAIN, Constant, Described, TextPlan
from proxy.sql.shape import Group, Split, literals_of, pieces_of, shape_of, split

_LONG = 1 << 16  # bytes of a text that is not parsed unless it names something protected, nor kept
_TOO_LONG = 1 << 20  # bytes of a text that is not parsed even if it may change the session's settings
_MAY_CHANGE = re.compile(
    rb"(?i)\b(?:set|reset|discard|set_config|search_path|prepare|deallocate|declare|create|alter|drop|do|call"
    rb"|begin|start|commit|end|rollback|abort|savepoint|release|execute|fetch)\b"
)
_EXECUTE = re.compile(rb"(?i)\bexecute\b")
_REPEATED = 2_000  # texts without literals that are found without being split,
_SHORT = 2_000  # bytes of such a text at most


class Planned(NamedTuple):  # one is made for every statement, which a frozen dataclass would make dear
    """A plan, and the literals that fill its template."""

    plan: TextPlan
    literals: Sequence[bytes] = ()
    groups: Mapping[int, Group] = MappingProxyType({})  # rows of literals that follow a literal


class Planner:
    """Plans for one binding of policy and catalogue; thrown away with it."""

    def __init__(self, binding: Binding) -> None:
        self.binding = binding
        self.cache = PlanCache()
        self.descriptions: dict[tuple[int, bytes], Described] = {}  # by id of the prediction, and body
        self._repeated: dict[tuple[tuple[str, ...] | None, bytes], Planned] = {}
        self.outdated_since_read = False
        self._mentions = Mentions(binding)
        self._analyser = Analyser(binding, self._mentions)

    def outdated(self) -> Planner:
        """A planner of the same binding that plans nothing before the catalogue has been read again."""
        other = copy.copy(self)
        other.outdated_since_read = True
        other.cache = PlanCache()
        other._repeated = {}
        return other

    def plan(
        self, text: bytes, session: SessionView, *, final: bool = False, looked_for: Names = frozenset()
    ) -> Planned:
        """The plan of a UTF-8 text.

        Raises Refused (or another ServerError) for what cannot be proved safe, and UnknownRelations where the
        catalogue has to be read again first (`final`: it has been; `looked_for`: as far as these names go).
        """
        if session.unseen:
            return self._plan_anew(text, pieces_of(text), session, None if final else looked_for)
        path = session.search_path
        if (repeated := self._repeated.get((path, text))) is not None:
            return repeated
        pieces = pieces_of(text)
        if (entry := self.cache.get(path, shape_of(pieces))) is not None:
            plan = entry.plan or entry.plan_for(literals_of(pieces))
            if plan is not None:
                planned = Planned(plan, literals_of(pieces) if plan.template is not None else ())
                if len(pieces) == 1 and len(text) <= _SHORT:
                    self._repeat(path, text, planned)
                return planned
        return self._plan_anew(text, pieces, session, None if final else looked_for)

    def _repeat(self, path: tuple[str, ...] | None, text: bytes, planned: Planned) -> None:
        """Keep the plan of a text without literals: drivers that bind parameters send it byte for byte."""
        if _length(planned.plan) > 2 * _SHORT:
            return
        if len(self._repeated) >= _REPEATED:
            self._repeated.clear()
        self._repeated[path, text] = planned

    def _plan_anew(
        self, text: bytes, cut: list[bytes], session: SessionView, looked_for: Names | None
    ) -> Planned:
        if self.outdated_since_read and looked_for is not None and self.binding.policy.protects:
            raise UnknownRelations(frozenset())
        pieces = split(cut)
        if pieces is not None and pieces.groups and not session.unseen:
            entry = self.cache.get(session.search_path, pieces.shape)
            plan = entry.plan or entry.plan_for(pieces.literals) if entry is not None else None
            if plan is not None:
                return Planned(plan, pieces.literals, pieces.groups)
        if len(text) > _LONG and not self.mentions_bytes(text):
            # too long to be worth a parse, and it names nothing protected
            constant = b"".join(pieces.parts) if pieces is not None else text
            if session.unseen:
                raise Unseen
            if not (_MAY_CHANGE.search(constant) or self._mentions.path_changer(constant)):
                return Planned(PLAIN)
            if len(constant) > _TOO_LONG:
                return _unparsed(constant)
        if pieces is not None and (planned := self._plan_split(pieces, session, looked_for)) is not None:
            return planned
        analysis = self._analyser.analyse(text.decode(), session, looked_for)
        return Planned(analysis.plan, analysis.literals)

    def _plan_split(self, pieces: Split, session: SessionView, looked_for: Names | None) -> Planned | None:
        """Plan a text that was split; None where PostgreSQL's scanner disagrees with the split."""
        text = pieces.text().decode()
        analysis = self._analyser.analyse(text, session, looked_for)
        offsets = _offsets(pieces)
        spans = [(start, start + len(pieces.literals[i].decode())) for start, i in offsets.items()]
        if spans != analysis.spans:
            return None
        if analysis.pinned is not None and len(text) <= _LONG and not session.unseen:
            pinned = [offsets[offset] for offset in analysis.pinned if offset in offsets]
            where = (session.search_path, pieces.shape, pieces.literals)
            self.cache.put(*where, pinned, analysis.plan, max(len(text), _length(analysis.plan)))
        return Planned(analysis.plan, pieces.literals, pieces.groups)

    # --- what a text mentions ---------------------------------------------------------------------------

    def mentions(self, text: str) -> bool:
        """Whether a text holds, in any spelling that it could be sent in, the name of something protected."""
        return self._mentions.protected(text)

    def mentions_bytes(self, text: bytes) -> bool:
        return self.mentions(text.decode("utf-8", "replace"))


def _length(plan: TextPlan) -> int:
    """Characters of a plan's template, which may be much longer than the client's text."""
    return sum(len(part.text) for part in plan.template or () if isinstance(part, Constant))


def _unparsed(constant: bytes) -> Planned:
    """A text that is too long to be parsed. Raises Refused where its values might belong to a field."""
    if _EXECUTE.search(constant) is not None:
        raise Refused(
            "EXECUTE in a text that is too long to be analysed",
            sqlstate="54000",
            hint="Send EXECUTE apart, or bind its values as parameters of the protocol.",
        )
    return Planned(UNKNOWN)


def _offsets(pieces: Split) -> dict[int, int]:
    """Character offset of each literal of a split text, to its ordinal."""
    offsets, position = {}, 0
    for i, literal in enumerate(pieces.literals):
        position += len(pieces.parts[i].decode())
        offsets[position] = i
        position += len(literal.decode())
    return offsets
