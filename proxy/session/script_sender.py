"""The frontend's side of a script: which message is sent next (the rules stand in script.py)."""

from __future__ import annotations

from collections.abc import Callable

from proxy.errors import Refused, ServerError
from proxy.session.planning import Planning
from proxy.session.refusals import POISON, refusal
from proxy.session.replies import Kind
from proxy.session.script import Script, ScriptReply, Shown
from proxy.session.state import State
from proxy.sql.parts import Part, Turn, parts_of
from proxy.sql.plan import StatementPlan, TextPlan, TransactionChange, Widths
from proxy.wire import frames
from proxy.wire.frames import frame

_IDLE = ord("I")
_SYNC = frame(frames.SYNC)


def send_own(state: State, command: str, *, last: bool = False) -> None:
    """Send BEGIN, COMMIT or ROLLBACK of pgveil's own."""
    plan = TextPlan((StatementPlan(effects=(TransactionChange(command.lower()),)),))
    state.replies.append(ScriptReply(Shown.NOTHING, last=last, plan=plan))
    state.to_backend.append(frame(frames.QUERY, command.encode() + b"\0"))


class ScriptSender:
    """Sends the scripts of one session."""

    def __init__(self, state: State, planning: Planning) -> None:
        self._state = state
        self._planning = planning

    def begin(self, text: bytes) -> bool:
        """Make a script of a text in the client's encoding; whether it has statements to send apart."""
        state = self._state
        parts = parts_of(text.decode(state.settings.encoding))
        if len(parts) < 2:
            return False
        state.script = Script(parts, state.backslash_quotes)
        state.names.segment += 1
        self._planning.done()
        return True

    def step(self) -> None:
        """Send the next message; no reply is outstanding. Raises Wait where it cannot be planned yet."""
        state, script = self._state, self._state.script
        assert script is not None
        if state.skipping:  # an inquiry has failed, and the client has had its error
            state.skipping = state.owes_ready = False
            script.failed = True
            state.replies.append(ScriptReply(Shown.ALL, last=True, kind=Kind.SYNC))
            state.to_backend.append(_SYNC)
        elif script.done:
            send_own(state, "COMMIT", last=True)
        elif not self._turn(script, script.parts[script.next].turn):
            self._send(script, script.parts[script.next])

    def _turn(self, script: Script, turn: Turn) -> bool:
        """Whether something of pgveil's own has to precede a statement, and is sent."""
        if script.own and turn in (Turn.COMMIT, Turn.OTHER):
            script.own = False
            send_own(self._state, "COMMIT" if turn is Turn.COMMIT else "ROLLBACK")
            return True
        if turn is Turn.NONE and self._state.status == _IDLE:
            script.own = True
            send_own(self._state, "BEGIN")
            return True
        return False

    def _send(self, script: Script, part: Part) -> None:
        state = self._state
        last = script.next == len(script.parts) - 1
        shown = Shown.ALL
        if script.own and part.turn is Turn.BEGIN:
            shown = Shown.UNWARNED
        elif script.own and last:
            shown, last = Shown.LATER, False
        try:
            text, plan, widths = self._planned(script, part)
        except ServerError as error:
            text = POISON
            reply = ScriptReply(shown, last=last, error=refusal(state, error))
        else:
            reply = ScriptReply(shown, last=last, plan=plan, widths=widths)
        script.next += 1
        self._planning.done()
        state.replies.append(reply)
        state.to_backend.append(frame(frames.QUERY, text + b"\0"))

    def _planned(self, script: Script, part: Part) -> tuple[bytes, TextPlan, Callable[[], Widths]]:
        """The text for the server, its plan, and its widths in the client's whole text."""
        state = self._state
        if part.turn is Turn.PREPARE and (script.own or state.status == _IDLE):
            raise Refused(
                "PREPARE TRANSACTION outside a transaction block, beside other statements",
                hint="Send BEGIN before them.",
            )
        if state.backslash_quotes != script.backslash_quotes and "\\" in part.text:
            raise Refused(
                "a backslash behind a change of standard_conforming_strings in the same text",
                hint="SET standard_conforming_strings by a query of its own.",
            )
        try:
            text = part.text.encode(state.settings.encoding)
        except UnicodeEncodeError:
            raise Refused(
                "a character that the client's encoding, which the same text has changed, does not have",
                hint="SET client_encoding by a query of its own.",
            ) from None
        planned = self._planning.plan(text)
        rendered = self._planning.rendered(planned)
        if rendered is None:
            return text, planned.plan, lambda: ((part.start, 0), (len(part.text),) * 2)
        return rendered[0], planned.plan, lambda: ((part.start, 0), *rendered[1]())
