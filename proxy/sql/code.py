"""The code of DO blocks and functions, parsed: which tables it names, where, and what SQL it puts together.

pglast reads PL/pgSQL as PostgreSQL does. What it does not read (a signature with %TYPE, another language) is
judged by its words, as is code that runs SQL from strings (ddl.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pglast import parser

from proxy.sql.context import descendants
from proxy.sql.parse import Node, ast, first_expression, parse_statements

_STATEMENT, _EXPRESSION = 0, 2  # parseMode of a PL/pgSQL expression; 3 and more: an assignment
_ASSIGNMENT = re.compile(r"(?s)[^=:]*?:?=(.*)")
_DYNAMIC = ("PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors")


@dataclass(frozen=True, slots=True)
class Named:
    """A relation or function that code names, and the line of the body, from 1 as in PostgreSQL's CONTEXT."""

    line: int
    schema: str
    name: str


@dataclass
class Code:
    """What code does. `dynamic`: expressions whose SQL is no constant.

    `given`: strings that may be run as SQL elsewhere, as they are given to functions or have several words.
    """

    named: list[Named] = field(default_factory=list)
    dynamic: list[tuple[int, Node]] = field(default_factory=list)
    given: list[tuple[int, str]] = field(default_factory=list)


class Unreadable(Exception):
    """Code that cannot be parsed."""


def read_plpgsql(statement: str) -> Code:
    """The code of one DO, CREATE FUNCTION or CREATE PROCEDURE. Raises Unreadable."""
    try:
        functions = json.loads(parser.parse_plpgsql_json(statement))
    except (parser.ParseError, ValueError, RecursionError):
        raise Unreadable from None
    code = Code()
    for line, kind, key, expression in _expressions(functions, 1, "", ""):
        _read_expression(
            code, line, expression, dynamic=(kind in _DYNAMIC and key == "query") or key == "dynquery"
        )
    return code


def read_sql(body: str) -> Code:
    """The code of a function in SQL. Raises Unreadable."""
    code = Code()
    _read_statements(code, body, 1)
    return code


def read_nodes(nodes: Node) -> Code:
    """The code of a body that was parsed with its statement (BEGIN ATOMIC)."""
    code = Code()
    _read_nodes(code, nodes, None, 1)
    return code


def _expressions(node: Any, line: int, kind: str, key: str) -> Iterator[tuple[int, str, str, dict[str, Any]]]:
    """Every expression: its line, the kind of statement that it stands in, and as what, and itself."""
    if isinstance(node, list):
        for item in node:
            yield from _expressions(item, line, kind, key)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name == "PLpgSQL_expr":
                yield line, kind, key, value
            elif name.startswith("PLpgSQL_"):
                yield from _expressions(value, value.get("lineno", line), name, key)
            elif isinstance(value, dict | list):
                yield from _expressions(value, line, kind, name)


def _read_expression(code: Code, line: int, expression: dict[str, Any], *, dynamic: bool) -> None:
    query, mode = expression["query"], expression.get("parseMode", _STATEMENT)
    if mode > _EXPRESSION:
        match = _ASSIGNMENT.fullmatch(query)
        if match is None:
            raise Unreadable
        query = match[1]
    if mode == _STATEMENT:
        _read_statements(code, query, line)
        return
    nodes = parse_statements(f"SELECT {query}")
    if nodes is None:
        raise Unreadable
    _read_nodes(code, nodes, query, line, lead=len("SELECT "))
    if dynamic:
        _read_dynamic(code, line, first_expression(nodes))


def _read_dynamic(code: Code, line: int, node: Node) -> None:
    """SQL that is run: a constant is read like the code around it."""
    while isinstance(node, ast.TypeCast):
        node = node.arg
    if not (isinstance(node, ast.A_Const) and isinstance(node.val, ast.String)):
        code.dynamic.append((line, node))
        return
    nodes = parse_statements(node.val.sval)
    if nodes is None:
        raise Unreadable
    _read_nodes(code, nodes, None, line)


def _read_statements(code: Code, text: str, line: int) -> None:
    nodes = parse_statements(text)
    if nodes is None:
        raise Unreadable
    _read_nodes(code, nodes, text, line)


def _read_nodes(code: Code, nodes: Node, text: str | None, line: int, lead: int = 0) -> None:
    """Note the relations, and the strings that functions are given; `text` None: on one line."""
    for node in descendants(nodes):
        if isinstance(node, ast.RangeVar):
            code.named.append(Named(_line(node, text, line, lead), node.schemaname or "", node.relname))
        elif isinstance(node, ast.FuncCall):
            names = [part.sval for part in node.funcname]
            code.named.append(Named(_line(node, text, line, lead), "".join(names[-2:-1]), names[-1]))
            strings = [item.sval for item in descendants(node.args) if isinstance(item, ast.String)]
            code.given.append((line, "".join(strings)))
            code.given += [(line, string) for string in strings]
        elif isinstance(node, ast.A_Const) and isinstance(node.val, ast.String):
            code.given += [(line, node.val.sval)] if len(node.val.sval.split()) > 1 else []
        elif isinstance(node, ast.DoStmt | ast.CreateFunctionStmt | ast.ExecuteStmt):
            raise Unreadable


def _line(node: Node, text: str | None, line: int, lead: int) -> int:
    """The line of the body on which a name stands."""
    return line + (text[: max((node.location or 0) - lead, 0)].count("\n") if text is not None else 0)
