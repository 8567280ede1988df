"""White space as C's isspace knows it, which is what PostgreSQL's input functions skip."""

from __future__ import annotations

WHITESPACE = b" \t\n\v\f\r"


def strip(raw: bytes) -> bytes:
    return raw.strip(WHITESPACE)
