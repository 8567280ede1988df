"""COPY streams as they come from clients, in pieces of any size."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from proxy.errors import Refused, ServerError
from proxy.session.copy import CopyOptions, Transform, copy_transformer
from proxy.session.copy_binary import SIGNATURE

Transforms = list[Transform | None]


def sealed(value: bytes) -> bytes:
    return b"<" + value.hex().encode() + b">"


def shout(value: bytes) -> bytes:
    return value.upper()


def stream(options: CopyOptions, transforms: Transforms, data: bytes, piece: int = 0) -> bytes:
    """The data transformed, fed whole or in pieces of that many bytes."""
    transformer = copy_transformer(options, transforms)
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)] if piece else [data]
    return b"".join([transformer.feed(piece) for piece in pieces]) + transformer.finish()


def check(options: CopyOptions, transforms: Transforms, data: bytes, expected: bytes) -> None:
    for piece in (0, 1, 2, 3, 5):
        assert stream(options, transforms, data, piece) == expected


def fails(options: CopyOptions, transforms: Transforms, data: bytes, sqlstate: str = "22P04") -> None:
    for piece in (0, 1, 3):
        with pytest.raises(ServerError) as caught:
            stream(options, transforms, data, piece)
        assert caught.value.sqlstate == sqlstate


TEXT = CopyOptions("text")
CSV = CopyOptions("csv")
SECOND: Transforms = [None, shout]
BOTH: Transforms = [shout, shout]

TEXT_CASES = {
    "plain rows": (TEXT, SECOND, b"a\tb\nc\td\n", b"a\tB\nc\tD\n"),
    "no end of the last line": (TEXT, SECOND, b"a\tb\nc\td", b"a\tB\nc\tD"),
    "nothing at all": (TEXT, SECOND, b"", b""),
    "NULL and almost NULL": (TEXT, SECOND, b"a\t\\N\na\t\\\\n\na\tN\n", b"a\t\\N\na\t\\\\N\na\tN\n"),
    "a NULL marker of one's own": (CopyOptions("text", null=""), SECOND, b"a\t\na\tn\n", b"a\t\na\tN\n"),
    "escapes of letters": (TEXT, [None, bytes], b"a\t\\b\\f\\n\\r\\t\\v\\q\\\\\n", None),
    "numbers": (TEXT, SECOND, b"a\t\\x61\\141\\x9\\7z\\xg\n", b"a\tAA\\t\x07ZXG\n"),
    "an escaped delimiter is data": (TEXT, SECOND, b"a\\\tx\tb\\\tc\n", b"a\\\tx\tB\\tC\n"),
    "an escaped end of line is data": (TEXT, SECOND, b"a\\\nx\tb\\\nc\n", b"a\\\nx\tB\\nC\n"),
    "an escaped escape is not": (TEXT, SECOND, b"a\\\\\tb\\\\\nc\td\n", b"a\\\\\tB\\\\\nc\tD\n"),
    "untouched fields keep their bytes": (TEXT, SECOND, b"\\x61\\q\\101\tb\n", b"\\x61\\q\\101\tB\n"),
    "a delimiter of one's own": (CopyOptions("text", delimiter="|"), SECOND, b"a|b\\|\tc\n", b"a|B\\|\\tC\n"),
    "carriage return and newline": (TEXT, SECOND, b"a\tb\r\nc\td\r\n", b"a\tB\r\nc\tD\r\n"),
    "carriage return only": (TEXT, SECOND, b"a\tb\rc\td\r", b"a\tB\rc\tD\r"),
    "the end marker, and what comes after it": (TEXT, SECOND, b"a\tb\n\\.\nanything\n", b"a\tB\n\\.\n"),
    "the end marker with both": (TEXT, SECOND, b"a\tb\r\n\\.\r\nanything", b"a\tB\r\n\\.\r\n"),
    "the end marker at the very end": (TEXT, SECOND, b"a\tb\n\\.", b"a\tB\n\\."),
    "a header": (CopyOptions("text", header=True), SECOND, b"x\ty\na\tb\n", b"x\ty\na\tB\n"),
    "a DEFAULT marker": (CopyOptions("text", default="\\D"), BOTH, b"\\D\tb\nD\t\\D\n", b"\\D\tB\nD\t\\D\n"),
    "a backslash at the very end is dropped": (TEXT, SECOND, b"a\tb\\", b"a\tB"),
    "UTF-8": (TEXT, [None, bytes], "ä\t\u00e9\U0001f600\n".encode(), "ä\té\U0001f600\n".encode()),
}
CSV_CASES = {
    "plain rows": (CSV, SECOND, b"a,b\nc,d\n", b"a,B\nc,D\n"),
    "no end of the last line": (CSV, SECOND, b'a,b\nc,"d"', b"a,B\nc,D"),
    "NULL is empty and not quoted": (CSV, SECOND, b'a,\na,""\n', b'a,\na,""\n'),
    "quotes where they are needed": (CSV, SECOND, b'a,"b,c"\na,"b""c"\na,"b\nc"\n', None),
    "no quotes where they are not": (CSV, SECOND, b'a,"b"\n', b"a,B\n"),
    "quotes in the middle": (CSV, SECOND, b'a,b"c,d"e\n', b'a,"BC,DE"\n'),
    "untouched fields keep their bytes": (CSV, SECOND, b'"a",b\na"b,\n"""c,d\n', b'"a",B\na"b,\n"""c,D\n'),
    "ends of lines in quotes": (CSV, [None, bytes], b'"a\r\n\r",b\n"\n",c\n', b'"a\r\n\r",b\n"\n",c\n'),
    "carriage return and newline": (CSV, SECOND, b'a,"b\nc"\r\nd,\r\n', b'a,"B\nC"\r\nd,\r\n'),
    "carriage return only": (CSV, SECOND, b'a,"b\nc\r"\rd,e\r', b'a,"B\nC\r"\rd,E\r'),
    "a delimiter and quote of one's own": (
        CopyOptions("csv", delimiter=";", quote="'"),
        SECOND,
        b"a;'b;''c'\n\",d;,\n",
        b"a;'B;''C'\n\",d;,\n",
    ),
    "an escape of one's own": (
        CopyOptions("csv", escape="\\"),
        SECOND,
        b'a,"b\\"c\\\\"\nx\\,\\d\n"\\"\n",e\n"\\\\",f\n"\\q",g\n',
        b'a,"B\\"C\\\\"\nx\\,\\D\n"\\"\n",E\n"\\\\",F\n"\\q",G\n',
    ),
    "a NULL marker of one's own": (
        CopyOptions("csv", null="nil"),
        SECOND,
        b'a,nil\na,"nil"\na,\n',
        b"a,nil\na,NIL\na,\n",
    ),
    "FORCE_NULL": (
        CopyOptions("csv", null="nil", force_null=frozenset("b"), columns=("a", "b")),
        BOTH,
        b'"nil","nil"\nnil,nil\n',
        b'NIL,"nil"\nnil,nil\n',
    ),
    "FORCE_NOT_NULL": (
        CopyOptions("csv", force_not_null=frozenset("b"), columns=("a", "b")),
        [sealed, sealed],
        b"a,\n,b\n",
        b"<61>,<>\n,<62>\n",
    ),
    "FORCE_QUOTE": (
        CopyOptions("csv", force_quote=frozenset("b"), columns=("a", "b")),
        BOTH,
        b'a,"b"\nc,\n',
        b'A,"B"\nC,\n',
    ),
    "a header with a line end": (CopyOptions("csv", header=True), SECOND, b'"x\ny",z\na,b\n', None),
    "a DEFAULT marker": (
        CopyOptions("csv", default="\\D"),
        BOTH,
        b'\\D,b\na,"\\D"\n',
        b'\\D,B\nA,"\\D"\n',
    ),
    "the end marker before 18": (
        CopyOptions("csv", server_version=170_000),
        [sealed],
        b"a\n\\.\nanything\n",
        b"<61>\n\\.\n",
    ),
    "no end marker from 18 on": (CSV, [sealed], b"a\n\\.\nb\n", b"<61>\n<5c2e>\n<62>\n"),
    "an end marker that is quoted is data": (CSV, [bytes], b'"\\."\n', b'"\\."\n'),
    "the only field is empty": (CSV, [sealed], b'\n""\na\n', b"\n<>\n<61>\n"),
}
SAME_AGAIN = {
    "escapes of letters": b"a\t\\b\\f\\n\\r\\t\\vq\\\\\n",
    "quotes where they are needed": b'a,"B,C"\na,"B""C"\na,"B\nC"\n',
    "a header with a line end": b'"x\ny",z\na,B\n',
}


