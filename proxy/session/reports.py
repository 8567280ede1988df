"""Errors and notices of the server, as the application has to see them.

Rule 1  A position counts characters of the text as the client wrote it.
Rule 2  Ciphertext that the server repeats is hidden behind PLACEHOLDER: applications log what they are told,
        and a deterministic ciphertext tells which rows are equal. The value itself would be worse there.
        What stands around it stays, so that drivers find `Key (column)=(value)` as they expect it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from crypto.envelope import ASCII_START, BINARY_START
from proxy.sql.plan import Widths
from proxy.wire import frames
from proxy.wire.backend import ErrorResponse, NoticeResponse
from proxy.wire.frames import HEADER

PLACEHOLDER = b"<protected>"

_MESSAGES = {frames.ERROR_RESPONSE: ErrorResponse, frames.NOTICE_RESPONSE: NoticeResponse}
# Envelopes as text, and as bytea in hex and escape format. The server cuts long values in rows off; where it
# quotes, backslashes are doubled. In escape format any character may follow: the last bracket ends it.
_HEX, _ESCAPED = BINARY_START.hex().encode(), rb"\377PV"
_MARKS = (ASCII_START, _HEX, _ESCAPED)
_SEALED = re.compile(
    rb"%s[A-Za-z0-9_-]*(?:\.\.\.)?|\\+x%s[0-9a-f]*(?:\.\.\.)?|\\+377PV(?:.*(?=\))|.*)" % (ASCII_START, _HEX),
    re.DOTALL,
)
_TEXTS = "MDHW"  # message, detail, hint, context
_QUERY, _QUERY_POSITION = "q", "p"  # what the server's own code was doing


def report(
    data: bytes, at: int, end: int, widths: Callable[[], Widths] | None, encoding: str
) -> bytes | None:
    """The ErrorResponse or NoticeResponse at `at` as it is shown; None where that is as it came.

    `widths` gives those of the text that it is about, None where that went as it came; `encoding` is the
    client's.
    """
    sealed = any(data.find(mark, at, end) >= 0 for mark in _MARKS)
    if widths is None and not sealed:
        return None
    message = _MESSAGES[data[at]].parse(data[at + HEADER : end])
    fields = dict(message.fields)
    position = fields.get("P", b"")
    if widths is not None and position.isdigit():
        fields["P"] = str(original_position(widths(), int(position))).encode()
    if sealed:
        _hide(fields, encoding)
    return type(message)(fields).pack() if fields != message.fields else None


def _hide(fields: dict[str, bytes], encoding: str) -> None:
    for code in _TEXTS:
        if (text := fields.get(code)) is not None:
            fields[code] = _SEALED.sub(PLACEHOLDER, text)
    query, position = fields.get(_QUERY), fields.get(_QUERY_POSITION, b"")
    if query is None:
        return
    fields[_QUERY] = _SEALED.sub(PLACEHOLDER, query)
    if position.isdigit():
        before = query.decode(encoding, "replace")[: int(position) - 1].encode(encoding, "replace")
        hidden = _SEALED.sub(PLACEHOLDER, before).decode(encoding, "replace")
        fields[_QUERY_POSITION] = str(len(hidden) + 1).encode()


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
