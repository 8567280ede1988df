"""What the tests of uncommitted tables share: a table that is made, and the server's answers."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.session.playbook import (
    BIND_COMPLETE,
    CLOSE_COMPLETE,
    PARSE_COMPLETE,
    complete,
    packed,
    row,
)

CREATE = "CREATE TABLE planned (token text, label text)"
PLANNED: list[Any] = [
    *(900, "public", "planned", "r", None, [], [], None),
    [
        ["token", 1, 25, "text", -1, False, False, False, False, None],
        ["label", 2, 25, "text", -1, False, False, False, False, None],
    ],
]


def answer(
    *relations: list[Any],
    touched: tuple[int, ...] = (),
    temporary: tuple[str, ...] = (),
    functions: tuple[str, ...] = (),
) -> bytes:
    """The server's answer to an inquiry."""
    said = {
        "touched": [*touched, *(relation[0] for relation in relations)],
        "relations": list(relations),
        "schemas": ["public", "audit", "archive", "staff", "pg_catalog", "pg_toast"],
        "path": ["public"],
        "changed": bool(relations or touched),
        "temporary": list(temporary),
        "functions": list(functions),
    }
    value = base64.encodebytes(json.dumps(said).encode())
    closed = CLOSE_COMPLETE + CLOSE_COMPLETE
    return packed(closed, PARSE_COMPLETE, BIND_COMPLETE, row(value), complete("SELECT 1"), closed)


def inquiry(lines: list[str], names: str = '["planned"]') -> list[str]:
    """The lines that are no part of an inquiry, of which there has to be one."""
    start = next(i for i, line in enumerate(lines) if line.startswith("Parse pgveil.inquiry: "))
    closes = ["Close P pgveil.inquiry", "Close S pgveil.inquiry"]
    assert lines[start - 2 : start] == closes
    assert lines[start + 1 : start + 6] == [
        f"Bind pgveil.inquiry = pgveil.inquiry({names})",
        "Execute pgveil.inquiry",
        *closes,
        "Flush",
    ]
    return lines[: start - 2] + lines[start + 6 :]
