"""From a plan and its literals to the text that is sent: protected literals sealed, the rest as it came."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from proxy.sql.array_literal import array_token
from proxy.sql.plan import Constant, Slot
from proxy.sql.planner import Planned
from proxy.sql.shape import Group

Seal = Callable[[Slot, bytes], bytes]
Widths = list[tuple[int, int]]  # characters of a part in the client's text, and in the server's


def render(planned: Planned, seal: Seal) -> tuple[str, Widths]:
    """The text for the server, and the widths of its parts, by which positions are mapped back.

    `seal` gives the SQL of a literal's ciphertext. Raises what it raises.
    """
    template = planned.plan.template
    assert template is not None
    pieces: list[str] = []
    widths: Widths = []
    for i, part in enumerate(template):
        if isinstance(part, Constant):
            pieces.append(part.text)
            widths.append((part.origin, len(part.text)))
            continue
        if part.elements is not None:
            sent = _literal(part, array_token(part, planned.literals), seal)
            taken = [planned.literals[item.ordinal] for item in part.elements if item.ordinal >= 0]
            origin = part.lead + sum(len(token.decode()) for token in taken)
        else:
            token = planned.literals[part.ordinal] if part.ordinal >= 0 else b""
            sent = _literal(part, token, seal)
            origin = part.lead + len(part.fixed or token.decode())
        pieces.append(sent)
        widths.append((origin, len(sent)))
        if (group := planned.groups.get(part.ordinal)) is not None:
            rows = _rows(template[i + 2 - 2 * group.width : i + 1], group, seal)
            pieces.append(rows)
            widths.append((len(group.raw().decode()), len(rows)))
    return "".join(pieces), widths


def _literal(slot: Slot, token: bytes, seal: Seal) -> str:
    return (seal(slot, token) if slot.role is not None else token).decode()


def _rows(row: Sequence[Constant | Slot], group: Group, seal: Seal) -> str:
    """The rows that follow the one of the template, which has the same form."""
    pieces: list[str] = []
    for separator, literals in zip(group.separators, group.rows, strict=True):
        pieces.append(separator.decode())
        at = 0
        for part in row:
            if isinstance(part, Constant):
                pieces.append(part.text)
            else:
                pieces.append(_literal(part, literals[at], seal))
                at += 1
    return "".join(pieces)
