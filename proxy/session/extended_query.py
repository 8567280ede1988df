"""The extended query protocol: Parse, Bind, Describe, Execute, Close and Sync of the client.

Each handler gives what is sent for its message: None as it came, empty nothing. Raises Wait.
"""

from __future__ import annotations

from proxy.errors import AuditUnavailable, ProtocolViolation, ServerError
from proxy.protector import MissingKey, wire_oid
from proxy.session.binds import Sealed, sealed_bind
from proxy.session.bodies import STATEMENT, STRUCT_ERRORS, formats_of, named, read, string
from proxy.session.effects import note_effects
from proxy.session.names import Portal, Statement, Uncertain
from proxy.session.planning import Planning, Wait
from proxy.session.quoted_arguments import QuotedArguments
from proxy.session.refusals import POISON, refusal
from proxy.session.replies import BIND, PLAIN_DESCRIBE, PLAIN_EXECUTE, SYNC, Kind, Reply
from proxy.session.state import State
from proxy.sql.plan import TextPlan
from proxy.wire.frames import HEADER
from proxy.wire.frontend import Parse

_POISON_NAME = b"pgveil"


class ExtendedQuery:
    """The extended query messages of one session's client."""

    def __init__(self, state: State, planning: Planning) -> None:
        self._state = state
        self._planning = planning
        self._quoted = QuotedArguments()

    def parse(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        if state.skipping:
            return b""
        name = string(data, at + HEADER, end)
        sql = string(data, at + HEADER + len(name) + 1, end)
        try:
            self._quoted.require_none(sql)
            planned = self._planning.plan(sql)
            plan = planned.plan
            rendered = self._planning.rendered(planned) if plan.template is not None or plan.writes else None
            # the types are read only where they matter: reading a message whole costs as much as planning it
            types = () if plan.parameters is None else read(Parse, data, at, end).types
            widths = rendered[1] if rendered else None
            statement = Statement(
                sql, plan, state.planner(), state.view(), types, state.names.segment, widths
            )
            undo = state.names.parse(name, statement)
        except Uncertain:
            raise Wait(flush=True) from None
        except ServerError as error:
            # a Parse of the same name, so that the unnamed statement is lost as in the server
            return self._poison(Kind.PARSE, error, name)
        reply = Reply(Kind.PARSE, statement=statement if undo else None, undo=undo, widths=widths)
        state.replies.append(reply)
        if rendered is None and plan.parameters is None:
            return None
        if plan.parameters is not None:
            self._quoted.prepared(statement)
        else:
            types = read(Parse, data, at, end).types
        return Parse(name, rendered[0] if rendered else sql, _wire_types(plan, types)).pack()

    def _poison(self, kind: int, error: ServerError, name: bytes = _POISON_NAME) -> bytes:
        """Send what fails in the place of a message that is refused."""
        state = self._state
        undo = state.names.lose_unnamed() if kind == Kind.PARSE and not name else None
        if kind == Kind.BIND:
            state.names.unnamed_segment = state.names.segment  # its error is known to come
        state.replies.append(Reply(Kind.PARSE, error=refusal(state, error), undo=undo))
        return Parse(name, POISON).pack()

    def bind(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        if state.skipping:
            return b""
        if state.barrier and state.replies:
            raise Wait(flush=True)
        portal = string(data, at + HEADER, end)
        name = string(data, at + HEADER + len(portal) + 1, end)
        try:
            statement = state.names.statement(name)
        except Uncertain:
            raise Wait(flush=True) from None
        if statement is None:
            return self._bind_unknown(name)
        if not statement.confirmed(state.planner(), state.view()):
            try:
                self._planning.confirm(statement)
            except ServerError as error:
                return self._poison(Kind.BIND, error)
        try:
            state.require_trail(statement.plan)
        except AuditUnavailable as error:
            return self._poison(Kind.BIND, error)
        if portal:  # the next one without a name takes its place; those with names end with the transaction
            state.unsettled = True
        if statement.plain:
            self._bound(portal, statement.portal)
            return None
        if statement.plan.parameters is None:
            formats = formats_of(data, at + HEADER + len(portal) + len(name) + 2, end)
            self._bound(portal, Portal(statement.plan, formats, statement.widths))
            return None
        self._quoted.bound(statement)
        try:
            sealed, formats = self._sealed(
                statement, data, at, at + HEADER + len(portal) + len(name) + 2, end
            )
        except STRUCT_ERRORS:
            raise ProtocolViolation("invalid message format") from None
        except ServerError as error:
            return self._poison(Kind.BIND, error)
        bound = Portal(statement.plan, formats, statement.widths) if formats else statement.portal
        self._bound(portal, bound)
        return sealed

    def _bound(self, name: bytes, portal: Portal) -> None:
        undo = self._state.names.bind(name, portal)
        if undo is None and portal.widths is None:
            self._state.replies.append(BIND)
        else:
            self._state.replies.append(Reply(Kind.BIND, undo=undo, widths=portal.widths))

    def _sealed(self, statement: Statement, data: bytes, at: int, parameters: int, end: int) -> Sealed:
        try:
            return sealed_bind(self._state, statement, data, at, parameters, end)
        except MissingKey as missing:
            self._planning.fetch_key(missing.need)

    def _bind_unknown(self, name: bytes) -> bytes:
        """A statement that the session has not seen being prepared is not bound."""
        state = self._state
        if state.barrier and state.replies:
            raise Wait(flush=True)
        text = (
            f'prepared statement "{name.decode("utf-8", "replace")}"'
            if name
            else "unnamed prepared statement"
        )
        return self._poison(Kind.BIND, ServerError(f"{text} does not exist", sqlstate="26000"))

    def describe(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        if state.skipping:
            return b""
        if state.barrier and state.replies:
            raise Wait(flush=True)
        kind, name = named(data, at, end)
        if kind == STATEMENT:
            try:
                statement = state.names.statement(name)
            except Uncertain:
                raise Wait(flush=True) from None
            state.replies.append(Reply(Kind.DESCRIBE_STATEMENT, statement=statement))
        else:
            portal = self._portal(name)
            if portal is None and not name and state.names.unnamed_lost:
                return self._poison(Kind.DESCRIBE_PORTAL, _no_portal())
            plain = portal is None or portal.results is None
            state.replies.append(PLAIN_DESCRIBE if plain else Reply(Kind.DESCRIBE_PORTAL, portal=portal))
        return None

    def execute(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        if state.skipping:
            return b""
        name = string(data, at + HEADER, end)
        if name and state.barrier and state.replies:
            raise Wait(flush=True)  # it may be a cursor that is being declared or closed
        portal = self._portal(name)
        if portal is None and not name and state.names.unnamed_lost:
            return self._poison(Kind.EXECUTE, _no_portal())
        if portal is None or portal.plan.quiet:
            state.replies.append(PLAIN_EXECUTE)
            return None
        plan = portal.plan
        if state.barrier and state.replies and plan.first.effects:
            raise Wait(flush=True)
        note_effects(state, plan)
        state.replies.append(Reply(Kind.EXECUTE, portal=portal))
        return None

    def _portal(self, name: bytes) -> Portal | None:
        names = self._state.names
        unsure = not name and b"" in names.portals and names.unnamed_segment != names.segment
        if unsure and self._state.replies:
            raise Wait(flush=True)  # whether its Bind went well is not known yet
        try:
            return names.portal(name)
        except Uncertain:
            raise Wait(flush=True) from None

    def close(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        if state.skipping:
            return b""
        kind, name = named(data, at, end)
        undo = None
        if kind == STATEMENT:
            try:
                undo = state.names.close(name)
            except Uncertain:
                raise Wait(flush=True) from None
        else:
            undo = state.names.close_portal(name)
        state.replies.append(Reply(Kind.CLOSE, undo=undo))
        return None

    def sync(self, data: bytes, at: int, end: int) -> bytes | None:
        state = self._state
        if state.taking_copy:
            return None  # the server ignores a Sync while it takes COPY data: it earns no reply
        state.skipping = False
        state.names.segment += 1
        state.replies.append(SYNC)
        return None


def _no_portal() -> ServerError:
    return ServerError('portal "" does not exist', sqlstate="34000")


def _wire_types(plan: TextPlan, declared: tuple[int, ...]) -> tuple[int, ...]:
    """The parameter types for the server: storage types where a parameter is protected."""
    if plan.parameters is None:
        return declared
    return tuple(
        wire_oid(wire.role)
        if wire.role is not None and wire.role.record is None
        else (declared[wire.source] if wire.source < len(declared) else 0)
        for wire in plan.parameters
    )
