"""What a plan means, for people: `pgveil explain` and `pgveil check --sql`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pglast import parser

from policy.binding import Binding, BoundField
from proxy.errors import Refused, ServerError
from proxy.sql.analysis import SessionView
from proxy.sql.context import Apart, Unseen
from proxy.sql.parts import parts_of
from proxy.sql.plan import (
    CatalogChange,
    CopyPlan,
    PrepareName,
    Results,
    Role,
    SetSearchPath,
    Slot,
    StatementPlan,
    TextPlan,
)
from proxy.sql.planner import Planned, Planner
from proxy.sql.render import render

_META_COMMAND = re.compile(r"^\\.*$", re.MULTILINE)
_COPY_ROWS = re.compile(
    r"(^\s*COPY\b[^;]*\bFROM\s+stdin\b[^;]*;\n)(.*?^\\\.$)", re.IGNORECASE | re.MULTILINE | re.DOTALL
)
_ONE_BY_ONE = "In a session each statement of a text is judged when those before it are done."
_EXPLAIN = "Explain the statements apart."


@dataclass(frozen=True, slots=True)
class StatementReport:
    """One statement of a file: the line that it starts on, whether it will work, and why (not)."""

    line: int
    works: bool
    message: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """One text: what is sent, `<column>` for a ciphertext, and what is done to parameters and results."""

    sent: str
    parameters: tuple[str, ...]
    results: tuple[str, ...]
    plain: bool


def explain(binding: Binding, text: str, search_path: tuple[str, ...]) -> Explanation:
    """Explain a text. Raises the ServerError that refuses it."""
    try:
        planned = Planner(binding).plan(text.encode(), SessionView(search_path), final=True)
    except Apart as apart:
        if len(parts_of(text)) < 2:
            raise
        raise Refused(apart.message, sqlstate=apart.sqlstate, detail=_ONE_BY_ONE, hint=_EXPLAIN) from None
    plan = planned.plan
    return Explanation(
        _sent(planned, text),
        tuple(_parameters(plan)),
        tuple(line for statement in plan.statements for line in _results(statement)),
        plan.plain,
    )


def check_file(path: Path, binding: Binding) -> list[StatementReport]:
    """Whether each statement of an SQL file will work. Its psql commands and COPY rows are passed over."""
    text = _blanked(path.read_text())
    path_now = tuple(name for name in ("public",) if name in binding.catalog.schemas)
    planner = Planner(binding)
    prepared: dict[str, TextPlan] = {}
    changed = 0  # the last line so far whose statement changes the catalogue
    reports = []
    for start, statement in _statements(text):
        view = SessionView(path_now, prepared=prepared.get)
        line = text.count("\n", 0, start) + 1
        try:
            plan = planner.plan(statement.encode(), view, final=True).plan
        except ServerError as error:
            if changed and isinstance(error, Unseen):
                reports.append(StatementReport(line, True, f"not judged: uses what line {changed} makes"))
            else:
                reports.append(StatementReport(line, False, refusal(error)))
            continue
        for effect in (effect for part in plan.statements for effect in part.effects):
            if isinstance(effect, SetSearchPath) and effect.value is not None:
                path_now = effect.value
            elif isinstance(effect, PrepareName):
                prepared[effect.name] = effect.plan
            elif isinstance(effect, CatalogChange):
                changed = line
        reports.append(StatementReport(line, True, summary(plan)))
    return reports


def refusal(error: ServerError) -> str:
    """A refusal in one line."""
    hint = f" ({error.hint})" if error.hint else ""
    return f"refused, {error.sqlstate}: {error.message}{hint}"


def summary(plan: TextPlan) -> str:
    """What is done to a text, in one line."""
    sealed = sorted({str(field.field) for field in plan.writes})
    opened = sorted(
        {
            str(field.field)
            for statement in plan.statements
            for column in _columns(statement)
            for field in column
        }
    )
    parts = []
    if sealed:
        parts.append(f"encrypts {', '.join(sealed)}")
    if opened:
        parts.append(f"decrypts {', '.join(opened)}")
    return f"works: {'; '.join(parts)}" if parts else "works: nothing protected"


def _columns(statement: StatementPlan) -> Iterator[tuple[BoundField, ...]]:
    results = statement.results.columns if statement.results is not None else ()
    copied = statement.copy.columns if statement.copy is not None and not statement.copy.to_server else ()
    for column in (*results, *copied):
        if column is not None:
            yield column.fields


def _blanked(text: str) -> str:
    """The text with what is not SQL replaced by blanks, so that lines keep their numbers."""
    text = _COPY_ROWS.sub(lambda m: m[1] + re.sub(r"[^\n]", " ", m[2]), text)
    return _META_COMMAND.sub(lambda m: " " * len(m[0]), text)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """The statements of a text and where they start; the scanner also splits what does not parse."""
    try:
        slices = parser.split(text, with_parser=False, only_slices=True)
    except parser.ParseError as error:
        raise ServerError(f"cannot find the statements: {error.args[0]}", sqlstate="42601") from None
    for part in slices:
        yield part.start, text[part]


def _sent(planned: Planned, text: str) -> str:
    if planned.plan.template is None:
        return text
    return render(planned, _placeholder)[0]


def _placeholder(slot: Slot, token: bytes) -> bytes:
    assert slot.role is not None
    return f"<{_role(slot.role)}>".encode() + slot.suffix


def _role(role: Role) -> str:
    if role.json is not None:
        return ", ".join(_role(member) for _, member in role.json.members)
    return f"{role.field.field.table}.{role.field.field.column}{'[]' if role.array else ''}"


def _parameters(plan: TextPlan) -> Iterator[str]:
    for number, wire in enumerate(plan.parameters or (), 1):
        source = f"your ${wire.source + 1}"
        if wire.role is None:
            yield f"${number}: {source}, as it is"
        else:
            yield f"${number}: {source}, a value of type {wire.role.type}, encrypted for {_role(wire.role)}"


def _results(statement: StatementPlan) -> Iterator[str]:
    if statement.results is not None:
        yield from _opened(statement.results)
    if statement.copy is not None:
        yield from _copied(statement.copy)


def _opened(results: Results) -> Iterator[str]:
    for number, column in enumerate(results.columns, 1):
        if column is not None:
            names = ", ".join(f"{f.field.table}.{f.field.column}" for f in column.fields)
            kind = "JSON" if column.type is None else str(column.type)
            yield f"column {number}: {kind}, decrypted from {names}"


def _copied(copy: CopyPlan) -> Iterator[str]:
    verb = "encrypted" if copy.to_server else "decrypted"
    for name, column in zip(copy.names, copy.columns, strict=True):
        if column is not None:
            yield f"COPY column {name}: {verb}"
