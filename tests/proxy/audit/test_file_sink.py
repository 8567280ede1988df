"""The trail in a file: it goes on wherever a writer was killed, and nothing of what is there ever changes."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crypto.chain_key import ChainKey
from proxy.audit.chain import ChainKeys, UnknownChainKey
from proxy.audit.file_sink import head_path
from tests.proxy.audit.trails import BOTH, KEYS, entry, files_of, head_of, sink, verify_files

OTHER = ChainKey("0c0c0c0c", 3, b"c" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def events(path: Path) -> list[str]:
    """What stands in the trail, torn lines aside."""
    found = []
    for file in files_of(path):
        for line in file.read_bytes().splitlines():
            try:
                found.append(json.loads(line)["event"])
            except ValueError:
                found.append("?")
    return found


def test_records_follow_each_other(path: Path) -> None:
    sink(path).write([entry(1), entry(2)], KEYS)
    sink(path).write([entry(3)], KEYS)
    assert events(path) == ["trail opened", *["statement refused"] * 3]
    report = verify_files(path)
    assert (report.records, report.findings, report.notes) == (4, [], [])
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_file_is_sealed_and_put_away(path: Path) -> None:
    small = sink(path, rotate_size=1500)
    for number in range(12):
        small.write([entry(number)], KEYS)
    assert len(files_of(path)) > 2
    assert events(path).count("trail sealed") == len(files_of(path)) - 1
    assert events(path).count("statement refused") == 12
    report = verify_files(path)
    assert (report.findings, report.notes) == ([], [])


def test_an_old_file_is_sealed(path: Path) -> None:
    sink(path).write([entry(1)], KEYS)
    sink(path, rotate_age=0).write([entry(2)], KEYS)
    assert [len(file.read_bytes().splitlines()) for file in files_of(path)] == [3, 2]


def test_another_key_begins_another_file(path: Path) -> None:
    sink(path).write([entry(1)], KEYS)
    sink(path).write([entry(2)], BOTH)
    assert len(files_of(path)) == 2
    assert head_of(path) is not None
    report = verify_files(path)
    assert report.findings == []
    with pytest.raises(UnknownChainKey):  # a process that has not heard of the new one
        sink(path).write([entry(3)], KEYS)
    with pytest.raises(UnknownChainKey):  # or cannot read where the file before has ended
        sink(path).write([entry(3)], ChainKeys([OTHER]))


def test_what_was_written_and_not_counted_counts(path: Path) -> None:
    sink(path).write([entry(1)], KEYS)
    head = head_path(path).read_bytes()
    sink(path).write([entry(2)], KEYS)
    head_path(path).write_bytes(head)  # as if the writer had been killed before it could write the head
    assert verify_files(path).findings == []
    sink(path).write([entry(3)], KEYS)
    report = verify_files(path)
    assert (report.records, report.findings, report.notes) == (4, [], [])


@pytest.mark.parametrize("length", [1, 40, 250])
def test_a_torn_line_is_named_and_gone_on_behind(path: Path, length: int) -> None:
    sink(path).write([entry(1)], KEYS)
    before, head = path.read_bytes(), head_path(path).read_bytes()
    sink(path).write([entry(2)], KEYS)
    path.write_bytes(path.read_bytes()[: len(before) + length])
    head_path(path).write_bytes(head)
    report = verify_files(path)
    assert report.findings == []
    assert report.notes == [f"file0:3: torn: {length} bytes of a record whose writer was killed"]

    sink(path).write([entry(3)], KEYS)
    assert path.read_bytes().startswith(before)
    assert events(path) == ["trail opened", "statement refused", "?", "line torn", "statement refused"]
    report = verify_files(path)
    assert report.findings == []
    assert report.notes == [f"file0:3: torn: {length} bytes of a record whose writer was killed"]


def test_a_torn_line_in_a_file_that_is_full(path: Path) -> None:
    sink(path).write([entry(1)], KEYS)
    with path.open("ab") as file:
        file.write(b'{"v":1,"ch')
    sink(path, rotate_size=1).write([entry(2)], KEYS)
    report = verify_files(path)
    assert report.findings == []
    assert len(report.notes) == 1


class Killed(BaseException):
    """Nobody handles it, as nobody handles SIGKILL."""


class Killer:
    """Ends the process, so to speak, at the n-th call that changes anything on the disk; 0: never."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.calls = 0
        self._at = at
        for name in ("write", "fdatasync", "pwrite", "fsync", "link", "unlink"):
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            if self.calls == self._at:
                if name == "write":  # which is cut off in the middle
                    real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                raise Killed
            return real(*arguments, **options)

        return call


