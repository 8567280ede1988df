"""COPY's csv format."""

from __future__ import annotations

import pytest

from proxy.session.copy import CopyOptions
from tests.session.copying import BOTH, CSV, SECOND, Transforms, check, fails, sealed, shout

CSV_CASES = {
    "plain rows": (CSV, SECOND, b"a,b\nc,d\n", b"a,B\nc,D\n"),
    "no end of the last line": (CSV, SECOND, b'a,b\nc,"d"', b"a,B\nc,D"),
    "NULL is empty and not quoted": (CSV, SECOND, b'a,\na,""\n', b'a,\na,""\n'),
    "quotes where they are needed": (
        CSV,
        SECOND,
        b'a,"b,c"\na,"b""c"\na,"b\nc"\n',
        b'a,"B,C"\na,"B""C"\na,"B\nC"\n',
    ),
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
    "a header with a line end": (
        CopyOptions("csv", header=True),
        SECOND,
        b'"x\ny",z\na,b\n',
        b'"x\ny",z\na,B\n',
    ),
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


@pytest.mark.parametrize(("options", "transforms", "data", "expected"), CSV_CASES.values(), ids=CSV_CASES)
def test_rows(options: CopyOptions, transforms: Transforms, data: bytes, expected: bytes):
    check(options, transforms, data, expected)


@pytest.mark.parametrize(
    ("options", "data"),
    [
        (CSV, b"a\n"),
        (CSV, b"a,b,c\n"),
        (CSV, b'a,"b\n'),
        (CSV, b'a,"b'),
        (CSV, b"a,b\nc,d\r\n"),
        (CSV, b"a,b\r\nc,d\n"),
        (CSV, b"a,b\rc,d\n"),
        (CopyOptions("csv", escape="\\"), b'a,"b\\"\n'),
    ],
)
def test_rows_that_postgresql_would_not_take(options: CopyOptions, data: bytes):
    fails(options, BOTH, data)


def test_a_nul_in_a_protected_value_is_refused():
    fails(CSV, BOTH, b"a,b\0\n", "22021")


def test_a_value_that_force_null_would_lose_is_an_error():
    options = CopyOptions("csv", null="A", force_null=frozenset("x"), columns=("x",))
    fails(options, [shout], b"a\n", "XX000")
