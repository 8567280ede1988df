"""Keys are rotated under clients that never stop: no error, every row opens, new rows have the new key."""

from __future__ import annotations

import base64
import itertools
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.documents import ROOT
from tests.postgres import Postgres, newest_only
from tests.proxy_process import CANARY, Veil, Veils

pytestmark = newest_only()

POLICY = """\
version: 1
classes: {lookup: {mode: deterministic}, secret: {mode: randomized}}
tables: {users: {email: lookup, note: secret}}
"""
PATIENCE = 30.0  # seconds; it takes a fraction of one, but the machine may be busy


class Client(threading.Thread):
    """Writes a row and reads an old one, again and again, until it is stopped or something goes wrong."""

    def __init__(self, veil: Veil, number: int) -> None:
        super().__init__(daemon=True)
        self.rows = 0
        self.error: Exception | None = None
        self._veil = veil
        self._number = number
        self._over = threading.Event()

    def run(self) -> None:
        try:
            with self._veil.connect() as connection:
                while not self._over.is_set():
                    self._turn(connection)
        except Exception as error:
            self.error = error

    def _turn(self, connection: psycopg.Connection[Any]) -> None:
        email = self._email(self.rows)
        connection.execute("INSERT INTO users VALUES (%s, %s)", (email, f"{CANARY} {email}"))
        old = self._email(self.rows // 2)
        found = connection.execute("SELECT note FROM users WHERE email = %s", (old,)).fetchall()
        assert found == [(f"{CANARY} {old}",)]
        newest = connection.execute("SELECT email, note FROM users ORDER BY number DESC LIMIT 3").fetchall()
        assert all(note == f"{CANARY} {email}" for email, note in newest)  # of other proxies, too
        self.rows += 1
        time.sleep(0.002)

    def _email(self, row: int) -> str:
        return f"{CANARY}{self._number}.{row}@example.org"

    def end(self) -> int:
        """How many rows it has written. Fails if anything went wrong."""
        self._over.set()
        self.join(PATIENCE)
        if self.error is not None:
            raise self.error
        return self.rows


@contextmanager
def clients(*veils: Veil) -> Iterator[None]:
    """One before each proxy; afterwards every row that they wrote is read through each."""
    running = [Client(veil, number) for number, veil in enumerate(veils)]
    for client in running:
        client.start()
    try:
        yield
    finally:
        written = sum(client.end() for client in running)
    for veil in veils:
        rows = veil.execute("SELECT email, note FROM users WHERE note IS NOT NULL")
        assert len(rows) >= written > 0
        assert all(note == f"{CANARY} {email}" for email, note in rows)


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def rotate(veil: Veil, *arguments: str) -> list[dict[str, Any]]:
    """What `pgveil rotate` says that it did."""
    done = veil.command("rotate", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    keys: list[dict[str, Any]] = json.loads(done.stdout)["keys"]
    return keys


_numbers = itertools.count()


def writes_with(veil: Veil) -> str:
    """The id of the key that a proxy encrypts notes with."""
    email = f"probe{next(_numbers)}@example.org"
    veil.execute("INSERT INTO users VALUES (%s, %s)", (email, f"{CANARY} {email}"))
    ((stored,),) = veil.database.execute("SELECT note FROM users ORDER BY number DESC LIMIT 1")
    return base64.urlsafe_b64decode(stored[5:13])[2:].hex()


def uses(key: str, *veils: Veil) -> None:
    """Wait until every proxy encrypts with this key."""
    for veil in veils:
        eventually(lambda: writes_with(veil) == key, f"{veil.directory.name} does not use {key}")  # noqa: B023


def key_of(keys: list[dict[str, Any]], name: str = "public.users.note") -> str:
    return next(str(row["to"]["id"]) for row in keys if row["name"] == name)


@pytest.fixture(scope="module", params=["file", "table"])
def fleet(
    request: pytest.FixtureRequest, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Veil]]:
    """Two proxies, one of two workers, before one database, with one master key and one keystore."""
    directory = tmp_path_factory.mktemp("fleet")
    with postgres.database() as database:
        database.execute(
            "CREATE TABLE users (email text UNIQUE, note text, number bigint GENERATED ALWAYS AS IDENTITY)"
        )
        file, table = {"file": str(directory / "keystore.json")}, {"url": database.dsn}
        keys = {
            "local": {"file": str(directory / "master.key")},
            "keystore": table if request.param == "table" else file,
        }
        make = Veils(directory)
        veils = [make(database, POLICY, keys=keys, workers=workers) for workers in (1, 2)]
        veils[0].execute("INSERT INTO users VALUES ('first', 'first')")  # whichever test is first: keys exist
        yield veils


@pytest.fixture(autouse=True)
def empty(fleet: list[Veil]) -> Iterator[None]:
    fleet[0].database.execute("TRUNCATE users")
    yield
    for veil in fleet:
        veil.assert_no_leak()
        assert '"level": "error"' not in veil.log_text()


with_a_table = pytest.mark.parametrize("fleet", ["table"], indirect=True)


def test_a_fleet_goes_on_through_every_rotation(fleet: list[Veil]) -> None:
    one, _ = fleet
    with clients(*fleet):
        first = writes_with(one)
        uses(key_of(rotate(one, "--field", "users.note")), *fleet)
        rotate(one, "--table", "users")
        uses(key_of(rotate(one, "--all")), *fleet)
        rotate(one, "--master")
        uses(key_of(rotate(one, "--field", "users.note")), *fleet)
        rotate(one, "--master", "--finish")
        last = key_of(rotate(one, "--all", "--emergency"))
        uses(last, *fleet)
        assert last != first
    assert all(veil.ready() for veil in fleet)


@with_a_table
def test_a_fleet_whose_notifications_are_cut_off_learns_all_the_same(fleet: list[Veil]) -> None:
    with clients(*fleet):
        for _ in range(2):
            fleet[0].database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'pgveil keystore'"
            )
            uses(key_of(rotate(fleet[0], "--field", "users.note")), *fleet)


