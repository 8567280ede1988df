"""The search_path that a client asks for when it connects. PostgreSQL documentation, 54.2.1 and 20.1.4."""

from __future__ import annotations

import re
from collections.abc import Mapping

_WORD = re.compile(r"(?:[^\s\\]|\\.)+", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def initial_search_path(parameters: Mapping[str, str]) -> str | None:
    """From the StartupMessage's `search_path`, which wins, or its `options` (-c name=value, --name=value)."""
    for name, value in parameters.items():
        if name.lower() == "search_path":
            return value
    found = None
    words = [_ESCAPE.sub(r"\1", word) for word in _WORD.findall(parameters.get("options", ""))]
    for i, word in enumerate(words):
        setting = None
        if word == "-c" and i + 1 < len(words):
            setting = words[i + 1]
        elif word.startswith(("-c", "--")):
            setting = word[2:]
        name, _, value = (setting or "").partition("=")
        if name.strip().lower().replace("-", "_") == "search_path":
            found = value
    return found
