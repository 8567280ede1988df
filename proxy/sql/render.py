"""From a plan and its literals to the text that is sent: protected literals sealed, the rest as it came."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from proxy.sql.array_literal import array_token
from proxy.sql.plan import Constant, Slot
from proxy.sql.planner import Planned
from proxy.sql.shape import Group

Seal = Callable[[Slot, bytes], bytes]
Widths = list[tuple[int, int]]  # characters of a part in the client's text, and in the server's


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
            pieces.append(_rows(plan.template[i + 2 - 2 * group.width : i + 1], group, seal))
    return "".join(pieces), lambda: _widths(planned, pieces)


def _widths(planned: Planned, pieces: Sequence[str]) -> Widths:
    sent = map(len, pieces)
    found: Widths = []
    for part in planned.plan.template or ():
        if isinstance(part, Constant):
            found.append((part.origin, next(sent)))
            continue
        if part.elements is not None:
            taken = [planned.literals[item.ordinal] for item in part.elements if item.ordinal >= 0]
            origin = part.lead + sum(len(token.decode()) for token in taken)
        else:
            token = planned.literals[part.ordinal] if part.ordinal >= 0 else b""
            origin = part.lead + len(part.fixed or token.decode())
        found.append((origin, next(sent)))
        if (group := planned.groups.get(part.ordinal)) is not None:
            found.append((len(group.raw().decode()), next(sent)))
    return found


def _literal(slot: Slot, token: bytes, seal: Seal) -> str:
    return (seal(slot, token) if slot.role is not None else token).decode()


def _rows(row: Sequence[Constant | Slot], group: Group, seal: Seal) -> str:
    """The rows that follow the one of the template, which has the same form."""
    slots = [part for part in row if isinstance(part, Slot)]
    between = [part.text for part in row if isinstance(part, Constant)] + [""]
    pieces: list[str] = []
    for separator, literals in zip(group.separators, group.rows, strict=True):
        pieces.append(separator.decode())
        for slot, literal, constant in zip(slots, literals, between, strict=True):
            pieces.append(_literal(slot, literal, seal))
            pieces.append(constant)
    return "".join(pieces)
