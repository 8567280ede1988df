"""The audit trail of a whole pgveil: what it says of sessions and keys, and what it outlives."""

from __future__ import annotations

import itertools
import json
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.postgres import Database
from tests.proxy_process import CANARY, Veil, Veils, canaries_in

POLICY = """
version: 1
classes:
  lookup: {mode: deterministic}
  secret: {mode: randomized}
tables:
  people: {email: lookup, note: secret, born: {class: secret, type: date}}
"""
REFUSE = POLICY + "audit: {on_failure: refuse}\n"
TABLE = "CREATE TABLE people (id int, email text, note text, born date)"
FILE = {"sink": "file", "file": "audit/audit.jsonl"}


def trail_of(proxy: Veil) -> Path:
    return proxy.directory / "audit" / "audit.jsonl"


def records(proxy: Veil) -> list[dict[str, Any]]:
    """Every whole record that is in the trail's files, in order."""
    directory = trail_of(proxy).parent
    files = [*sorted(directory.glob("audit.jsonl.0*")), trail_of(proxy)]
    found = []
    for file in files:
        for line in file.read_bytes().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found


def wait_for(proxy: Veil, event: str, **fields: Any) -> dict[str, Any]:
    """The first record of an event with these fields, which may take a moment to be written."""
    deadline = time.monotonic() + 20
    while True:
        if trail_of(proxy).exists():
            for record in records(proxy):
                if record["event"] == event and fields.items() <= record.items():
                    return record
        alike = [record for record in records(proxy) if record["event"] == event]
        assert time.monotonic() < deadline, f"{event} {fields}: {alike}"
        time.sleep(0.05)


def verify(proxy: Veil, *arguments: str) -> dict[str, Any]:
    """What `pgveil audit verify --json` says; its exit code is the report's."""
    done = proxy.command("audit", "verify", "--json", *arguments)
    report: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (1 if report["findings"] else 0), done.stderr
    return report


def refused(connection: psycopg.Connection[Any], sql: str, parameters: Any = None) -> str:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(sql, parameters).fetchall()
    return caught.value.sqlstate or ""


def test_what_a_session_does_and_never_a_value(database18: Database, veil: Veils) -> None:
    proxy = veil(database18, POLICY, leaks=True, audit=FILE)
    proxy.execute(TABLE)
    with proxy.connect() as connection:
        connection.execute("INSERT INTO people VALUES (1, %s, %s, NULL)", [CANARY, CANARY])
        assert refused(connection, f"SELECT * FROM people WHERE note = '{CANARY}'") == "0A000"
        assert refused(connection, "SELECT id FROM people WHERE email LIKE %s", [f"{CANARY}%"]) == "0A000"
        assert refused(connection, f"INSERT INTO people (born) VALUES ('{CANARY}')") == "22007"
        database18.execute("UPDATE people SET note = %s", [f"{CANARY} in clear"])
        assert refused(connection, "SELECT note FROM people") == "XX001"
        database18.execute("UPDATE people SET note = email")
        assert refused(connection, "SELECT note FROM people") == "XX001"
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(proxy.dsn("with_scram", f"{CANARY}-password"))
    proxy.write_policy(REFUSE)
    assert proxy.process is not None
    proxy.process.send_signal(signal.SIGHUP)
    wait_for(proxy, "policy reloaded")
    proxy.write_policy(f"version: 1\n{CANARY}: {{}}\n")
    proxy.process.send_signal(signal.SIGHUP)
    wait_for(proxy, "policy not reloaded")
    assert proxy.stop() == 0

    base = {"actor": "postgres", "origin": "session", "database": database18.name, "client": "127.0.0.1"}
    email, note = (f"public.people.{column}" for column in ("email", "note"))
    equals = wait_for(proxy, "statement refused", **base, sqlstate="0A000", field=note)
    assert equals["construct"] == 'comparison with "="'
    assert wait_for(proxy, "statement refused", **base, field=email)["construct"] == "matching by pattern"
    in_clear = wait_for(proxy, "value not opened", **base, field=note)
    assert "key" not in in_clear
    keys = {record["key_name"]: record for record in records(proxy) if record["event"] == "key made"}
    assert {"public.people", email, note, "pgveil.audit"} <= keys.keys()
    assert keys[email]["actor"] == "pgveil"
    wait_for(proxy, "value not opened", **base, field=note, key=keys[email]["key"])
    wait_for(proxy, "login failed", actor="with_scram", client="127.0.0.1", sqlstate="28P01")
    started, stopped = wait_for(proxy, "started"), wait_for(proxy, "stopped")
    assert started["policy"] != wait_for(proxy, "policy reloaded")["policy"]
    assert stopped["origin"] == "serve"
    command = wait_for(proxy, "command run")
    assert command["command"] == "keys init"
    assert canaries_in("".join(file.read_text() for file in trail_of(proxy).parent.iterdir())) == []
    report = verify(proxy)
    assert (report["findings"], report["notes"]) == ([], [])
    assert report["records"] == len(records(proxy))


