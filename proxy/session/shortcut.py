"""The short way of the sequences that most of a session consists of.

Everything here could as well go message by message through `frontend.py` and `backend.py`, and would come
to the same: these functions pass over runs of messages that need no edit and leave nothing behind. They stop
at the first message that they do not know.
"""

from __future__ import annotations

from proxy.session.names import Portal
from proxy.session.replies import BIND, PLAIN_DESCRIBE, PLAIN_EXECUTE, PLAIN_QUERY, SYNC, Kind, Reply
from proxy.session.state import State
from proxy.wire import frames
from proxy.wire.frames import HEADER, LENGTH, frame

_EXECUTE = frame(frames.EXECUTE, b"\0\0\0\0\0")
_DESCRIBE_EXECUTE = frame(frames.DESCRIBE, b"P\0") + _EXECUTE
_SYNC = frame(frames.SYNC)
_UNPROTECTED = id(None)  # where `Planner.descriptions` keeps what holds nothing protected
_ROW, _COMPLETE, _DESCRIPTION = frames.DATA_ROW, frames.COMMAND_COMPLETE, frames.ROW_DESCRIPTION
_READY = frames.READY_FOR_QUERY


def pass_request(state: State, data: bytes, at: int) -> int:
    """Past Describe and Execute of the unnamed portal, and Sync, as drivers send them after a Bind."""
    portal = state.names.portals.get(b"")
    if state.names.unnamed_segment != state.names.segment:
        return at
    if portal is None or state.skipping or state.spoiled or state.barrier or state.taking_copy:
        return at
    first = portal.plan.first
    if first.effects or first.copy is not None:
        return at
    if data.startswith(_EXECUTE, at):
        state.replies.append(_executed(portal))
        at += len(_EXECUTE)
    elif data.startswith(_DESCRIBE_EXECUTE, at):
        state.replies += (_described(portal), _executed(portal))
        at += len(_DESCRIBE_EXECUTE)
    else:
        return at
    if data.startswith(_SYNC, at):
        state.replies.append(SYNC)
        state.names.segment += 1
        at += len(_SYNC)
    return at


def _described(portal: Portal) -> Reply:
    return PLAIN_DESCRIBE if portal.results is None else Reply(Kind.DESCRIBE_PORTAL, portal=portal)


def _executed(portal: Portal) -> Reply:
    return PLAIN_EXECUTE if portal.plan.quiet else Reply(Kind.EXECUTE, portal=portal)


def pass_reply(state: State, data: bytes, at: int) -> int:
    """Past the answers to plain statements, ReadyForQuery included; no result and no COPY is open."""
    replies, size, length = state.replies, len(data), LENGTH.unpack_from
    known = state.planner().descriptions
    while replies and size - at >= HEADER:
        kind, head = data[at], replies[0]
        end = at + 1 + length(data, at + 1)[0]
        if not at + HEADER <= end <= size:
            break
        if kind == _ROW:
            if head is not PLAIN_QUERY and head is not PLAIN_EXECUTE:
                break
        elif kind == _COMPLETE:
            if head is PLAIN_EXECUTE:
                replies.popleft()
            elif head is not PLAIN_QUERY:
                break
        elif kind == _DESCRIPTION:
            if (head is not PLAIN_QUERY and head is not PLAIN_DESCRIBE) or (
                (_UNPROTECTED, data[at + HEADER : end]) not in known
            ):
                break
            if head is PLAIN_DESCRIBE:
                replies.popleft()
        elif kind == _READY:
            if (head is not PLAIN_QUERY and head is not SYNC) or state.unsettled:
                break
            replies.popleft()
            state.status = data[at + HEADER]
        elif (kind == frames.BIND_COMPLETE and head is BIND) or (
            kind == frames.NO_DATA and head is PLAIN_DESCRIBE
        ):
            replies.popleft()
        elif kind == frames.PARSE_COMPLETE and head.kind == Kind.PARSE and head.error is None:
            replies.popleft()
            if head.statement is not None:
                head.statement.certain = True
        else:
            break
        at = end
    return at