@pytest.mark.parametrize("name", TEXT_CASES)
def test_text(name: str):
    options, transforms, data, expected = TEXT_CASES[name]
    check(options, transforms, data, SAME_AGAIN[name] if expected is None else expected)


@pytest.mark.parametrize("name", CSV_CASES)
def test_csv(name: str):
    options, transforms, data, expected = CSV_CASES[name]
    check(options, transforms, data, SAME_AGAIN[name] if expected is None else expected)


@pytest.mark.parametrize(
    ("options", "data"),
    [
        (TEXT, b"a\n"),
        (TEXT, b"a\tb\tc\n"),
        (TEXT, b"\n"),
        (TEXT, b"a\tb\nc\td\r\n"),
        (TEXT, b"a\tb\r\nc\td\n"),
        (TEXT, b"a\tb\rc\td\n"),
        (TEXT, b"a\tb\r\nc\td\r"),
        (TEXT, b"a\tb\r\nc\td\\\r\n"),
        (TEXT, b"a\tb\\.\n"),
        (TEXT, b"\\.a\tb\n"),
        (CSV, b"a\n"),
        (CSV, b"a,b,c\n"),
        (CSV, b'a,"b\n'),
        (CSV, b'a,"b'),
        (CSV, b"a,b\nc,d\r\n"),
        (CSV, b"a,b\r\nc,d\n"),
        (CSV, b"a,b\rc,d\n"),
        (CopyOptions("csv", escape="\\"), b'a,"b\\"\n'),
        (CopyOptions("text", encoding="latin-1"), b"a\t\\xe9\n"),
        (CopyOptions("text", encoding="latin-1"), b"a\t\\351\n"),
    ],
)
def test_rows_that_postgresql_would_not_take(options: CopyOptions, data: bytes):
    fails(options, BOTH, data)