def test_each_of_many_refusals_is_counted(database18: Database, veil: Veils) -> None:
    proxy = veil(database18, POLICY, audit=FILE)
    proxy.execute(TABLE)
    with proxy.connect() as connection:
        for _ in range(200):
            refused(connection, "SELECT id FROM people ORDER BY email")
    proxy.stop()
    found = [record for record in records(proxy) if record["event"] == "statement refused"]
    assert sum(record.get("count", 1) for record in found) == 200
    assert verify(proxy)["findings"] == []


class Load:
    """Clients that have statements refused, each its own, and connect again when they are thrown out."""

    def __init__(self, proxy: Veil, clients: int = 3) -> None:
        self._proxy = proxy
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(i,)) for i in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _run(self, client: int) -> None:
        functions = itertools.cycle(("lower", "upper", "length", "md5", "reverse", "ascii", "initcap"))
        while not self._ended.is_set():
            with (
                suppress(psycopg.OperationalError, psycopg.InterfaceError),
                self._proxy.connect() as connection,
            ):
                while not self._ended.is_set():
                    with pytest.raises(psycopg.errors.FeatureNotSupported):
                        connection.execute(f"SELECT {next(functions)}(email) FROM people")


def test_workers_that_are_killed_leave_a_trail_that_is_whole(database18: Database, veil: Veils) -> None:
    """Two of them write one chain in files of a few records; one after the other dies in the middle of it."""
    small = {**FILE, "rotate_size": "2kB"}
    proxy = veil(database18, POLICY, audit=small, workers=2)
    proxy.execute(TABLE)
    assert proxy.process is not None
    parent, killed, deadline = psutil.Process(proxy.process.pid), 0, time.monotonic() + 60
    with Load(proxy):
        while killed < 6 or len(list(trail_of(proxy).parent.glob("audit.jsonl.0*"))) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.3)
            with suppress(psutil.NoSuchProcess):
                for worker in parent.children()[: killed < 6]:
                    worker.kill()
                    killed += 1
    assert proxy.stop() == 0
    assert verify(proxy)["findings"] == []
    proxy.start()  # which goes on wherever the last one was killed
    assert proxy.stop() == 0
    report = verify(proxy)
    assert report["findings"] == []
    assert len(report["files"]) > 2
    found = records(proxy)
    assert sum(record["event"] == "started" for record in found) > 2
    assert [record["seq"] for record in found] == list(range(1, len(found) + 1))
    assert {record.get("worker") for record in found} == {0, 1, None}

    # An edit of any of the files shows.
    first = Path(report["files"][0])
    content = first.read_bytes()
    first.write_bytes(content.replace(b'"event":"command run"', b'"event":"command ran"'))
    assert verify(proxy)["findings"]
    first.write_bytes(content)
    assert verify(proxy, "--contains", f"{found[5]['seq']}:{found[5]['mac']}")["findings"] == []
    trail_of(proxy).write_bytes(b"".join(trail_of(proxy).read_bytes().splitlines(keepends=True)[:-1]))
    findings = verify(proxy)["findings"]
    assert any("missing at the end" in finding for finding in findings), findings


def limit_files(proxy: Veil, size: int | None) -> None:
    """As a disk that is full: no file of pgveil's may grow beyond this (None: as much as it likes)."""
    assert proxy.process is not None
    limit = resource.RLIM_INFINITY if size is None else size
    resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


