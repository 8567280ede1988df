"""A walk over everything that can happen to keys: whatever came before, each row that was written opens."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from crypto.private_file import read_private
from tests.postgres import Database
from tests.proxy.commands.test_serve import wait_for
from tests.proxy_process import CANARY, Veil, Veils

POLICY = """
version: 1
classes:
  pii: {mode: randomized}
  own: {mode: randomized, record_key: true}
  lookup: {mode: deterministic}
tables:
  people: {name: pii, phone: lookup}
  letters: {body: own}
"""
STEPS = 14


class Walk:
    """One pgveil, its keys, and what was written through it."""

    def __init__(self, proxy: Veil, seed: int) -> None:
        self.proxy = proxy
        self.random = random.Random(seed)
        self.written = 0
        self.exports = 0
        self.taken: list[str] = []

    def write(self) -> None:
        for _ in range(3):
            value = f"{CANARY} {self.written}"
            self.proxy.execute("INSERT INTO people VALUES (%s, %s, %s)", [self.written, value, value])
            self.proxy.execute("INSERT INTO letters VALUES (%s, %s)", [self.written, value])
            self.written += 1

    def check(self) -> None:
        """Every row opens, by every way; keys and trail are whole."""
        with self.proxy.connect() as connection:
            people = connection.execute("SELECT id, name, phone FROM people ORDER BY id").fetchall()
            letters = connection.execute("SELECT id, body FROM letters ORDER BY id").fetchall()
            wanted = [(n, f"{CANARY} {n}") for n in range(self.written)]
            assert [(n, name) for n, name, _ in people] == wanted == letters
            assert [(n, phone) for n, _, phone in people] == wanted
            if wanted:
                number, value = self.random.choice(wanted)
                found = connection.execute("SELECT id FROM people WHERE phone = %s", [value]).fetchall()
                assert found == [(number,)]
        self.command("keys", "verify")
        self.command("audit", "verify")

    def command(self, *words: str, killed_after: float | None = None) -> str:
        if killed_after is not None:
            process = subprocess.Popen(
                [sys.executable, "-m", "proxy", *words, "--config", str(self.proxy.config_path)],
                cwd=self.proxy.directory,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                process.wait(killed_after)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            process.wait()
            return ""
        done = self.proxy.command(*words)
        assert done.returncode == 0, f"after {self.taken}: {words}\n{done.stdout}{done.stderr}"
        return done.stdout

    def rotate(self, *words: str) -> None:
        if self.random.random() < 0.4:  # a kill somewhere, and the same again
            self.command("rotate", *words, killed_after=self.random.uniform(0.3, 1.2))
            if words == ("--master",) and b'"previous"' in read_private(
                self.proxy.directory / "keys/master.key"
            ):
                return  # it was done already, and the next one is --finish
        self.command("rotate", *words)

    def rotate_field(self) -> None:
        self.rotate("--field", self.random.choice(["people.name", "people.phone", "letters.body"]))

    def rotate_emergency(self) -> None:
        self.rotate("--field", "people.name", "--emergency")

    def rotate_table(self) -> None:
        self.rotate("--table", self.random.choice(["people", "letters"]))

    def rotate_all(self) -> None:
        self.rotate("--all")

    def rotate_master(self) -> None:
        self.rotate("--master")
        self.write()
        self.check()
        self.rotate("--master", "--finish")

    def restart(self) -> None:
        self.proxy.stop()
        self.proxy.start()

    def kill(self) -> None:
        self.proxy.kill()
        self.proxy.start()

    def move(self) -> None:
        """Every key goes to a new keystore under a new master key."""
        passphrase = self.proxy.directory / "passphrase"
        passphrase.touch(0o600)
        passphrase.write_text("correct horse")
        self.exports += 1
        out = f"export{self.exports}"
        self.command("keys", "export", "--out", out, "--passphrase-file", str(passphrase))
        self.proxy.stop()
        old = self.proxy.directory / f"keys-before-{self.exports}"
        (self.proxy.directory / "keys").rename(old)
        if "url" in self.proxy.config["keys"]["keystore"]:
            self.proxy.database.execute("DROP SCHEMA pgveil CASCADE")
        self.command("keys", "init", "--no-fingerprints")
        for _ in range(2):
            self.command("keys", "import", out, "--passphrase-file", str(passphrase))
        self.proxy.start()

    @property
    def steps(self) -> list[Callable[[], None]]:
        return [
            self.rotate_field,
            self.rotate_field,
            self.rotate_emergency,
            self.rotate_table,
            self.rotate_all,
            self.rotate_master,
            self.restart,
            self.kill,
            self.move,
        ]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("keystore", ["file", "table"])
def test_no_row_is_lost_on_the_way(database18: Database, veil: Veils, tmp_path: Path, keystore: str) -> None:
    keys = {
        "local": {"file": "keys/master.key"},
        "keystore": {"file": "keys/keystore.json"} if keystore == "file" else {"url": database18.dsn},
    }
    proxy = veil(
        database18,
        POLICY,
        keys=keys,
        workers=2,
        audit={"sink": "file", "file": "audit/audit.jsonl"},
    )
    with psycopg.connect(proxy.dsn(), autocommit=True) as connection:
        connection.execute("CREATE TABLE people (id int, name text, phone text)")
        connection.execute("CREATE TABLE letters (id int, body text)")
    walk = Walk(proxy, seed=20261201)
    walk.write()
    walk.check()
    for _ in range(STEPS):
        step = walk.random.choice(walk.steps)
        walk.taken.append(step.__name__)
        step()
        wait_for(proxy.ready, 30)
        walk.write()
        walk.check()
    trail = (proxy.directory / "audit").glob("*")
    assert not any(CANARY in path.read_text(errors="replace") for path in trail)
    assert json.loads(proxy.command("status", "--json").stdout)