def test_a_nul_in_a_protected_value_is_refused():
    fails(TEXT, BOTH, b"a\t\\0\n", "22021")
    fails(TEXT, BOTH, b"a\tb\0\n", "22021")
    fails(CSV, BOTH, b"a,b\0\n", "22021")


def test_a_value_that_force_null_would_lose_is_an_error():
    options = CopyOptions("csv", null="A", force_null=frozenset("x"), columns=("x",))
    fails(options, [shout], b"a\n", "XX000")


def test_an_error_names_the_column_that_is_missing():
    with pytest.raises(ServerError, match='missing data for column "y"'):
        stream(CopyOptions("text", columns=("x", "y")), BOTH, b"a\n")


@pytest.mark.parametrize("options", [TEXT, CSV, CopyOptions("binary")])
def test_what_a_transform_raises_comes_out(options: CopyOptions):
    def failing(value: bytes) -> bytes:
        raise ServerError("no", sqlstate="22P02")

    data = binary([b"a"]) if options.format == "binary" else b"a\n"
    fails(options, [failing], data, "22P02")


def binary(*rows: list[bytes | None], flags: int = 0, extension: bytes = b"", trailer: bool = True) -> bytes:
    """A stream of COPY's binary format."""
    pieces = [SIGNATURE, flags.to_bytes(4, "big"), len(extension).to_bytes(4, "big"), extension]
    for row in rows:
        pieces.append(len(row).to_bytes(2, "big"))
        for value in row:
            size = -1 if value is None else len(value)
            pieces += (size.to_bytes(4, "big", signed=True), value or b"")
    return b"".join(pieces) + (b"\xff\xff" if trailer else b"")


BINARY = CopyOptions("binary")


def test_binary():
    transforms: Transforms = [None, shout, None, shout]
    check(
        BINARY,
        transforms,
        binary([b"a", b"b", None, b"d"], [None, None, b"", None], [b"e", b"", b"g", b"hh" * 99]),
        binary([b"a", b"B", None, b"D"], [None, None, b"", None], [b"e", b"", b"g", b"HH" * 99]),
    )
    check(BINARY, [sealed], binary([b"a"], extension=b"more"), binary([b"<61>"], extension=b"more"))
    check(BINARY, [sealed], binary([b"a"], flags=7, trailer=False), binary([b"<61>"], flags=7, trailer=False))
    check(BINARY, [sealed], binary(), binary())


