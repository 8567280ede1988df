"""The backend's side of a script: the client sees the replies of one query (the rules stand in script.py)."""

from __future__ import annotations

from collections.abc import Mapping

from proxy.session.replies import Handler
from proxy.session.script import Script, ScriptReply, Shown
from proxy.session.script_sender import send_own
from proxy.session.state import State
from proxy.wire import frames
from proxy.wire.backend import NoticeResponse
from proxy.wire.frames import HEADER

_IDLE = ord("I")
_IN_A_TRANSACTION = b"25001"  # active_sql_transaction: the warning of a BEGIN in a transaction block


class ScriptReplies:
    """Handlers in the place of the `usual` ones, by message type, while a script is sent."""

    def __init__(self, state: State, usual: Mapping[int, Handler]) -> None:
        self._state = state
        self._usual = usual
        self.handlers: dict[int, Handler] = {
            **usual,
            frames.COMMAND_COMPLETE: self._complete,
            frames.ERROR_RESPONSE: self._error,
            frames.NOTICE_RESPONSE: self._notice,
            frames.READY_FOR_QUERY: self._ready,
        }

    @property
    def _script(self) -> Script:
        script = self._state.script
        assert script is not None
        return script

    def _head(self) -> ScriptReply | None:
        replies = self._state.replies
        return replies[0] if replies and isinstance(replies[0], ScriptReply) else None

    def _complete(self, data: bytes, at: int, end: int) -> bytes | None:
        replaced = self._usual[frames.COMMAND_COMPLETE](data, at, end)
        script, head = self._script, self._head()
        match head.shown if head is not None else Shown.ALL:
            case Shown.NOTHING:
                held, script.held = script.held, b""
                return held
            case Shown.LATER:
                script.held = data[at:end] if replaced is None else replaced
                return b""
            case Shown.UNWARNED:
                script.own = False
        return replaced

    def _error(self, data: bytes, at: int, end: int) -> bytes | None:
        self._fail()
        return self._usual[frames.ERROR_RESPONSE](data, at, end)

    def _notice(self, data: bytes, at: int, end: int) -> bytes | None:
        head = self._head()
        if head is not None and head.shown is Shown.UNWARNED:
            notice = NoticeResponse.parse(data[at + HEADER : end])
            if notice.fields.get("C") == _IN_A_TRANSACTION:
                return b""
        return self._usual[frames.NOTICE_RESPONSE](data, at, end)

    def _ready(self, data: bytes, at: int, end: int) -> bytes | None:
        state, script, head = self._state, self._script, self._head()
        if state.spoiled:  # a value did not open, which the client was told of
            self._fail()
        self._usual[frames.READY_FOR_QUERY](data, at, end)
        if state.replies:  # what makes the transaction fail in the server, too, is on its way
            return b""
        if script.failed and script.own and state.status != _IDLE:
            script.own = False
            send_own(state, "ROLLBACK", last=True)
            return b""
        if script.failed or (head is not None and head.last):
            state.script = None
            return data[at:end]
        return b""

    def _fail(self) -> None:
        script = self._script
        script.failed, script.held = True, b""
