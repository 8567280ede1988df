"""Names of schemas, tables and columns as the policy writes them: as the catalogue holds them, with dots."""

from __future__ import annotations

import re

_PART = re.compile(r'"((?:[^"]|"")+)"|([^."]+)')


def qualified(*names: str) -> str:
    """Join names by dots; one that holds a dot or a double quote stands in double quotes.

    >>> qualified("public", "users", "first.name")
    'public.users."first.name"'
    """
    return ".".join(_quoted(name) for name in names)


def _quoted(name: str) -> str:
    if name and "." not in name and '"' not in name:
        return name
    return '"' + name.replace('"', '""') + '"'


def split(written: str) -> tuple[str, ...] | None:
    """The names that `qualified` joined; None if it cannot be read as names. No case is folded.

    >>> split('sales."first.name"')
    ('sales', 'first.name')
    """
    parts = []
    at = 0
    while match := _PART.match(written, at):
        quoted, plain = match.groups()
        parts.append(plain if quoted is None else quoted.replace('""', '"'))
        at = match.end()
        if at == len(written):
            return tuple(parts)
        if written[at] != ".":
            return None
        at += 1
    return None


def with_schema(written: str, parts: int) -> str:
    """A name of so many parts, the schema being public where it is left out; itself if it is no name.

    >>> with_schema('users.email', 3)
    'public.users.email'
    """
    found = split(written)
    if found is None or len(found) not in (parts - 1, parts):
        return written
    return qualified(*(("public", *found) if len(found) < parts else found))
