"""The backend's side of an inquiry: the client sees nothing of it but an error (the rules: inquiry.py)."""

from __future__ import annotations

from collections.abc import Mapping

from proxy.session.inquiry import Inquiry
from proxy.session.replies import Handler
from proxy.session.state import State
from proxy.wire import frames
from proxy.wire.backend import ErrorResponse
from proxy.wire.errors import ProtocolError
from proxy.wire.frames import HEADER


class InquiryReplies:
    """Handlers in the place of the `usual` ones, by message type, while an inquiry is answered."""

    def __init__(self, state: State, usual: Mapping[int, Handler]) -> None:
        self._state = state
        self._usual = usual
        self.handlers: dict[int, Handler] = {
            **usual,
            frames.PARSE_COMPLETE: self._swallowed,
            frames.BIND_COMPLETE: self._swallowed,
            frames.COMMAND_COMPLETE: self._swallowed,
            frames.CLOSE_COMPLETE: self._closed,
            frames.ERROR_RESPONSE: self._failed,
        }

    def _require_inquiry(self) -> None:
        replies = self._state.replies
        if not replies or not isinstance(replies[0], Inquiry):
            raise ProtocolError("a reply of the server that was not expected")

    def _swallowed(self, data: bytes, at: int, end: int) -> bytes | None:
        self._require_inquiry()
        return b""

    def _closed(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        self._require_inquiry()
        inquiry = state.inquiry
        if inquiry is not None and inquiry.closed():
            state.replies.popleft()
            state.inquiry = None
            state.catalog_seen(inquiry.answer())
        return b""

    def _failed(self, data: bytes, at: int, end: int) -> bytes | None:
        """The error is that of the statement that waits; where in pgveil's own it came says nothing."""
        state = self._state
        inquiry, state.inquiry = state.inquiry, None
        usual = self._usual[frames.ERROR_RESPONSE](data, at, end)
        if inquiry is None:
            return usual
        state.owes_ready = inquiry.of_query
        if usual == b"":
            return b""  # the client has had its error
        fields = dict(ErrorResponse.parse((usual or data[at:end])[HEADER:]).fields)
        for place in ("P", "W"):  # position, context
            fields.pop(place, None)
        return ErrorResponse(fields).pack()
