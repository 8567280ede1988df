"""The value of a literal as SQL spells it (PostgreSQL documentation, 4.1.2)."""

from __future__ import annotations

import re

from proxy.errors import InvalidValue

LITERAL_TOKENS = frozenset({"SCONST", "USCONST", "ICONST", "FCONST", "BCONST", "XCONST"})

_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)|''", re.DOTALL)
_UNICODE = re.compile(r"\\(\\|\+[0-9A-Fa-f]{6}|[0-9A-Fa-f]{4})|''")
_SIMPLE = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_CONTINUED = re.compile(r"'\s*\n\s*'")


def literal_value(token: str) -> str:
    """The text of a literal: a string's characters, or a number as it stands.

    Raises InvalidValue (22P06) for spellings whose value depends on the server's encoding.
    """
    first = token[:1]
    if first == "'":
        return _joined(token[1:-1]).replace("''", "'")
    if first == "$":
        tag = token[: token.index("$", 1) + 1]
        return token[len(tag) : -len(tag)]
    if first in "eE" and token[1:2] == "'":
        return _ESCAPE.sub(_unescape, _joined(token[2:-1]))
    if first in "uU" and token[1:3] == "&'":
        return _UNICODE.sub(_unicode, _joined(token[3:-1]))
    return token.replace("_", "")


def _joined(body: str) -> str:
    """A string that goes on in another line is one string."""
    return _CONTINUED.sub("", body) if "\n" in body and "'" in body else body


def _unescape(match: re.Match[str]) -> str:
    code = match.group(1)
    if code is None:
        return "'"
    if code[0] in "uU" and len(code) > 1:
        return _character(int(code[1:], 16))
    if code[0] == "x" and len(code) > 1:
        return _ascii(int(code[1:], 16))
    if code[0] in "01234567":
        return _ascii(int(code, 8))
    return _SIMPLE.get(code, code)


def _unicode(match: re.Match[str]) -> str:
    code = match.group(1)
    if code is None:
        return "'"
    return "\\" if code == "\\" else _character(int(code.lstrip("+"), 16))


def _ascii(code: int) -> str:
    if not 0 < code < 128:
        raise InvalidValue(
            "a byte escape beyond ASCII in a protected value",
            sqlstate="22P06",
            hint="Write the character itself.",
        )
    return chr(code)


def _character(code: int) -> str:
    if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise InvalidValue(
            "a surrogate or NUL escape in a protected value",
            sqlstate="22P06",
            hint="Write the character itself.",
        )
    return chr(code)
