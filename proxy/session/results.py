"""Result columns and COPY streams: from plans to the functions that open and seal their values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from policy.binding import BoundField
from proxy.errors import Contradiction
from proxy.openers import Openers
from proxy.protector import Protector
from proxy.session.copy import ColumnTransform, CopyOptions, CopyTransformer, Transform, copy_transformer
from proxy.session.names import Statement
from proxy.session.state import State
from proxy.sql.plan import CopyPlan, Described, ResultColumn, Results, TextPlan
from proxy.values import Settings
from proxy.wire.backend import FieldDescription, ParameterDescription, RowDescription
from proxy.wire.frontend import BINARY, TEXT, format_of
from proxy.wire.rows import RowRewriter, make_row_rewriter

Rewriter = RowRewriter

_KEPT = 1024  # descriptions, and rewriters, that are kept at a time
_LONGEST = 4096  # bytes of a description that is kept
_UNREADABLE = {"bytea": b"?\\", "json": b"?", "jsonb": b"?"}


def row_rewriter(state: State, results: Results, width: int, formats: tuple[int, ...]) -> RowRewriter | None:
    """The rewriter of rows of so many columns; None if none of them is protected. Raises Contradiction.

    It is kept with the openers that it holds.
    """
    openers = state.openers
    place = (id(results), width, formats)
    if (kept := openers.rewriters.get(place)) is None:
        kept = (results, _make_rewriter(openers, results, width, formats))
        if len(openers.rewriters) >= _KEPT:
            openers.rewriters.clear()
        openers.rewriters[place] = kept
    return kept[1]


def _make_rewriter(
    openers: Openers, results: Results, width: int, formats: tuple[int, ...]
) -> RowRewriter | None:
    columns = results.fit(width)
    if columns is None:
        raise Contradiction(f"It has {width} columns.")
    transforms = [
        None if column is None else openers.opener(column, format_of(formats, i))
        for i, column in enumerate(columns)
    ]
    return make_row_rewriter(transforms) if any(transforms) else None


def described(state: State, body: bytes, results: Results | None) -> Described:
    """The body of a RowDescription, judged; each is judged once. Raises Contradiction."""
    known = state.planner().descriptions
    place = (id(results), body)
    if (found := known.get(place)) is None:
        description = RowDescription.parse(body)
        shown = describe_rows(state, description, results)
        formats = tuple([column.format for column in description.fields])
        found = Described(results, None if results is None else shown.pack(), formats)
        if len(body) <= _LONGEST:
            if len(known) >= _KEPT:
                known.clear()
            known[place] = found
    return found


def describe_rows(state: State, description: RowDescription, results: Results | None) -> RowDescription:
    """The description as the application has to see it. Raises Contradiction (rule 2 of answers.py)."""
    columns = (None,) * len(description.fields) if results is None else results.fit(len(description.fields))
    if columns is None:
        raise Contradiction(f"It has {len(description.fields)} columns.")
    _confirm(state, description, columns)
    return RowDescription(
        tuple(
            field if column is None or column.type is None else _shown(field, column)
            for field, column in zip(description.fields, columns, strict=True)
        )
    )


def _shown(field: FieldDescription, column: ResultColumn) -> FieldDescription:
    logical = column.type
    assert logical is not None
    return replace(field, type_oid=logical.oid, typlen=logical.typlen, typmod=logical.modifier)


def _confirm(state: State, description: RowDescription, columns: tuple[ResultColumn | None, ...]) -> None:
    """The second witness: what the server says of each column's origin."""
    binding = state.planner().binding
    for field, column in zip(description.fields, columns, strict=True):
        known = binding.catalog.relations.get(field.table_oid)
        if not field.table_oid or known is None or known.kind not in "rpf":
            continue
        bound = binding.fields.get(field.table_oid, {}).get(field.attnum)
        if bound is not None and bound.problem is not None and bound.field.plaintext_allowed:
            bound = None
        expected = column.fields[0] if column is not None and column.fields else None
        if (bound is None) != (expected is None) or (
            bound is not None and expected is not None and bound.field.key_name != expected.field.key_name
        ):
            raise Contradiction("A protected column stands where none was expected, or the other way round.")


def describe_parameters(statement: Statement, body: bytes) -> bytes:
    """ParameterDescription as the application has to see it: its own parameters, with logical types."""
    plan = statement.plan
    assert plan.parameters is not None
    types = list(ParameterDescription.parse(body).types)
    for i, wire in enumerate(plan.parameters[: plan.client_parameters]):
        declared = statement.declared[i] if i < len(statement.declared) else 0
        if declared:
            types[i] = declared
        elif wire.role is not None and wire.role.record is None:
            types[i] = wire.role.type.oid
    return ParameterDescription(tuple(types[: plan.client_parameters])).pack()


# --- COPY ------------------------------------------------------------------------------------------------


def _options(state: State, plan: CopyPlan) -> CopyOptions:
    return CopyOptions.of(
        plan.options,
        columns=plan.names,
        encoding=state.settings.encoding,
        server_version=state.planner().binding.catalog.server_version,
        table=plan.table,
    )


def require_copies(state: State, plan: TextPlan) -> None:
    """Raise Refused where the rows of a COPY cannot be cut into fields, before anything is sent."""
    for statement in plan.statements:
        if statement.copy is not None:
            copy_transformer(_options(state, statement.copy), [None] * len(statement.copy.columns))


def copy_in(state: State, plan: CopyPlan) -> CopyTransformer:
    """Encrypts the rows that the client sends."""
    options = _options(state, plan)
    wire_format = _wire_format(options)
    protector = state.protector
    if options.encoding != state.settings.encoding:
        protector = Protector(protector.keyring, _settings(state, options))
    unreadable = [None if column is None else _unreadable(column.fields[0]) for column in plan.columns]
    return copy_transformer(
        replace(options, unreadable=tuple(unreadable)),
        _transforms(plan, lambda column: protector.copy_sealer(column.fields[0], wire_format)),
    )


def _unreadable(field: BoundField) -> bytes | None:
    """What the input function of the storage type refuses; None where it takes any text."""
    return _UNREADABLE.get(field.storage)


def copy_out(state: State, plan: CopyPlan) -> CopyTransformer:
    """Decrypts the rows that the server sends."""
    options = _options(state, plan)
    return copy_transformer(options, copy_openers(state, plan))


def copy_openers(state: State, plan: CopyPlan) -> list[Callable[[bytes], bytes] | None]:
    """What opens the columns of a COPY TO, with the keys that there are now."""
    options = _options(state, plan)
    wire_format = _wire_format(options)
    openers = state.openers
    if options.encoding != state.settings.encoding:
        openers = Openers(openers.keyring, _settings(state, options))

    def opener(column: ResultColumn) -> Transform:
        one, all_ = openers.opener(column, wire_format), openers.column_opener(column, wire_format)
        return one if all_ is None else ColumnTransform(one, all_)

    return _transforms(plan, opener)


def _settings(state: State, options: CopyOptions) -> Settings:
    """Those of the session, but for the encoding of the COPY."""
    return replace(state.settings, encoding=options.encoding)


def _wire_format(options: CopyOptions) -> int:
    return BINARY if options.format == "binary" else TEXT


def _transforms(
    plan: CopyPlan, make: Callable[[ResultColumn], Callable[[bytes], bytes]]
) -> list[Callable[[bytes], bytes] | None]:
    return [None if column is None else make(column) for column in plan.columns]
