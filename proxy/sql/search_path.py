"""search_path: its value as a setting, and the schemas that it stands for."""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST_NAME = 63


def parse_search_path(value: str) -> tuple[str, ...]:
    """The schemas of a search_path as SET takes it: `"$user", public`; unquoted names are folded.

    Source: `SplitIdentifierString` in PostgreSQL's varlena.c.
    """
    names: list[str] = []
    i, n = 0, len(value)
    while i < n:
        while i < n and value[i] in " \t\r\n\f\v,":
            i += 1
        if i >= n:
            break
        if value[i] == '"':
            name, i = _quoted(value, i + 1)
        else:
            start = i
            while i < n and value[i] != ",":
                i += 1
            name = _folded(value[start:i].strip())
        names.append(_cut(name))
    return tuple(names)


def _folded(name: str) -> str:
    """An unquoted name: in an encoding of several bytes only ASCII letters are folded (scansup.c)."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def _cut(name: str) -> str:
    """A name as the server keeps it: at most NAMEDATALEN - 1 bytes, cut between two characters."""
    return name.encode()[:_LONGEST_NAME].decode("utf-8", "ignore")


def _quoted(value: str, i: int) -> tuple[str, int]:
    parts: list[str] = []
    while i < len(value):
        if value[i] == '"':
            if value[i + 1 : i + 2] != '"':
                return "".join(parts), i + 1
            i += 1
        parts.append(value[i])
        i += 1
    return "".join(parts), i


def effective(path: Sequence[str], user: str) -> tuple[str, ...]:
    """The path with `$user` replaced."""
    return tuple(user if name == "$user" else name for name in path)
