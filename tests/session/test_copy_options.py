"""COPY's options as a statement has them, and those that are refused."""

from __future__ import annotations

import pytest

from proxy.errors import Refused
from proxy.session.copy_options import CopyOptions


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
        header_match=True,
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
