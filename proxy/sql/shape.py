"""The shape of a statement: its text without literals, so that drivers that interpolate share plans.

One regular expression splits a text at its literals; what it cannot split with certainty (dollar quotes,
bit strings, backslashes outside E'') keeps its whole text as its shape. Whether the split agrees with
PostgreSQL's own scanner is checked once, when the plan is made.
Lexical structure: PostgreSQL documentation, 4.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# Every alternative looks back at the character that the class before it has taken: a pattern that begins with
# a class is searched for in one loop of the engine, which is what makes this fast. So does a class of few
# letters: an E before a string is left to the part before it, and put right where it matters (`_prefix`).
_SPLIT = re.compile(
    rb"""(['"0-9-](?:
      (?<=[0-9])(?<![\w$\x80-\xff.].)[0-9]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w$.\x80-\xff])  # number
    | (?<=')(?<![\w$\x80-\xff&].)[^'\\]*(?:''[^'\\]*)*'             # plain string
    | (?<=[eE]')(?<![\w$\x80-\xff&][eE].)(?:[^'\\]|''|\\.)*'       # string with escapes, behind its E
    | (?<=")[^"]*(?:""[^"]*)*"                                      # quoted identifier
    | (?<=-)-[^\r\n]*                                               # comment
    ))""",
    re.VERBOSE | re.DOTALL,
)
# What the split does not understand: dollar quotes, block comments, bit and Unicode strings, backslashes.
_DOLLAR = re.compile(rb"\$(?!\d)")
_PREFIXED = re.compile(rb"""(?<![\w$\x80-\xff])(?:[bBxXnN]|[uU]&)['"]""")
_IN_LIST = re.compile(rb"\bin\s*\(\s*\Z", re.IGNORECASE)
_COMMA = re.compile(rb"\s*,\s*\Z")
_VALUES = re.compile(rb"\bvalues\s*\(\s*\Z", re.IGNORECASE)
_NEXT_ROW = re.compile(rb"\s*\)\s*,\s*\(\s*\Z")
_FEW = 4  # shorter lists stay as they are


Shape = tuple[bytes | int, ...]  # the parts, then the kinds of the literals

_NUMBER, _STRING, _ESCAPED = range(3)
_QUOTE, _E = 0x27, (b"E", b"e")
_KINDS = dict.fromkeys(b"0123456789", _NUMBER) | {0x27: _STRING, 0x45: _ESCAPED, 0x65: _ESCAPED}


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of literals that stand where the split keeps only the first: a long IN list, rows of VALUES.

    `rows` are the literals of the rows after the first; `separators` what stands before each of them;
    `inner` what stands between the literals of a row.
    """

    width: int
    rows: list[list[bytes]]
    separators: list[bytes]
    inner: list[bytes]

    def raw(self) -> bytes:
        """The text of the rows as it came."""
        pieces = []
        for separator, row in zip(self.separators, self.rows, strict=True):
            pieces.append(separator + row[0])
            pieces += [between + literal for between, literal in zip(self.inner, row[1:], strict=True)]
        return b"".join(pieces)


@dataclass(slots=True)  # not frozen, which would make it three times as dear
class Split:
    """A text split at its literals: `parts[0] + literals[0] + parts[1] + ...`, groups shortened to one row.

    `groups` are by the ordinal of the last literal of the row that is kept: the others follow it.
    """

    shape: Shape
    parts: list[bytes]
    literals: list[bytes]
    groups: dict[int, Group] = field(default_factory=dict)

    def text(self) -> bytes:
        """The text that is analysed: the original with its groups shortened."""
        pieces = [self.parts[0]]
        for literal, part in zip(self.literals, self.parts[1:], strict=True):
            pieces += [literal, part]
        return b"".join(pieces)


def pieces_of(text: bytes) -> list[bytes]:
    """A text cut at its literals and quoted identifiers: constant parts at even places, these at odd ones."""
    return _SPLIT.split(text)


def shape_of(pieces: list[bytes]) -> Shape:
    """The shape: the constant parts, and for each odd piece its kind, or itself if it is no literal.

    An operator may exist for one kind of literal only, so that the kinds belong to it.
    """
    if len(pieces) == 3:  # what most texts are that an application repeats
        literal = pieces[1]
        return (pieces[0], pieces[2], _KINDS.get(literal[0], literal))
    return (*pieces[::2], *[_KINDS.get(piece[0], piece) for piece in pieces[1::2]])


def literals_of(pieces: list[bytes]) -> list[bytes]:
    """The literals of a cut text."""
    return [
        _prefix(pieces[i - 1], pieces[i]) + pieces[i]
        for i in range(1, len(pieces), 2)
        if pieces[i][0] in _KINDS
    ]


def _prefix(part: bytes, literal: bytes) -> bytes:
    """The E of a string with escapes, which is the end of the part before it."""
    return part[-1:] if literal[0] == _QUOTE and part[-1:] in _E else b""


def split(pieces: list[bytes]) -> Split | None:
    """Split a cut text; None for one that cannot be split with certainty."""
    parts, literals = _sort(pieces)
    groups: dict[int, Group] = {}
    if len(literals) > _FEW:
        parts, literals, groups = _shorten(parts, literals)
    if groups:
        pieces = [part for pair in zip(parts, [*literals, b""], strict=True) for part in pair][:-1]
    shape = shape_of(pieces)
    return None if any(_is_hard(part) for part in parts) else Split(shape, parts, literals, groups)


def _is_hard(shape: bytes) -> bool:
    """Whether it holds what the split does not understand. Most shapes hold nothing that could be that."""
    return (
        b"\\" in shape
        or b"/*" in shape
        or (b"$" in shape and _DOLLAR.search(shape) is not None)
        or ((b"'" in shape or b'"' in shape) and _PREFIXED.search(shape) is not None)
    )


def _sort(pieces: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Constant parts and literals; a quoted identifier or a comment belongs to its part."""
    parts, literals = [pieces[0]], []
    for i in range(1, len(pieces), 2):
        piece = pieces[i]
        if piece[0] in b'"-':
            parts[-1] += piece + pieces[i + 1]
        else:
            prefix = _prefix(parts[-1], piece)
            parts[-1] = parts[-1].removesuffix(prefix)
            literals.append(prefix + piece)
            parts.append(pieces[i + 1])
    return parts, literals


def _kind(literal: bytes) -> int:
    return _KINDS[literal[0]]


# --- long lists ------------------------------------------------------------------------------------------


def _shorten(parts: list[bytes], literals: list[bytes]) -> tuple[list[bytes], list[bytes], dict[int, Group]]:
    """Keep the first row of each group only."""
    short_parts, short_literals, groups = [parts[0]], [], {}
    i = 0
    while i < len(literals):
        width = _row_width(parts, i)
        count = _rows(parts, literals, i, width) if width else 1
        taken = width or 1
        short_literals += literals[i : i + taken]
        short_parts += parts[i + 1 : i + taken]
        if count > _FEW:
            groups[len(short_literals) - 1] = _group(parts, literals, i, width, count)
            i += width * count
        else:
            i += taken
        short_parts.append(parts[i])
    return short_parts, short_literals, groups


def _row_width(parts: list[bytes], i: int) -> int:
    """How many literals a row has that begins with literal i; 0 if none begins there."""
    if _IN_LIST.search(parts[i]):
        return 1
    if not _VALUES.search(parts[i]):
        return 0
    width = 1
    while i + width < len(parts) - 1 and _COMMA.match(parts[i + width]):
        width += 1
    return width


def _rows(parts: list[bytes], literals: list[bytes], i: int, width: int) -> int:
    """How many rows of the same form follow each other."""
    inner = parts[i + 1 : i + width]
    kinds = [_kind(literal) for literal in literals[i : i + width]]
    follows = _COMMA if width == 1 and _IN_LIST.search(parts[i]) else _NEXT_ROW
    count, at = 1, i + width
    while (
        at + width <= len(literals)
        and follows.match(parts[at])
        and parts[at + 1 : at + width] == inner
        and [_kind(literal) for literal in literals[at : at + width]] == kinds
    ):
        count, at = count + 1, at + width
    return count


def _group(parts: list[bytes], literals: list[bytes], i: int, width: int, count: int) -> Group:
    starts = range(i + width, i + width * count, width)
    return Group(
        width,
        [literals[start : start + width] for start in starts],
        [parts[start] for start in starts],
        parts[i + 1 : i + width],
    )
