"""COPY's text format."""

from __future__ import annotations

import pytest

from proxy.session.copy import CopyOptions
from tests.session.copying import BOTH, SECOND, TEXT, Transforms, check, fails

TEXT_CASES = {
    "plain rows": (TEXT, SECOND, b"a\tb\nc\td\n", b"a\tB\nc\tD\n"),
    "no end of the last line": (TEXT, SECOND, b"a\tb\nc\td", b"a\tB\nc\tD"),
    "nothing at all": (TEXT, SECOND, b"", b""),
    "NULL and almost NULL": (TEXT, SECOND, b"a\t\\N\na\t\\\\n\na\tN\n", b"a\t\\N\na\t\\\\N\na\tN\n"),
    "a NULL marker of one's own": (CopyOptions("text", null=""), SECOND, b"a\t\na\tn\n", b"a\t\na\tN\n"),
    "escapes of letters": (
        TEXT,
        [None, bytes],
        b"a\t\\b\\f\\n\\r\\t\\v\\q\\\\\n",
        b"a\t\\b\\f\\n\\r\\t\\vq\\\\\n",
    ),
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


@pytest.mark.parametrize(("options", "transforms", "data", "expected"), TEXT_CASES.values(), ids=TEXT_CASES)
def test_rows(options: CopyOptions, transforms: Transforms, data: bytes, expected: bytes):
    check(options, transforms, data, expected)


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
        (CopyOptions("text", encoding="latin-1"), b"a\t\\xe9\n"),
        (CopyOptions("text", encoding="latin-1"), b"a\t\\351\n"),
    ],
)
def test_rows_that_postgresql_would_not_take(options: CopyOptions, data: bytes):
    fails(options, BOTH, data)


def test_a_nul_in_a_protected_value_is_refused():
    fails(TEXT, BOTH, b"a\t\\0\n", "22021")
    fails(TEXT, BOTH, b"a\tb\0\n", "22021")
