"""Bind messages whose parameters are sealed: in place, or split where one of the client's is several."""

from __future__ import annotations

from proxy.errors import ServerError
from proxy.session.names import Statement
from proxy.session.state import State
from proxy.sql.plan import TextPlan
from proxy.wire.frames import HEADER
from proxy.wire.frontend import Bind, format_of
from proxy.wire.parameters import raw_formats, rewrite_parameters
from proxy.wire.reader import UINT16

Sealed = tuple[bytes, tuple[int, ...]]  # the message for the server, and its result formats


def sealed_bind(
    state: State, statement: Statement, data: bytes, start: int, parameters: int, end: int
) -> Sealed:
    """The Bind message data[start:end] with its values sealed; its parameter formats begin at `parameters`.

    Raises MissingKey, ProtocolError and struct.error for a malformed message, and ServerError for what the
    server would refuse.
    """
    if not statement.plan.in_order:
        return _split_bind(state, statement, data[start + HEADER : end])
    formats = raw_formats(data, parameters)
    values = parameters + len(formats)
    _require_count(UINT16.unpack_from(data, values)[0], statement.plan)
    sealers = state.protector.parameter_sealers(statement.plan, formats, statement.declared)
    return rewrite_parameters(data, start, values, end, sealers)


def _split_bind(state: State, statement: Statement, body: bytes) -> Sealed:
    plan, declared = statement.plan, statement.declared
    message = Bind.parse(body)
    assert plan.parameters is not None
    _require_count(len(message.params), plan)
    formats, values = [], []
    for wire in plan.parameters:
        raw = message.params[wire.source]
        code = format_of(message.param_formats, wire.source)
        formats.append(code)
        if wire.role is not None and raw is not None:
            oid = declared[wire.source] if wire.source < len(declared) else 0
            raw = state.protector.seal_parameter(wire.role, raw, code, oid)
        values.append(raw)
    names = (message.portal, message.statement)
    sealed = Bind(*names, tuple(formats), tuple(values), message.result_formats)
    return sealed.pack(), message.result_formats


def _require_count(count: int, plan: TextPlan) -> None:
    if count != plan.client_parameters:
        raise ServerError(
            f"bind message supplies {count} parameters, "
            f"but the prepared statement requires {plan.client_parameters}",
            sqlstate="08P01",
        )
