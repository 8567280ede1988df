"""A parent and its workers, in a process of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.shell import wait_for

# A worker notes that it lives, and what it is told; `dies` says how often it is to die at once.
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from proxy import log
from proxy.metrics import Metrics
from proxy.supervisor import Supervisor

notes, dies = Path(sys.argv[1]), int(sys.argv[2])
told = []

def note(text):
    with notes.open("a") as file:
        file.write(text + "\\n")

def work(number, lifeline):
    signal.signal(signal.SIGTERM, lambda *_: told.append("term"))
    signal.signal(signal.SIGHUP, lambda *_: note(f"{number} hup"))
    note(f"{number} started")
    if notes.read_text().count("started") <= dies:
        raise RuntimeError("a secret")
    os.set_blocking(lifeline, False)
    while not told:
        try:
            if os.read(lifeline, 1) == b"":
                note(f"{number} orphan")
                return
        except BlockingIOError:
            time.sleep(0.01)
    note(f"{number} ended")

log.start("info")
raise SystemExit(Supervisor(2, work, Metrics(2)).run())
"""


class Family:
    """The parent, and the notes of its workers."""

    def __init__(self, process: subprocess.Popen[str], notes: Path) -> None:
        self.process = process
        self._notes = notes

    def count(self, text: str) -> int:
        return self._notes.read_text().count(text) if self._notes.exists() else 0

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()


@contextmanager
def family(directory: Path, dies: int = 0) -> Iterator[Family]:
    notes = directory / "notes"
    command = [sys.executable, "-c", PROGRAM, str(notes), str(dies)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        family = Family(process, notes)
        try:
            wait_for(lambda: family.count("started") >= 2)
            yield family
        finally:
            for child in family.children() if process.poll() is None else []:
                child.kill()
            process.kill()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_end_is_passed_on_and_waited_for(tmp_path: Path, ending: signal.Signals) -> None:
    with family(tmp_path) as running:
        children = running.children()
        running.process.send_signal(ending)
        assert running.process.wait(10) == 0
        assert running.count("ended") == 2
        assert not any(child.is_running() for child in children)


def test_sighup_is_passed_on(tmp_path: Path) -> None:
    with family(tmp_path) as running:
        running.process.send_signal(signal.SIGHUP)
        wait_for(lambda: running.count("hup") == 2)


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with family(tmp_path) as running:
        running.children()[0].kill()
        wait_for(lambda: running.count("started") == 3)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(10) == 0
        assert running.count("ended") == 2


def test_a_worker_that_keeps_dying_is_tried_ever_more_rarely(tmp_path: Path) -> None:
    with family(tmp_path, dies=6) as running:
        wait_for(lambda: running.count("started") == 8)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(10) == 0
        assert running.process.stderr is not None
        log = running.process.stderr.read()
    deaths = [json.loads(line) for line in log.splitlines() if "worker died" in line]
    for number in (0, 1):
        pauses = [death["after"] for death in deaths if death["number"] == number]
        assert pauses[0] == 0.0
        assert pauses == sorted(set(pauses))
    assert '"error": "RuntimeError"' in log
    assert "a secret" not in log


def test_workers_learn_that_their_parent_is_gone(tmp_path: Path) -> None:
    with family(tmp_path) as running:
        running.process.kill()
        running.process.wait()
        wait_for(lambda: running.count("orphan") == 2)


def test_the_end_does_not_wait_for_a_restart_that_is_due(tmp_path: Path) -> None:
    with family(tmp_path, dies=100) as running:
        wait_for(lambda: running.count("started") >= 4)
        os.kill(running.process.pid, signal.SIGTERM)
        assert running.process.wait(10) == 0
