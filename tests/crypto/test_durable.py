"""Files written whole: their mode, and what a failure half way leaves behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crypto.durable import create_file, overwrite_file, replace_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_a_new_file_is_its_owners_alone_whatever_the_umask(path: Path) -> None:
    for umask in (0, 0o777):
        old = os.umask(umask)
        try:
            replace_file(path, b"content")
        finally:
            os.umask(old)
        assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == b"content"


def test_creating_never_replaces(path: Path) -> None:
    create_file(path, b"first")
    with pytest.raises(FileExistsError):
        create_file(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]


def test_overwriting_keeps_the_file_and_makes_none(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        overwrite_file(path, b"content")
    replace_file(path, b"content!")
    before = path.stat().st_ino
    overwrite_file(path, b"CONTENT")
    assert path.read_bytes() == b"CONTENT!"
    assert path.stat().st_ino == before


def test_a_link_to_nowhere_is_not_followed(path: Path) -> None:
    target = path.with_name("target")
    path.symlink_to(target)
    with pytest.raises(FileExistsError):
        create_file(path, b"content")
    assert not target.exists()


def test_the_rest_of_a_crash_does_not_matter(path: Path) -> None:
    (path.parent / f".file.{os.getpid()}.tmp").write_bytes(b"half a fi")
    replace_file(path, b"content")
    assert path.read_bytes() == b"content"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("call", ["fsync", "fchmod"])
def test_a_failed_write_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    replace_file(path, b"old")

    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_the_content_is_on_disk_before_the_name_and_the_name_before_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, os.replace

    def record_fsync(descriptor: int) -> None:
        events.append("directory" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "content")
        fsync(descriptor)

    def record_rename(source: str, target: str) -> None:
        events.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_rename)
    replace_file(path, b"content")
    assert events == ["content", "rename", "directory"]
