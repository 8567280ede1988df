"""SQL cases as text files: statements, and below each what `pgveil explain` says of it.

    -- A line of prose.

    -- search_path: audit, public
    UPDATE users SET email = 'a' WHERE id = $1
    -- sent: UPDATE users SET email = <users.email> WHERE id = $1

A blank line ends a case; the statements of one case are sent one after the other in one session, whose
prepared statements, cursors, search_path and transaction they share. What is said of a statement is one of

    -- plain                                 it goes as it came, and holds nothing protected
    -- as it came                            it goes as it came, and does something to the session
    -- sent: / -- $1: / -- column 2: ...     the lines of `explain` (no `sent` where the text is unchanged)
    -- refused 0A000[: message]              nothing is sent

`-- not yet: why` marks a statement that ought to be judged as written, and is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from crypto.keyring import Keyring
from policy.binding import Binding
from proxy.errors import ServerError
from proxy.session.effects import apply_effects
from proxy.session.state import SessionContext, State
from proxy.sql.plan import Role, Slot, TextPlan, TransactionChange
from proxy.sql.planner import Planned, Planner
from proxy.sql.render import render
from proxy.sql.report import explain

FIXTURES = Path(__file__).parent / "fixtures"
PUBLIC = ("public",)
_SAID = re.compile(
    r"-- (sent|\$\d+|column \d+|COPY column [^:]+|plain|as it came|refused \w{5}|not yet)\b:? ?(.*)"
)


@dataclass(frozen=True, slots=True)
class Step:
    """A statement, what is said of it, and why that is not so yet."""

    text: str
    said: tuple[str, ...]
    not_yet: str | None = None

    @property
    def refused(self) -> bool:
        return any(line.startswith("refused") for line in self.said)


@dataclass(frozen=True, slots=True)
class Case:
    """The statements of one session."""

    file: str
    line: int
    steps: tuple[Step, ...]
    search_path: tuple[str, ...] = PUBLIC

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def cases(path: Path) -> Iterator[Case]:
    """The cases of a file."""
    block: list[str] = []
    start = 1
    for number, line in enumerate([*path.read_text().splitlines(), ""], 1):
        if line.strip():
            if not block:
                start = number
            block.append(line)
        elif block:
            if (case := _case(path.name, start, block)) is not None:
                yield case
            block = []


def _case(file: str, line: int, block: list[str]) -> Case | None:
    search_path = PUBLIC
    steps: list[Step] = []
    text: list[str] = []
    said: list[str] = []
    not_yet: str | None = None
    for row in [*block, None]:
        if row is not None and (match := _SAID.fullmatch(row)) and text:
            kind, rest = match.groups()
            if kind == "not yet":
                not_yet = rest
            else:
                said.append(f"{kind}: {rest}" if rest else kind)
            continue
        if row is not None and row.startswith("-- search_path:"):
            search_path = tuple(name.strip() for name in row.split(":", 1)[1].split(","))
            continue
        if said or row is None:
            if text:
                steps.append(Step("\n".join(text), tuple(said), not_yet))
            text, said, not_yet = [], [], None
        if row is not None and not row.startswith("-- "):
            text.append(row)
    return Case(file, line, tuple(steps), search_path) if steps else None


# --- what is said of a statement -------------------------------------------------------------------------


@dataclass(slots=True)
class Transcript:
    """A session to which statements are sent, as far as their analysis goes."""

    binding: Binding
    search_path: tuple[str, ...] = PUBLIC
    planner: Planner = field(init=False)
    _state: State = field(init=False)

    def __post_init__(self) -> None:
        self.planner = Planner(self.binding)
        parameters = {"search_path": ", ".join(f'"{name}"' for name in self.search_path)}
        context = SessionContext(lambda: self.planner, lambda: Keyring(()), "app", parameters)
        self._state = State(context)

    def say(self, text: str) -> list[str]:
        """What is said of a statement that is sent now."""
        try:
            planned = self.planner.plan(text.encode(), self._state.view(), final=True)
        except ServerError as error:
            return [f"refused {error.sqlstate}: {error.message}"]
        self._complete(planned.plan)
        return said_of(planned, text)

    def _complete(self, plan: TextPlan) -> None:
        """The server has done it all."""
        for statement in plan.statements:
            apply_effects(self._state, statement.effects, b"")
            for effect in statement.effects:
                if isinstance(effect, TransactionChange) and effect.kind in ("begin", "commit", "rollback"):
                    self._state.status = ord("T" if effect.kind == "begin" else "I")
        if self._state.status == ord("I"):
            self._state.end_of_transaction()


def said_of(planned: Planned, text: str) -> list[str]:
    """The lines that stand below a statement in a file."""
    plan = planned.plan
    if plan.plain:
        return ["plain"]
    lines = []
    if (sent := _sent(planned, text)) != text:
        lines.append(f"sent: {' '.join(sent.split())}")
    for number, wire in enumerate(plan.parameters or (), 1):
        what = "as it is"
        if wire.role is not None:
            what = f"a value of type {wire.role.type}, encrypted for {_name(wire.role)}"
        lines.append(f"${number}: your ${wire.source + 1}, {what}")
    for statement in plan.statements:
        for number, column in enumerate(statement.results.columns if statement.results else (), 1):
            if column is not None:
                names = ", ".join(f"{f.field.table}.{f.field.column}" for f in column.fields)
                lines.append(f"column {number}: {column.type or 'JSON'}, decrypted from {names}")
        if statement.copy is not None:
            verb = "encrypted" if statement.copy.to_server else "decrypted"
            copied = zip(statement.copy.names, statement.copy.columns, strict=True)
            lines += [f"COPY column {name}: {verb}" for name, column in copied if column is not None]
    return lines or ["as it came"]


def _sent(planned: Planned, text: str) -> str:
    if planned.plan.template is None:
        return text
    return render(planned, _ciphertext)[0]


def _ciphertext(slot: Slot, token: bytes) -> bytes:
    assert slot.role is not None
    return f"<{_name(slot.role)}>".encode() + slot.suffix


def _name(role: Role) -> str:
    if role.json is not None:
        return ", ".join(_name(member) for _, member in role.json.members)
    return f"{role.field.field.table}.{role.field.field.column}{'[]' if role.array else ''}"


def explained(binding: Binding, text: str, search_path: tuple[str, ...]) -> list[str]:
    """The same lines from `explain` itself, which knows no session."""
    try:
        told = explain(binding, text, search_path)
    except ServerError as error:
        return [f"refused {error.sqlstate}: {error.message}"]
    if told.plain:
        return ["plain"]
    sent = [] if told.sent == text else [f"sent: {' '.join(told.sent.split())}"]
    return [*sent, *told.parameters, *told.results] or ["as it came"]


def agrees(said: tuple[str, ...], found: list[str]) -> bool:
    """Whether a file says what was found; a refusal's message may be left out of the file."""
    if len(said) == 1 and said[0].startswith("refused") and ":" not in said[0]:
        return len(found) == 1 and found[0].startswith(f"{said[0]}:")
    return list(said) == found
