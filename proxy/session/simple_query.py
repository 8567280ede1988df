"""Query and FunctionCall of the client, each of which ends with a ReadyForQuery of its own.

Each handler gives what is sent for its message: None as it came, empty nothing. Raises Wait.
"""

from __future__ import annotations

from proxy.errors import ServerError
from proxy.session.bodies import text_of
from proxy.session.effects import note_effects
from proxy.session.planning import Planning, Wait
from proxy.session.refusals import POISON, refusal
from proxy.session.replies import PLAIN_QUERY, SYNC, Kind, Reply
from proxy.session.script_sender import ScriptSender
from proxy.session.state import State
from proxy.sql.context import Apart
from proxy.sql.plan import SetSearchPath, SettingChange, StatementPlan, TextPlan
from proxy.wire import frames
from proxy.wire.frames import HEADER, frame

_SYNC = frame(frames.SYNC)
# Functions are called by their oid: lo_open() and the like are what is called so; set_config() could be.
_LARGE_OBJECT_FUNCTIONS = frozenset(
    (715, 764, 765, 952, 953, 954, 955, 956, 957, 958, 964, 1004, 3170, 3171, 3172, 3457, 3458, 3459, 3460)
)
_ANY_FUNCTION = TextPlan((StatementPlan(effects=(SetSearchPath(None, known=False), SettingChange())),))


class SimpleQuery:
    """The simple queries and function calls of one session's client."""

    def __init__(self, state: State, planning: Planning, scripts: ScriptSender) -> None:
        self._state = state
        self._planning = planning
        self._scripts = scripts

    def query(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        if state.skipping:
            return self._skip_query()
        text = text_of(data, at + HEADER, end)
        try:
            planned = self._planning.plan(text)
            plan = planned.plan
            if plan.plain:
                state.names.segment += 1
                state.replies.append(PLAIN_QUERY)
                return None
            rendered = self._planning.rendered(planned)
        except ServerError as error:
            if isinstance(error, Apart):
                self._send_apart(text)
            state.names.segment += 1
            state.replies.append(Reply(Kind.QUERY, error=refusal(state, error)))
            return frame(frames.QUERY, POISON + b"\0")
        state.names.segment += 1
        note_effects(state, plan)
        state.replies.append(Reply(Kind.QUERY, plan=plan, widths=rendered[1] if rendered else None))
        return frame(frames.QUERY, rendered[0] + b"\0") if rendered else None

    def _send_apart(self, text: bytes) -> None:
        """Send a text that is refused as a whole in parts, if it has any. Raises Wait then."""
        if self._state.replies:
            raise Wait(flush=True)
        if self._scripts.begin(text):
            raise Wait(taken=True)

    def _skip_query(self) -> bytes:
        """The server does not read a query before a Sync: one that has its error already gets that Sync."""
        state = self._state
        if not state.owes_ready:
            return b""
        state.owes_ready = state.skipping = False
        state.names.segment += 1
        state.replies.append(SYNC)
        return _SYNC

    def function_call(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        if state.skipping:
            return b""
        plan = None
        if int.from_bytes(data[at + HEADER : at + HEADER + 4]) not in _LARGE_OBJECT_FUNCTIONS:
            plan = _ANY_FUNCTION
            note_effects(state, plan)
        state.replies.append(Reply(Kind.FUNCTION_CALL, plan=plan))
        return None
