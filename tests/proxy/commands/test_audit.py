"""`pgveil audit` as a person meets it."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

import pytest

from proxy import cli
from proxy.audit.file_sink import head_path


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A configuration, keys, and a trail of what has made them."""
    (tmp_path / "pgveil.yaml").write_text(
        "upstream: postgresql://127.0.0.1:5432\n"
        "maintenance: postgresql://pgveil@127.0.0.1:5432/app\n"
        "audit: {sink: file, file: trail/audit.jsonl, rotate_size: 1kB}\n"
    )
    for _ in range(3):
        assert run(tmp_path, "keys", "init") == 0
    return tmp_path / "trail" / "audit.jsonl"


def run(directory: Path, *arguments: str) -> int:
    return cli.main([*arguments, "--config", str(directory / "pgveil.yaml")])


def test_a_trail_that_is_whole(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(trail.parent.parent, "audit", "verify") == 0
    [end, verdict] = capsys.readouterr().out.splitlines()
    files = [trail, *trail.parent.glob("audit.jsonl.0*")]
    assert len(files) > 1
    assert verdict.endswith(f"records in {len(files)} files: the trail is whole")
    anchor = end.rpartition(" ")[2]
    assert run(trail.parent.parent, "audit", "verify", "--contains", anchor) == 0
    user = pwd.getpwuid(os.getuid()).pw_name
    commands = [json.loads(line) for line in trail.read_bytes().splitlines() if b"command run" in line]
    assert [(record["actor"], record["command"]) for record in commands] == [(user, "keys init")]


def test_a_trail_that_is_not(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = trail.read_bytes().splitlines(keepends=True)
    trail.write_bytes(b"".join(lines[:-1]))
    assert run(trail.parent.parent, "audit", "verify") == 1
    assert "finding: record" in capsys.readouterr().out
    trail.write_bytes(b"".join(lines))
    head_path(trail).unlink()
    assert run(trail.parent.parent, "audit", "verify", "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["findings"] == [f"{head_path(trail)}: is missing"]
    head_path(trail).write_bytes(b"{}")
    assert run(trail.parent.parent, "audit", "verify") == 1
    assert f"finding: {head_path(trail)}: was altered" in capsys.readouterr().out


def test_the_file_and_its_head_are_emptied(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trail.write_bytes(b"")
    head_path(trail).write_bytes(b"")
    assert run(trail.parent.parent, "audit", "verify") == 1
    assert f"finding: {head_path(trail)}: is missing" in capsys.readouterr().out
    for file in trail.parent.glob("audit.jsonl.0*"):
        file.unlink()
    assert run(trail.parent.parent, "audit", "verify") == 0  # as before the first record
    assert "0 records" in capsys.readouterr().out


def test_a_file_that_has_no_record_yet(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So a writer leaves it that is killed; that somebody has emptied it only the head can tell."""
    trail.write_bytes(b"")
    capsys.readouterr()
    assert run(trail.parent.parent, "audit", "verify", "--json") == 1
    [finding] = json.loads(capsys.readouterr().out)["findings"]
    assert finding.endswith("missing at the end")


def test_one_file_of_it(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = min(trail.parent.glob("audit.jsonl.0*"))
    assert run(trail.parent.parent, "audit", "verify", str(old)) == 0
    copy = old.with_name("copy")
    copy.write_bytes(b"".join(old.read_bytes().splitlines(keepends=True)[:-1]))
    capsys.readouterr()
    assert run(trail.parent.parent, "audit", "verify", str(copy)) == 1
    assert "does not end with its seal" in capsys.readouterr().out


def test_what_cannot_be_verified(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = trail.parent.parent
    assert run(directory, "audit", "verify", "no/such/file") == 2
    assert "No such file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(directory, "audit", "verify", "--contains", "7")
    config = directory / "pgveil.yaml"
    config.write_text(config.read_text().partition("audit:")[0])
    assert run(directory, "audit", "verify") == 2
    assert "audit.sink is not file" in capsys.readouterr().err
    other = directory / "other"
    other.mkdir()
    (other / "pgveil.yaml").write_text(config.read_text())
    assert run(other, "keys", "init") == 0
    assert run(other, "audit", "verify", str(trail)) == 2
    assert "has no key of an audit trail" in capsys.readouterr().err