@pytest.mark.parametrize("policy", [REFUSE, POLICY], ids=["refuse", "continue"])
def test_a_trail_that_cannot_be_written(database18: Database, veil: Veils, policy: str) -> None:
    proxy = veil(database18, policy, audit=FILE)
    proxy.execute(TABLE)
    with proxy.connect() as connection:
        connection.execute("INSERT INTO people VALUES (1, %s)", [CANARY])
        prepared = "SELECT email FROM people WHERE email = %s"
        for _ in range(8):  # psycopg has prepared it by now
            assert connection.execute(prepared, [CANARY]).fetchall() == [(CANARY,)]
        limit_files(proxy, trail_of(proxy).stat().st_size)
        refused(connection, "SELECT id FROM people ORDER BY email")
        wait_for_metric(proxy, "pgveil_audit_failing", 1)
        if policy is REFUSE:
            assert proxy.admin("/readyz")[0] == 503
            assert refused(connection, prepared, [CANARY]) == "58000"
            assert refused(connection, "SELECT note FROM people") == "58000"
            assert refused(connection, "UPDATE people SET note = %s", [CANARY]) == "58000"
            assert refused(connection, f"DELETE FROM people WHERE email = '{CANARY}'") == "58000"
            with (
                connection.cursor() as cursor,
                pytest.raises(psycopg.OperationalError),
                cursor.copy("COPY people (email) FROM STDIN") as copy,
            ):
                copy.write(f"{CANARY}\n")
        else:
            assert proxy.ready()
            assert connection.execute(prepared, [CANARY]).fetchall() == [(CANARY,)]
        assert connection.execute("SELECT count(*) FROM people").fetchall() == [(1,)]
        with connection.transaction():
            connection.execute("SET LOCAL work_mem = '8MB'")
        limit_files(proxy, None)
        wait_for_metric(proxy, "pgveil_audit_failing", 0)
        assert proxy.ready()
        assert connection.execute(prepared, [CANARY]).fetchall() == [(CANARY,)]
    assert "audit records cannot be written" in proxy.log_text()
    wait_for(proxy, "statement refused", construct="ORDER BY")
    proxy.stop()
    report = verify(proxy)
    assert (report["findings"], report["notes"]) == ([], [])


def wait_for_metric(proxy: Veil, name: str, value: int) -> None:
    deadline = time.monotonic() + 20
    while f"{name} {value}\n" not in proxy.admin("/metrics")[1]:
        assert time.monotonic() < deadline, proxy.log_text()
        time.sleep(0.05)


def test_a_policy_that_wants_a_trail_where_there_is_none(database18: Database, veil: Veils) -> None:
    proxy = veil(database18, REFUSE, start=False)
    proxy.make_keys()
    done = proxy.command("serve")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "pgveil: audit.sink is not set, and the policy refuses work without an audit trail"
    )
    (proxy.directory / "audit").write_text("no directory")
    proxy.config["audit"] = FILE
    proxy.write_config()
    done = proxy.command("serve")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("pgveil: audit.file: ")


@pytest.fixture
def syslog(tmp_path: Path) -> Iterator[tuple[str, list[bytes]]]:
    """A syslog server on a Unix socket, and what it has received."""
    path = tmp_path / "log"
    received: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sock.settimeout(0.1)
        ended = threading.Event()

        def receive() -> None:
            while not ended.is_set():
                try:
                    received.append(sock.recv(1 << 16))
                except TimeoutError:
                    continue

        thread = threading.Thread(target=receive)
        thread.start()
        yield f"unix:{path}", received
        ended.set()
        thread.join()


def test_syslog(database18: Database, veil: Veils, syslog: tuple[str, list[bytes]]) -> None:
    address, received = syslog
    proxy = veil(database18, POLICY, audit={"sink": "syslog", "syslog": address}, workers=2)
    proxy.execute(TABLE)
    with proxy.connect() as connection:
        refused(connection, "SELECT id FROM people ORDER BY email")
    assert proxy.stop() == 0
    deadline = time.monotonic() + 10
    while sum(b'"trail sealed"' in message for message in received) < 3:  # of keys init, and of each worker
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert all(message.startswith(b"<85>1 20") for message in received)
    assert any(b'"statement refused"' in message for message in received)
    collected = proxy.directory / "collected"
    collected.write_bytes(b"".join(message + b"\n" for message in received))
    report = verify(proxy, "--collected", str(collected))
    assert (report["findings"], report["notes"]) == ([], [])
    assert len(report["ends"]) == 3
    collected.write_bytes(b"".join(message + b"\n" for message in received if b"refused" not in message))
    assert verify(proxy, "--collected", str(collected))["findings"]