@pytest.mark.parametrize(
    "data",
    [
        b"PGCOPY\n\xff\r\r\0" + bytes(8),
        binary([b"a"], flags=1 << 16),
        binary([b"a"], flags=1 << 31),
        binary([b"a", b"b"]),
        binary([]),
        binary([b"a"]) + b"x",
        binary([b"a"], trailer=False) + b"\0",
        binary([b"a"], trailer=False)[:-1],
        binary(trailer=False) + b"\0\1\xff\xff\xff\xfe",
        binary(trailer=False)[:-1],
    ],
)
def test_binary_that_postgresql_would_not_take(data: bytes):
    fails(BINARY, [sealed], data)


@pytest.mark.parametrize(
    ("options", "data"),
    [
        (CopyOptions("text", row_limit=100), b"a\tb\n" + b"x" * 300),
        (CopyOptions("text", row_limit=100), b"x" * 300),
        (CopyOptions("csv", row_limit=100), b'a,b\n"' + b"\n" * 300),
        (CopyOptions("binary", row_limit=100), binary([b"a", b"b"], [b"x" * 300, b"y"])),
        (CopyOptions("binary", row_limit=100), binary(extension=b"x" * 300)),
    ],
)
def test_a_row_that_is_too_long_is_refused(options: CopyOptions, data: bytes):
    fails(options, BOTH, data, "54000")


def test_rows_leave_as_soon_as_they_are_whole():
    transformer = copy_transformer(TEXT, SECOND)
    assert [transformer.feed(p) for p in (b"a\t", b"b\nc", b"\td\n", b"e\tf")] == [
        b"",
        b"a\tB\n",
        b"c\tD\n",
        b"",
    ]
    assert transformer.finish() == b"e\tF"


@pytest.mark.parametrize(
    "encoding", ["shift_jis", "cp932", "big5", "gbk", "cp949", "gb18030", "johab", "utf-16"]
)
def test_encodings_in_which_a_backslash_may_be_half_a_character_are_refused(encoding: str):
    for kind in ("text", "csv"):
        with pytest.raises(Refused):
            copy_transformer(CopyOptions(kind, encoding=encoding), SECOND)
    assert copy_transformer(CopyOptions("binary", encoding=encoding), SECOND).finish


@pytest.mark.parametrize(
    "encoding", ["utf-8", "latin-1", "iso8859-15", "cp1252", "koi8-r", "cp866", "euc_jp"]
)
def test_encodings_that_can_be_cut(encoding: str):
    check(CopyOptions("text", encoding=encoding), SECOND, b"a\tb\n", b"a\tB\n")


@pytest.mark.parametrize(
    "options",
    [CopyOptions("json"), CopyOptions("text", delimiter="ab"), CopyOptions("csv", quote="\u00e9")],
)
def test_what_is_not_known_is_refused(options: CopyOptions):
    with pytest.raises(Refused):
        copy_transformer(options, SECOND)


def test_options_as_a_statement_has_them():
    pairs = [
        ("format", "CSV"),
        ("header", "match"),
        ("force_null", "a\0b"),
        ("force_quote", "*"),
        ("null", "x"),
    ]
    options = CopyOptions.of(pairs, columns=("a", "b", "c"), encoding="latin-1", server_version=160_000)
    assert options == CopyOptions(
        "csv",
        header=True,
        null="x",
        encoding="latin-1",
        force_null=frozenset("ab"),
        force_quote=frozenset("abc"),
        columns=("a", "b", "c"),
        server_version=160_000,
    )
    assert CopyOptions.of([("encoding", "LATIN1"), ("header", "false")]) == CopyOptions(encoding="latin-1")


@pytest.mark.parametrize("pair", [("oids", "true"), ("encoding", "SJIS"), ("new_in_pg_30", "x")])
def test_options_that_are_not_known_are_refused(pair: tuple[str, str]):
    with pytest.raises(Refused):
        CopyOptions.of([pair])


UPPER: Callable[[bytes], bytes] = bytes.upper


def test_a_long_first_row_in_small_pieces_takes_linear_time():
    transformer = copy_transformer(CSV, [UPPER])
    out = [transformer.feed(b'"')]
    out += [transformer.feed(b"\n" * 100 + b"x" * 900) for _ in range(3000)]
    out += [transformer.feed(b'"\n'), transformer.finish()]
    assert b"".join(out) == b'"' + (b"\n" * 100 + b"X" * 900) * 3000 + b'"\n'
