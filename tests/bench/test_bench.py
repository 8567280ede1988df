"""`make bench` with so little to do that it takes a moment: every row of the table is there."""

from __future__ import annotations

import sys

import pytest

from bench.__main__ import main
from bench.contenders import DIRECT, FORWARDER, PGBOUNCER, PGVEIL
from bench.pgbench import Pgbench
from bench.workloads import workloads

TINY = ["--rounds=1", "--transactions=5", "--clients=2", "--rows=200", "--inserts=100", "--scale=1"]


def test_the_table_has_a_row_for_each_workload(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(TINY) == 0, capsys.readouterr().err
    printed = capsys.readouterr().out
    header, *rows = printed.splitlines()[1:]
    for name in (DIRECT, FORWARDER, PGVEIL):
        assert name in header or name in rows[0]
    names = [row.name for row in workloads(Pgbench.__new__(Pgbench), 1, 1)]
    assert [row[:32].rstrip() for row in rows if " tx/s " in row or " rows/s " in row] == names
    assert [row[:32].rstrip() for row in rows if row.startswith("RSS")] == [
        "RSS, idle",
        "RSS, after all of this",
    ]


def test_without_pgbouncer_the_ratios_are_to_the_direct_connection(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = [*TINY, "--only=by key, prepared", "--contenders", DIRECT, PGVEIL]
    assert main(arguments) == 0, capsys.readouterr().err
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("select by key")]
    assert DIRECT in row
    assert PGBOUNCER not in row


def test_what_does_not_start_ends_with_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert main([*TINY, "--contenders", PGVEIL]) == 2
    assert capsys.readouterr().err.startswith("bench: pgveil keys init")
