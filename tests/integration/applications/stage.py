"""Applications in other languages: built once, run through pgveil and on a plain twin, and compared.

An application is a program of the folder of its language. It reads DATABASE_URL and prints one line of JSON
for each step: {"step": name, "saw": what it read}, or {"step": name, "error": {"code": SQLSTATE, "message":
...}}.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import Database
from tests.proxy_process import Veil, canaries_in

HERE = Path(__file__).parent
_BUILD = HERE.parents[2] / "build" / "applications"  # ignored by git; what is fetched stays there
_FETCH_TIMEOUT = 300
_COMPILE_TIMEOUT = 600  # Rust's crates on a machine that does other work, too
_RUN_TIMEOUT = 100
_TABLES = "users, orders, plain, kinds"


def fetched(language: str, tool: str, command: Sequence[str], manifests: Collection[str]) -> Path:
    """A copy of a language's folder beside its packages, which `command` fetches when the manifests change.

    Skips the test where the tool is not installed, or the packages cannot be had.
    """
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    folder = HERE / language
    directory = _BUILD / f"{language}-{_digest(folder / name for name in manifests)}"
    with _step(directory, "copied", _digest(path for path in folder.rglob("*") if path.is_file())) as missing:
        if missing:
            shutil.copytree(folder, directory, dirs_exist_ok=True)
    with _step(directory, "fetched") as missing:
        if missing:
            try:
                done = _run(command, directory, _FETCH_TIMEOUT)
            except subprocess.TimeoutExpired:
                pytest.skip(f"{tool} could not fetch the packages within {_FETCH_TIMEOUT} seconds")
            if done.returncode != 0:
                pytest.skip(f"{tool} could not fetch the packages: {(done.stderr or done.stdout)[-300:]}")
    return directory


def compiled(directory: Path, command: Sequence[str]) -> Path:
    """The directory, once its sources are compiled: what does not compile fails."""
    with _step(directory, "compiled", (directory / ".copied").read_text()) as missing:
        if missing:
            done = _run(command, directory, _COMPILE_TIMEOUT)
            assert done.returncode == 0, done.stderr + done.stdout
    return directory


@contextmanager
def _step(directory: Path, name: str, state: str = "") -> Iterator[bool]:
    """Whether a step of the building is still to be done from this state of the sources.

    The tests run in several processes: one does the step, and the others wait for it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    stamp = directory / f".{name}"
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = not stamp.exists() or stamp.read_text() != state
        yield missing
        if missing:  # and has not failed
            stamp.write_text(state)


def _digest(files: Iterable[Path]) -> str:
    parts = (part for file in sorted(files) for part in (file.name.encode(), file.read_bytes()))
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def _run(
    command: Sequence[str], directory: Path, timeout: float, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=directory,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@dataclass(frozen=True)
class Stage:
    """pgveil before empty tables, and a database with the same tables and no encryption."""

    veil: Veil
    plain: Database

    def assert_same(
        self,
        command: Sequence[str],
        directory: Path,
        *,
        refused: Collection[str] = (),
        via: str | None = None,
    ) -> None:
        """The program sees through pgveil (or by way of the URL `via`) what it sees on the twin.

        But for the steps of `refused`, which fail with 0A000. It has to write and to read protected values.
        """
        seen = self.compared(command, directory, refused=refused, via=via)
        assert canaries_in(json.dumps(seen))
        assert "pgv1:" in self.veil.database.contents()

    def compared(
        self,
        command: Sequence[str],
        directory: Path,
        *,
        refused: Collection[str] = (),
        via: str | None = None,
    ) -> dict[str, Any]:
        """The same, of a program that reads no protected values; what it saw."""
        self.plain.execute(f"TRUNCATE {_TABLES} RESTART IDENTITY")
        seen = _steps(command, directory, via or self.veil.dsn())
        expected = _steps(command, directory, self.plain.dsn)
        assert list(seen) == list(expected)
        for step, saw in expected.items():
            if step in refused:
                assert seen[step].get("error", {}).get("code") == "0A000", (step, seen[step])
                assert "saw" in saw, (step, saw)
            else:
                assert seen[step] == saw, step
        assert "pgveil_crashed_sessions_total 0" in self.veil.admin("/metrics")[1]
        return seen


def _steps(command: Sequence[str], directory: Path, dsn: str) -> dict[str, Any]:
    done = _run(command, directory, _RUN_TIMEOUT, DATABASE_URL=dsn, TZ="UTC", NODE_NO_WARNINGS="1")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr + done.stdout
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    steps = {line.pop("step"): line for line in lines}
    assert len(steps) == len(lines), "two steps of one name"
    for line in lines:
        if "error" in line:  # pgveil's errors quote no value, and have hints of their own
            line["error"]["message"] = re.split(r': "| at or near ', line["error"]["message"])[0]
            line["error"].pop("hint", None)
    return steps
