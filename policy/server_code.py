"""Code that runs in the server, as far as its words tell what it may do to a session.

It is not analysed: a word that could change search_path is enough; what is hidden on purpose is not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# A regular expression for PostgreSQL (`~*`) and, with \\b for \\y, for Python. SET ROLE changes "$user".
CHANGES_SEARCH_PATH = (
    r"set_config|pg_settings|\yset\y.*\ysearch_path\y|\yreset\s+(all|search_path|role|session)\y"
    r"|(^|[;'\"$(]|\y(begin|then|else|loop)\y)\s*set\s+((local|session)\s+)?(schema|role|authorization)\y"
    r"|\yset\s+session\s+authorization\y"
)
READABLE = frozenset({"sql", "plpgsql"})  # languages whose words tell something
# Made by superusers only, and called everywhere (uuid_generate_v4() is one): trusted like the server itself.
TRUSTED = frozenset({"c", "internal"})

_CHANGES = re.compile(CHANGES_SEARCH_PATH.replace(r"\y", r"\b"), re.IGNORECASE | re.DOTALL)
_JOINED = re.compile(r"'+\s*(?:\|\|\s*|\n\s*)[eE]?'+")


def may_change_search_path(body: str) -> bool:
    """Whether code in SQL or PL/pgSQL has words that change search_path."""
    return _CHANGES.search(body) is not None


def mentions(text: str, names: Iterable[str]) -> bool:
    """Whether one of the names stands in a text as a word of its own."""
    pattern = word_pattern(names)
    return bool(pattern) and re.search(pattern, text, re.IGNORECASE) is not None


def word_pattern(names: Iterable[str]) -> str:
    """A regular expression, for PostgreSQL and Python alike, that finds one of the names; empty for none."""
    words = "|".join(re.sub(r"(\W)", r"\\\1", name) for name in sorted(names))
    return rf"(^|\W)({words})(\W|$)" if words else ""


def joined(text: str) -> str:
    """The text with literals that are concatenated made one: 'us' || 'ers' is 'users'."""
    return _JOINED.sub("", text)
