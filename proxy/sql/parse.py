"""The door to pglast: a statement text to syntax trees and tokens.

All offsets are in characters of the text; pglast's own are converted by it. Token ends are exclusive here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pglast.ast
from pglast import parser

from proxy.errors import ServerError

# pglast's generated classes declare every attribute as optional, which the grammar contradicts: hence Any.
ast: Any = pglast.ast
Node = Any


@dataclass(frozen=True, slots=True)
class Token:
    """A token of the scanner: `text[start:end]`; `name` is its name in PostgreSQL's grammar."""

    start: int
    end: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed text: its statements' trees, and its tokens without comments."""

    text: str
    statements: tuple[Node, ...]
    tokens: tuple[Token, ...]
    constants: dict[int, int]  # id of an A_Const node -> offset of its first token

    def constant_at(self, node: Node) -> int:
        """Offset of a constant. pglast's nodes of constants hold none, so that it is kept apart."""
        return self.constants[id(node)]

    def text_of(self, node: Node) -> str | None:
        """The text of one of the statements, with what stands before it; None for another node."""
        index = next((i for i, statement in enumerate(self.statements) if statement is node), None)
        if index is None:
            return None
        ends = cuts(self.text)
        return self.text[ends[index - 1] if index else 0 : ends[index]]

    def token_at(self, offset: int) -> int | None:
        """Index of the token that starts at a character offset."""
        low, high = 0, len(self.tokens)
        while low < high:
            middle = (low + high) // 2
            if self.tokens[middle].start < offset:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self.tokens) and self.tokens[low].start == offset else None


class SyntaxFailure(ServerError):
    """PostgreSQL's grammar does not know the text."""

    sqlstate = "42601"


def parse(text: str) -> Parsed:
    """Parse a text of one or more statements; raises SyntaxFailure with the position, never with the text."""
    try:
        raw = parser.parse_sql(text)
        scanned = parser.scan(text)
    except parser.ParseError as error:
        offset = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], int) else None
        raise SyntaxFailure(
            "syntax error",
            detail="The statement names protected tables and does not parse as PostgreSQL 18's SQL.",
            position=offset + 1 if offset is not None and offset >= 0 else None,
        ) from None
    except RecursionError:
        raise SyntaxFailure("statement is nested too deeply", sqlstate="54001") from None
    tokens = tuple(
        Token(token.start, token.end + 1, token.name, text[token.start : token.end + 1])
        for token in scanned
        if token.name not in ("SQL_COMMENT", "C_COMMENT")
    )
    statements = tuple(statement.stmt for statement in raw)
    constants: dict[int, int] = {}
    for statement, data in zip(statements, json.loads(parser.parse_sql_json(text))["stmts"], strict=True):
        _locate(statement, data["stmt"], constants)
    if not text.isascii():
        constants = _in_characters(text, constants)
    return Parsed(text, statements, tokens, constants)


def cuts(text: str) -> list[int]:
    """Where each statement of a text ends, its semicolon included."""
    ends = [part.stop for part in parser.split(text, only_slices=True)]
    return [end + 1 if text[end : end + 1] == ";" else end for end in ends]


def parses(text: str) -> bool:
    """Whether PostgreSQL's grammar knows a text; no tree is made of it."""
    try:
        parser.parse_sql_protobuf(text)
    except parser.ParseError:
        return False
    return True


def parse_statements(text: str) -> tuple[Node, ...] | None:
    """The statements' trees of a text that is part of code, without tokens; None where it does not parse."""
    try:
        return tuple(statement.stmt for statement in parser.parse_sql(text))
    except (parser.ParseError, RecursionError):
        return None


def first_expression(statements: tuple[Node, ...]) -> Node:
    """The first expression of a SELECT list."""
    return statements[0].targetList[0].val


def _locate(node: Node, data: Any, found: dict[int, int]) -> None:
    """Walk a tree and its JSON form side by side, to learn the locations that only the latter has."""
    if data is None:
        return
    if isinstance(node, tuple):
        items = data if isinstance(data, list) else data.get("List", data).get("items", ())
        for child, part in zip(node, items, strict=False):
            _locate(child, part, found)
        return
    if not isinstance(node, ast.Node):
        return
    kind = type(node).__name__
    data = data.get(kind, data) if len(data) == 1 else data
    if kind == "A_Const":
        found[id(node)] = data.get("location", 0)
        return
    for name in node:
        value = getattr(node, name)
        if isinstance(value, ast.Node | tuple):
            _locate(value, data.get(name.rstrip("_")), found)


def _in_characters(text: str, offsets: dict[int, int]) -> dict[int, int]:
    """Byte offsets of the UTF-8 text as character offsets."""
    encoded = text.encode()
    return {node: len(encoded[:offset].decode()) for node, offset in offsets.items()}
