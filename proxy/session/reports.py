"""Errors and notices of the server, as the application has to see them."""

from __future__ import annotations

from proxy.session.replies import Reply
from proxy.sql.plan import Widths
from proxy.wire import frames
from proxy.wire.backend import ErrorResponse, NoticeResponse
from proxy.wire.frames import HEADER

_MESSAGES = {frames.ERROR_RESPONSE: ErrorResponse, frames.NOTICE_RESPONSE: NoticeResponse}


def repositioned(data: bytes, at: int, end: int, head: Reply) -> bytes | None:
    """The position of an error counts characters of the text: of the client's text, that is."""
    if (widths := head.widths) is None:
        return None
    message = _MESSAGES[data[at]].parse(data[at + HEADER : end])
    position = message.fields.get("P", b"")
    if not position.isdigit():
        return None
    fields = dict(message.fields)
    fields["P"] = str(original_position(widths(), int(position))).encode()
    return type(message)(fields).pack()


def original_position(widths: Widths, position: int) -> int:
    """A character position (from 1) in the server's text as one in the client's text.

    Within what was replaced it is the place where that begins.
    """
    client, server = 0, 0
    for origin, sent in widths:
        if position - 1 < server + sent:
            return client + (position - 1 - server if origin else 0) + 1
        client += origin
        server += sent
    return client + 1
