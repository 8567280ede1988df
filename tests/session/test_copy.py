"""A transformer for each format, or a refusal."""

from __future__ import annotations

import pytest

from proxy.errors import Refused, ServerError
from proxy.session.copy import CopyOptions, copy_transformer
from tests.session.copying import CSV, SECOND, TEXT, binary, check, fails


@pytest.mark.parametrize("options", [TEXT, CSV, CopyOptions("binary")])
def test_what_a_transform_raises_comes_out(options: CopyOptions):
    def failing(value: bytes) -> bytes:
        raise ServerError("no", sqlstate="22P02")

    data = binary([b"a"]) if options.format == "binary" else b"a\n"
    fails(options, [failing], data, "22P02")


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