@pytest.mark.parametrize("at", range(1, 14))
def test_killed_at_any_step_of_beginning_a_new_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    sink(path).write([entry(1)], KEYS)
    with monkeypatch.context() as patch:
        killer = Killer(patch, at)
        try:
            sink(path, rotate_age=0).write([entry(2)], KEYS)
        except Killed:
            pass
        else:
            assert at > killer.calls, "the last step is behind us"
    assert verify_files(path).findings == []
    sink(path).write([entry(3)], KEYS)
    report = verify_files(path)
    assert report.findings == []
    assert [note for note in report.notes if "torn" not in note] == []
    whole = [event for event in events(path) if event == "statement refused"]
    assert len(whole) in (2, 3)
    assert "trail damaged" not in events(path)


def test_what_cannot_be_written_leaves_no_trace(path: Path) -> None:
    sink(path).write([entry(1)], KEYS)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            sink(path).write([entry(2)], KEYS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    sink(path).write([entry(2)], KEYS)
    report = verify_files(path)
    assert (report.records, report.findings, report.notes) == (3, [], [])


def test_a_writer_does_not_hide_what_somebody_has_done(path: Path) -> None:
    """It goes on, and the damage stays to be seen."""
    sink(path).write([entry(number) for number in range(5)], KEYS)
    lines = path.read_bytes().splitlines(keepends=True)

    path.write_bytes(b"".join(lines[:3]))  # cut short
    sink(path).write([entry(6)], KEYS)
    assert events(path)[-2:] == ["trail damaged", "statement refused"]
    assert verify_files(path).findings == ["file0:4: records 4 to 6 are missing before this one"]

    path.unlink()  # taken away
    sink(path).write([entry(7)], KEYS)
    assert events(path) == ["trail opened", "trail damaged", "statement refused"]
    assert "was taken away before its seal" in verify_files(path).findings[0] or verify_files(path).findings


def test_the_head_is_missing_or_altered(path: Path) -> None:
    sink(path).write([entry(1)], KEYS)
    head_path(path).unlink()
    sink(path).write([entry(2)], KEYS)
    content = head_path(path).read_bytes()
    head_path(path).write_bytes(content.replace(b'"seq": 4', b'"seq": 3'))
    sink(path).write([entry(3)], KEYS)
    assert events(path).count("trail damaged") == 2
    assert verify_files(path).findings == []


def test_lines_of_somebody_else_stay_where_they_are(path: Path) -> None:
    sink(path).write([entry(1)], KEYS)
    with path.open("ab") as file:
        file.write(b"not of this trail\n")
    sink(path).write([entry(2)], KEYS)
    assert verify_files(path).findings == ["file0:3: is no record: changed, or inserted"]
    assert "trail damaged" in events(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(OSError, match="No such device"):  # nobody reads it
        sink(fifo).write([entry(1)], KEYS)
    with pytest.raises(OSError, match="Is a directory"):
        sink(tmp_path / "file.jsonl" / "..").check()


def write_many(path: Path, number: int) -> None:
    mine = sink(path, rotate_size=20_000)
    for i in range(40):
        mine.write([entry(1000 * number + i), entry(1000 * number + 500 + i)], KEYS)


def test_several_processes_write_one_chain(path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=write_many, args=(path, number)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    numbers = [
        json.loads(line).get("number") for file in files_of(path) for line in file.read_bytes().splitlines()
    ]
    written = [number for number in numbers if number is not None]
    assert len(written) == len(set(written)) == 320
    assert len(files_of(path)) > 3
    report = verify_files(path)
    assert (report.findings, report.notes) == ([], [])