@with_a_table
def test_a_schedule_is_carried_out_once_by_the_fleet(fleet: list[Veil]) -> None:
    """Three workers of two proxies find the key too old as they start."""
    database = fleet[0].database
    uses(writes_with(fleet[0]), *fleet)
    for veil in fleet:
        veil.stop()
    database.execute("UPDATE pgveil.encryption_keys SET created_at = created_at - interval '31 days'")

    def states() -> list[str]:
        rows = database.execute(
            "SELECT state FROM pgveil.encryption_keys WHERE key_id = 'public.users.note' ORDER BY version"
        )
        return [state for (state,) in rows]

    before = states()
    assert any(
        "overdue" in text for text in json.loads(fleet[0].command("status", "--json").stdout)["findings"]
    )
    for veil in fleet:
        veil.start()
    eventually(lambda: states() == [*before[:-1], "retiring", "active"], "the key is not rotated")
    eventually(lambda: sum(map(rotated, fleet)) == 1, "it is not told")
    findings = json.loads(fleet[0].command("status", "--json").stdout)["findings"]
    assert not any("overdue" in text for text in findings)
    assert states() == [*before[:-1], "retiring", "active"]


def rotated(veil: Veil) -> int:
    """How many keys a proxy has rotated by itself."""
    _, metrics = veil.admin("/metrics")
    return int(re.findall(r"^pgveil_keys_rotated_total (\d+)$", metrics, re.MULTILINE)[0])


@with_a_table
def test_a_proxy_that_is_killed_has_counted_what_it_encrypted(fleet: list[Veil]) -> None:
    """And more than that; one that ends as it should gives back what it did not use."""
    killed, ended = fleet
    uses(key_of(rotate(killed, "--field", "users.note")), *fleet)

    def counted() -> int:
        ((number,),) = killed.database.execute(
            "SELECT (metadata ->> 'encryptions')::int FROM pgveil.encryption_keys"
            " WHERE key_id = 'public.users.note' AND state = 'active'"
        )
        return int(number)

    with killed.connect() as connection:
        for number in range(2000):
            connection.execute("INSERT INTO users VALUES (%s, %s)", (f"k{number}", f"{CANARY} {number}"))
    killed.kill()
    before = counted()
    assert before >= 2000
    ended.stop()
    assert counted() < before
    for veil in fleet:
        veil.start()


def killed_after(veil: Veil, steps: int, *arguments: str) -> bool:
    """Run `pgveil rotate`, killed after some steps; whether it had to be."""
    words = [sys.executable, "-m", "tests.integration.killed", str(steps), "rotate", *arguments]
    done = subprocess.run(
        [*words, "--config", str(veil.config_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def killed_anywhere(one: Veil, before: list[str], killed: list[str], afterwards: list[str]) -> None:
    """After every step in turn, until the command needs no more of them; the next one finishes it."""
    with clients(one):
        for steps in itertools.count(1):
            if before:
                rotate(one, *before)
            was_killed = killed_after(one, steps, *killed)
            again = one.command("rotate", *killed)
            # Killed after its last step it has nothing to do but to say what comes next.
            assert again.returncode == 0 or "--master --finish first" in again.stderr
            if afterwards:
                rotate(one, *afterwards)
            if not was_killed:
                break
        assert steps > 2


@pytest.mark.parametrize("fleet", ["file"], indirect=True)
@pytest.mark.parametrize(
    ("before", "killed", "afterwards"),
    [
        ([], ["--field", "users.note"], []),
        ([], ["--master"], ["--master", "--finish"]),
        (["--master"], ["--master", "--finish"], []),
    ],
    ids=["field", "master", "finish"],
)
def test_a_rotation_that_is_killed_anywhere_is_finished_by_the_next(
    fleet: list[Veil], before: list[str], killed: list[str], afterwards: list[str]
) -> None:
    killed_anywhere(fleet[0], before, killed, afterwards)
    uses(key_of(rotate(fleet[0], "--field", "users.note")), *fleet)
    findings = json.loads(fleet[0].command("status", "--json").stdout)["findings"]
    assert all("is compromised, and encrypts" in finding for finding in findings)  # of the first test


@with_a_table
def test_an_emergency_that_is_killed_anywhere(fleet: list[Veil]) -> None:
    killed_anywhere(fleet[0], [], ["--all", "--emergency"], [])
    uses(key_of(rotate(fleet[0], "--field", "users.note")), *fleet)
