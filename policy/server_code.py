"""Code that runs in the server, as far as its words tell what it may do to a session.

It is not analysed: a word that could change search_path is enough; what is hidden on purpose is not found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

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
# The escapes of E'' strings, and of U&'' strings and names by the character before their digits.
_ESCAPE = re.compile(
    r"(?P<bytes>(?:\\(?:x[0-9a-fA-F]{1,2}|[0-7]{1,3}))+)"
    r"|\\u(?P<four>[0-9a-fA-F]{4})|\\U(?P<eight>[0-9a-fA-F]{8})|\\(?P<letter>.)",
    re.DOTALL,
)
_LETTERS = dict(zip("bfnrtv", "\b\f\n\r\t\v", strict=True))
_UNICODE = r"(?:([0-9a-fA-F]{4})|\+([0-9a-fA-F]{6}))"
_UESCAPE = re.compile(r"\buescape\b(?:\s*'+([^'])'+)?", re.IGNORECASE)
_SPELLINGS = 100  # of a text; one that has more is made to hide something
_COLUMN = r'\s*\.\s*(?:"((?:[^"]|"")+)"|(\w+))'
_ROW_COLUMN = re.compile(rf"\b(?:new|old){_COLUMN}(\s*:=)?", re.IGNORECASE)
_ROW_INTO = re.compile(rf"\binto\s+(?:strict\s+)?(?:[\w.]+\s*,\s*)*new{_COLUMN}", re.IGNORECASE)
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


def row_columns(body: str) -> Iterator[tuple[str, bool]]:
    """The columns of NEW and OLD that a trigger's code uses, and whether it writes to them."""
    for quoted, plain, assigned in _ROW_COLUMN.findall(body):
        yield quoted.replace('""', '"') or plain.lower(), bool(assigned)
    for quoted, plain in _ROW_INTO.findall(body):
        yield quoted.replace('""', '"') or plain.lower(), True


def joined(text: str) -> str:
    """The text with literals that are concatenated made one: 'us' || 'ers' is 'users'."""
    return _JOINED.sub("", text)


def in_any_spelling(text: str, found: Callable[[str], object]) -> bool:
    """Whether something is found in a text, or in it with the escapes of its strings and names undone.

    Escapes within escapes are undone, too. Whether one stands where it is one is not looked at, and what
    cannot be read counts as found: more is found than there is.
    """
    marks = {match[1] for match in _UESCAPE.finditer(text)}
    seen = {text}
    waiting = [text]
    while waiting:
        outer = waiting.pop()
        if None in marks or len(seen) > _SPELLINGS or found(outer):
            return True
        inner = {_without_escapes(outer), *(_without_unicode(outer, mark) for mark in (*marks, "\\") if mark)}
        waiting += inner - seen
        seen |= inner
    return False


def _without_escapes(text: str) -> str:
    """What E'\\x75sers' is."""
    return _ESCAPE.sub(_escaped, text) if "\\" in text else text


def _escaped(match: re.Match[str]) -> str:
    if match["bytes"]:
        codes = match["bytes"].split("\\")[1:]
        numbers = [int(code[1:], 16) if code[0] == "x" else int(code, 8) & 0xFF for code in codes]
        return bytes(numbers).decode("utf-8", "replace")
    code = match["four"] or match["eight"]
    return _character(code) if code else _LETTERS.get(match["letter"], match["letter"])


def _without_unicode(text: str, mark: str) -> str:
    """What U&"\\0075sers" is, by its escape character."""
    if mark not in text:
        return text
    return re.sub(re.escape(mark) + _UNICODE, lambda match: _character(match[1] or match[2]), text)


def _character(code: str) -> str:
    number = int(code, 16)
    return chr(number) if number < 0x110000 else ""
