"""The split of a text at its literals finds what PostgreSQL's scanner finds, or is declined."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st
from pglast import parser

from proxy.sql import shape
from proxy.sql.literal import LITERAL_TOKENS
from proxy.sql.shape import Split

_CHARACTERS = st.text("ab'\"\\$-/*,() \n\té1.e_", max_size=8)
_PLAIN = _CHARACTERS.map(lambda body: "'" + body.replace("'", "''") + "'")
_ESCAPED = _CHARACTERS.map(lambda body: "E'" + body.replace("\\", "\\\\").replace("'", "\\'") + "'")
_NUMBER = st.sampled_from(
    ["0", "7", "12", "3.5", "1e5", "2E-3", "1.", ".5", "0x1F", "1_000", "1e", "12abc", "1..3"]
)
_LITERAL = st.one_of(_PLAIN, _ESCAPED, _NUMBER)
_OTHER = st.sampled_from(
    [
        *(
            "SELECT",
            "x",
            "IN (",
            "VALUES (",
            ")",
            "), (",
            ",",
            ", ",
            "=",
            "$1",
            "a$1",
            "x.",
            "::",
            ";",
            "\n",
            " ",
            "-",
        ),
        *(
            "--c'\n",
            "-- '",
            "/*",
            "*/",
            "/*'*/",
            '"q\'"',
            '"q""',
            "$$",
            "$t$",
            "$t$a'$t$",
            "U&'",
            'U&"',
            "B'01'",
        ),
        *("X'1f'", "N'a'", "e", "E", "é", "\\", "'", '"', "in('a','b')", "(", "@", "a$in (", "values("),
    ]
)
SOUP = st.lists(st.one_of(_OTHER, _LITERAL), max_size=14).flatmap(
    lambda parts: st.sampled_from(["", " "]).map(lambda joint: joint.join(parts))
)
# What is split in practice: statements with literals between constant words.
_ROW = st.lists(_LITERAL, min_size=1, max_size=3).map(", ".join)
STATEMENT = st.one_of(
    st.lists(_LITERAL, min_size=1, max_size=9).map(
        lambda many: f"SELECT 1 FROM t WHERE x IN ({', '.join(many)})"
    ),
    st.lists(_ROW, min_size=1, max_size=9).map(lambda rows: f"INSERT INTO t VALUES ({'), ('.join(rows)})"),
    st.lists(_LITERAL, min_size=1, max_size=4).map(lambda many: f"UPDATE t SET a = {', b = '.join(many)}"),
)


def split(text: bytes) -> Split | None:
    return shape.split(shape.pieces_of(text))


def pieces_of(found: Split) -> list[tuple[bytes, bool]]:
    """The whole text in pieces, groups included: (bytes, whether they are a literal)."""
    pieces = [(found.parts[0], False)]
    for i, literal in enumerate(found.literals):
        pieces.append((literal, True))
        if (group := found.groups.get(i)) is not None:
            for separator, row in zip(group.separators, group.rows, strict=True):
                pieces.append((separator, False))
                for j, member in enumerate(row):
                    pieces += [(member, True)] if j == 0 else [(group.inner[j - 1], False), (member, True)]
        pieces.append((found.parts[i + 1], False))
    return pieces


def spans(pieces: list[tuple[bytes, bool]]) -> list[tuple[int, int]]:
    """Where the literals stand, in bytes."""
    found, at = [], 0
    for piece, literal in pieces:
        if literal:
            found.append((at, at + len(piece)))
        at += len(piece)
    return found


def scanned(text: bytes) -> tuple[list[tuple[int, int]], list[str]] | None:
    """Where the scanner finds literals, and the names of all tokens; None for what it cannot read."""
    try:
        tokens = parser.scan(text.decode())
    except parser.ParseError:
        return None
    in_bytes = [len(text.decode()[: token.start].encode()) for token in tokens]
    ends = [len(text.decode()[: token.end + 1].encode()) for token in tokens]
    literals = [
        (start, end)
        for token, start, end in zip(tokens, in_bytes, ends, strict=True)
        if token.name in LITERAL_TOKENS
    ]
    names = ["NUMBER" if token.name in ("ICONST", "FCONST") else token.name for token in tokens]
    return literals, names


@given(st.one_of(SOUP, STATEMENT))
def test_pieces_make_the_text_again(text: str) -> None:
    found = split(text.encode())
    if found is not None:
        assert b"".join(piece for piece, _ in pieces_of(found)) == text.encode()


def replaced(pieces: list[tuple[bytes, bool]], values: list[int]) -> list[tuple[bytes, bool]]:
    """The same text with other literals of the same kinds."""
    choices = {
        0x27: [b"''", b"'x'", b"'it''s /* -- $$ \"'", "'é'".encode(), b"'\n'"],
        0x45: [b"E''", b"E'\\''", b"E'\\\\'", b"E'a''b -- '"],
    }
    numbers = [b"0", b"42", b"3.14", b"6e7", b"9.0E-1"]
    other, i = [], 0
    for piece, literal in pieces:
        if literal:
            options = choices.get(piece[0] & ~0x20 if piece[:1] in b"eE" else piece[0], numbers)
            other.append((options[values[i % len(values)] % len(options)], True))
            i += 1
        else:
            other.append((piece, False))
    return other


@given(st.one_of(SOUP, STATEMENT), st.lists(st.integers(0, 9), min_size=1, max_size=9))
def test_texts_of_one_shape_have_one_structure(text: str, values: list[int]) -> None:
    """If the scanner agrees with the split of one text, it does with every text of its shape."""
    found = split(text.encode())
    assume(found is not None)
    assert found is not None
    pieces = pieces_of(found)
    structure = scanned(text.encode())
    assume(structure is not None)
    assert structure is not None
    if structure[0] != spans(pieces):
        return  # the planner sees that too, and keeps nothing
    others = replaced(pieces, values)
    other = b"".join(piece for piece, _ in others)
    again = split(other)
    assert again is not None
    assert again.shape == found.shape
    assert scanned(other) == (spans(others), structure[1])


@given(STATEMENT)
def test_ordinary_statements_are_split_where_the_scanner_does(text: str) -> None:
    """What is left to the slow path: backslashes, and numbers in rare spellings."""
    rare = any(
        number in text for number in ("1.", ".5", "0x1F", "1_000", "1e", "12abc", "\\", "$", "/*", "--")
    )
    assume(not rare)
    found = split(text.encode())
    assert found is not None
    structure = scanned(text.encode())
    assert structure is not None
    assert spans(pieces_of(found)) == structure[0]


def test_long_lists_share_one_shape() -> None:
    def shape(count: int) -> bytes:
        listed = ", ".join(f"'{i}'" for i in range(count))
        found = split(f"SELECT 1 FROM t WHERE x IN ({listed}) AND y = 3".encode())
        assert found is not None
        return found.shape

    assert shape(6) == shape(6000)
    assert shape(6) != shape(1) or len(shape(6000)) < 100


def test_a_text_without_literals_is_its_own_shape() -> None:
    found = split(b"SELECT x FROM t")
    assert found is not None
    assert (found.shape, found.literals) == ((b"SELECT x FROM t",), [])


def test_declines_what_it_cannot_read() -> None:
    for text in (rb"SELECT 'a\b'", b"SELECT $$a$$", b"SELECT /* 'a' */ 1", b"SELECT U&'a'", b"SELECT X'1f'"):
        assert split(text) is None
