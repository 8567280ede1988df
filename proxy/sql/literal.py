"""The value of a literal as SQL spells it (PostgreSQL documentation, 4.1.2)."""

from __future__ import annotations

import re

from proxy.errors import InvalidValue

LITERAL_TOKENS = frozenset({"SCONST", "USCONST", "ICONST", "FCONST", "BCONST", "XCONST"})

_PLAIN = re.compile(r"'((?:[^']|'')*)'", re.DOTALL)
_ESCAPED = re.compile(r"'((?:[^'\\]|''|\\.)*)'", re.DOTALL)
_SEAM = re.compile(r"\s*[\r\n]\s*(?=')")  # between the pieces of a string that goes on in another line
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)|''", re.DOTALL)
_UNICODE_ESCAPE = re.compile(r"\\(\\|\+[0-9A-Fa-f]{6}|[0-9A-Fa-f]{4}|.|\Z)|''", re.DOTALL)
_SIMPLE = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def literal_value(token: str) -> str:
    """The text of a literal: a string's characters, or a number as it stands.

    Raises InvalidValue for spellings whose value depends on the server's encoding (22P06), for escapes that
    PostgreSQL refuses (22025), and for strings with a comment between their pieces (0A000).
    """
    first = token[:1]
    if first == "'":
        return "".join(_pieces(_PLAIN, token, 0)).replace("''", "'")
    if first == "$":
        tag = token[: token.index("$", 1) + 1]
        return token[len(tag) : -len(tag)]
    if first in "eE" and token[1:2] == "'":
        return "".join(_ESCAPE.sub(_unescape, piece) for piece in _pieces(_ESCAPED, token, 1))
    if first in "uU" and token[1:3] == "&'":
        return _UNICODE_ESCAPE.sub(_unicode, "".join(_pieces(_PLAIN, token, 2)))
    return token.replace("_", "")


def _pieces(piece: re.Pattern[str], token: str, at: int) -> list[str]:
    """What stands between the quotes: several pieces where a string goes on in another line.

    An escape of E'' ends with its piece; one of U&'' may go on in the next.
    """
    pieces = []
    while (match := piece.match(token, at)) is not None:
        pieces.append(match[1])
        at = match.end()
        if at == len(token):
            return pieces
        seam = _SEAM.match(token, at)
        if seam is None:  # a comment, perhaps
            break
        at = seam.end()
    raise InvalidValue(
        "a string in several pieces as a protected value", sqlstate="0A000", hint="Write it in one piece."
    )


def _unescape(match: re.Match[str]) -> str:
    code = match.group(1)
    if code is None:
        return "'"
    if code in ("u", "U"):
        raise InvalidValue("invalid Unicode escape", sqlstate="22025")
    if code[0] in "uU":
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
    if code == "\\":
        return code
    if len(code) < 4:
        raise InvalidValue("invalid Unicode escape", sqlstate="22025")
    return _character(int(code.lstrip("+"), 16))


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
