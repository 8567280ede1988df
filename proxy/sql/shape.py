"""The shape of a statement: its text without literals, so that drivers that interpolate share plans.

One regular expression splits a text at its literals; what it cannot split with certainty (dollar quotes,
bit strings, backslashes outside E'') keeps its whole text as its shape. Whether the split agrees with
PostgreSQL's own scanner is checked once, when the plan is made.
Lexical structure: PostgreSQL documentation, 4.1.
"""

from __future__ import annotations

import re

_SPLIT = re.compile(
    rb"""(
      (?<![\w$\x80-\xff&])[eE]'(?:[^'\\]|''|\\.)*'       # string with escapes
    | (?<![\w$\x80-\xff&])'(?:[^'\\]|'')*'               # plain string
    | (?<![\w$\x80-\xff.])\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w$.\x80-\xff])  # number
    | "(?:[^"]|"")*"                                     # quoted identifier
    | --[^\r\n]*                                         # comment
    )""",
    re.VERBOSE | re.DOTALL,
)
# What the split does not understand: dollar quotes, block comments, bit and Unicode strings, backslashes.
_HARD = re.compile(rb"""/\*|\$(?!\d)|(?<![\w$\x80-\xff])(?:[bBxXnN]|[uU]&)['"]|\\""")
_LONGEST = 1 << 16  # longer texts are planned each time and not kept

Shape = bytes


def split(text: bytes) -> tuple[Shape, list[bytes], list[bytes]] | None:
    """Split a UTF-8 text: its shape, the constant parts, and the literals between them.

    `parts[0] + literals[0] + parts[1] + ...` is the text again. None for a text that cannot be split.
    """
    if len(text) > _LONGEST:
        return None
    pieces = _SPLIT.split(text)
    if len(pieces) == 1:
        return (text, pieces, []) if _HARD.search(text) is None else None
    parts, literals, key = _sort(pieces)
    shape = b"\0".join(key)
    if _HARD.search(shape) is not None:
        return None
    return shape, parts, literals


def _sort(pieces: list[bytes]) -> tuple[list[bytes], list[bytes], list[bytes]]:
    parts, literals, key = [pieces[0]], [], [pieces[0]]
    for i in range(1, len(pieces), 2):
        piece, following = pieces[i], pieces[i + 1]
        first = piece[0]
        if first in b'"-':  # a quoted identifier or a comment belongs to the shape
            parts[-1] += piece + following
            key[-1] += piece + following
            continue
        literals.append(piece)
        parts.append(following)
        # the kind of the literal stands in the shape, for an operator may exist for one kind only
        key.append((b"s" if first == 0x27 else b"e" if first in b"eE" else b"n") + following)
    return parts, literals, key
