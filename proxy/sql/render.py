"""From a plan and its literals to the text that is sent: protected literals sealed, the rest as it came."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from proxy.sql.array_literal import array_token
from proxy.sql.plan import Constant, Slot, Widths
from proxy.sql.planner import Planned
from proxy.sql.shape import Group

Seal = Callable[[Slot, bytes], bytes]


def render(planned: Planned, seal: Seal) -> tuple[str, Callable[[], Widths]]:
    """The text for the server, and what gives the widths of its parts: only an error's position needs them.

    `seal` gives the SQL of a literal's ciphertext. Raises what it raises.
    """
    plan, literals, groups = planned
    assert plan.template is not None
    pieces: list[str] = []
    for i, part in enumerate(plan.template):
        if isinstance(part, Constant):
            pieces.append(part.text)
            continue
        if part.elements is not None:
            token = array_token(part, literals)
        else:
            token = literals[part.ordinal] if part.ordinal >= 0 else b""
        pieces.append(_literal(part, token, seal))
        if groups and (group := groups.get(part.ordinal)) is not None:
            pieces += _rows(plan.template[i + 2 - 2 * group.width : i + 1], group, seal)
    return "".join(pieces), lambda: _widths(planned, pieces)


def _literal(slot: Slot, token: bytes, seal: Seal) -> str:
    if slot.blank:
        return slot.blank
    return (seal(slot, token) if slot.role is not None else token).decode()


def _rows(row: Sequence[Constant | Slot], group: Group, seal: Seal) -> list[str]:
    """The rows that follow the one of the template, which has the same form."""
    slots = [part for part in row if isinstance(part, Slot)]
    between = [part.text for part in row if isinstance(part, Constant)] + [""]
    pieces: list[str] = []
    for separator, literals in zip(group.separators, group.rows, strict=True):
        pieces.append(separator.decode())
        for slot, literal, constant in zip(slots, literals, between, strict=True):
            pieces.append(_literal(slot, literal, seal))
            pieces.append(constant)
    return pieces


def _widths(planned: Planned, pieces: Sequence[str]) -> Widths:
    """Where each of the pieces comes from."""
    sent = map(len, pieces)
    found: list[tuple[int, int]] = []
    for i, part in enumerate(planned.plan.template or ()):
        if isinstance(part, Constant):
            next(sent)
            found += part.widths
            continue
        found += _of_slot(part, _origin(part, planned.literals), next(sent))
        if (group := planned.groups.get(part.ordinal)) is not None:
            row = (planned.plan.template or ())[i + 2 - 2 * group.width : i + 1]
            found += _of_rows([part for part in row if isinstance(part, Slot)], group, sent)
    return tuple(found)


def _origin(slot: Slot, literals: Sequence[bytes]) -> int:
    """The characters of the client's text that a slot stands for."""
    if slot.elements is not None:
        taken = [literals[item.ordinal] for item in slot.elements if item.ordinal >= 0]
        return slot.lead + sum(len(token.decode()) for token in taken)
    token = literals[slot.ordinal] if slot.ordinal >= 0 else b""
    return slot.lead + len(slot.fixed or token.decode())


def _of_slot(slot: Slot, origin: int, sent: int) -> Widths:
    return ((origin, sent),) if slot.role is None else ((0, sent), (origin, 0))


def _of_rows(slots: Sequence[Slot], group: Group, sent: Iterator[int]) -> Iterator[tuple[int, int]]:
    for row in group.rows:
        yield (next(sent),) * 2  # the separator
        for slot, literal in zip(slots, row, strict=True):
            yield from _of_slot(slot, len(literal.decode()), next(sent))
            yield (next(sent),) * 2  # what stands between two literals
