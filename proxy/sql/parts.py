"""A text of several statements, cut into parts of one statement each, for a session that sends them apart."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from pglast import parser

from proxy.sql.parse import Node, ast, cuts


class Turn(Enum):
    """What a statement does to the transaction that it stands in."""

    NONE = auto()
    BEGIN = auto()
    COMMIT = auto()
    PREPARE = auto()  # for a commit in two phases
    OTHER = auto()  # what fails, or rolls back, outside a transaction block


_TURNS = {
    "TRANS_STMT_BEGIN": Turn.BEGIN,
    "TRANS_STMT_START": Turn.BEGIN,
    "TRANS_STMT_COMMIT": Turn.COMMIT,
    "TRANS_STMT_PREPARE": Turn.PREPARE,
    "TRANS_STMT_COMMIT_PREPARED": Turn.NONE,
    "TRANS_STMT_ROLLBACK_PREPARED": Turn.NONE,
}


@dataclass(frozen=True, slots=True)
class Part:
    """One statement, with what stands before it; `start`: characters of the text before that."""

    text: str
    start: int
    turn: Turn = Turn.NONE


def parts_of(text: str) -> tuple[Part, ...]:
    """The parts of a text, which are all of it; none where it holds no statement, or does not parse."""
    try:
        nodes = [statement.stmt for statement in parser.parse_sql(text)]
        ends = cuts(text)
    except (parser.ParseError, RecursionError):
        return ()
    starts, ends = [0, *ends[:-1]], [*ends[:-1], len(text)]
    return tuple(Part(text[starts[i] : ends[i]], starts[i], _turn(node)) for i, node in enumerate(nodes))


def _turn(node: Node) -> Turn:
    if not isinstance(node, ast.TransactionStmt):
        return Turn.NONE
    return Turn.OTHER if node.chain else _TURNS.get(node.kind.name, Turn.OTHER)
