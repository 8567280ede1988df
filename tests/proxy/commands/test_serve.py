"""`pgveil serve` as a process: its start, its workers, its signals, its end."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from proxy.embedded import free_port
from tests.postgres import PASSWORD, Database, Postgres, make_certificates
from tests.proxy_process import Veil, Veils
from tests.shell import certificates_of

POLICY = {
    "version": 1,
    "classes": {"pii": {"sensitivity": "high", "mode": "randomized"}},
    "tables": {"people": {"name": "pii"}},
}


def wait_for(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Until a condition holds; what it said."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)
    return found


def workers(veil: Veil) -> list[psutil.Process]:
    assert veil.process is not None
    return psutil.Process(veil.process.pid).children()


# --- the start ----------------------------------------------------------------------------------------------


def refused(veil: Veil, *words: str) -> None:
    """It does not start, and says why in one line."""
    veil.make_keys()
    done = veil.command("serve")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("{")]  # no entry of the log
    assert line.startswith("pgveil: ")
    for word in words:
        assert word in line


def test_a_taken_port(veil: Veils, database18: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused(veil(database18, POLICY, start=False, listen=address), "cannot listen on", address, "in use")
        refused(veil(database18, POLICY, start=False, admin=address), "cannot listen on", address, "in use")


def test_the_port_of_another_pgveil(veil: Veils, database18: Database) -> None:
    for count in (1, 2):
        first = veil(database18, POLICY, workers=count)
        refused(veil(database18, POLICY, start=False, listen=f"127.0.0.1:{first.port}"), "in use")


def test_an_upstream_that_is_away(veil: Veils, database18: Database) -> None:
    away = f"postgresql://postgres@127.0.0.1:{free_port()}/app"
    refused(veil(database18, POLICY, start=False, maintenance=away), "maintenance", "127.0.0.1")


def test_a_policy_that_makes_no_sense(veil: Veils, database18: Database) -> None:
    broken = {**POLICY, "tables": {"people": {"name": "nothing"}}}
    refused(veil(database18, broken, start=False), "policy.yaml:", "nothing")


def test_files_of_tls_that_cannot_be_used(veil: Veils, database18: Database, tmp_path: Path) -> None:
    own, other = make_certificates(_made(tmp_path / "a")), make_certificates(_made(tmp_path / "b"))
    missing = {"certificate": str(own.server), "key": str(tmp_path / "nothing.key")}
    refused(veil(database18, POLICY, start=False, tls=missing), "nothing.key", "No such file")
    mixed = {"certificate": str(own.server), "key": str(other.server_key)}
    refused(veil(database18, POLICY, start=False, tls=mixed), "server.crt", "server.key")


def test_a_table_that_is_not_there_yet_is_only_warned_of(veil: Veils, database18: Database) -> None:
    running = veil(database18, POLICY)
    assert '"level": "warning", "event": "policy"' in running.log_text()
    assert "people" in running.log_text()


# --- workers ------------------------------------------------------------------------------------------------


def test_workers_share_the_port(veil: Veils, database18: Database) -> None:
    running = veil(database18, POLICY, workers=2)
    connections = [running.connect() for _ in range(12)]
    ports = {process.pid: len(process.net_connections("tcp")) for process in workers(running)}
    assert len(ports) == 2
    assert all(connection.execute("SELECT 1").fetchone() == (1,) for connection in connections)
    assert "pgveil_sessions 12\n" in running.admin("/metrics")[1]
    for connection in connections:
        connection.close()
    wait_for(lambda: "pgveil_sessions 0\n" in running.admin("/metrics")[1])


def test_the_limit_of_connections_is_for_all_workers_together(veil: Veils, database18: Database) -> None:
    running = veil(database18, POLICY, workers=2, max_connections=3)
    connections = [running.connect() for _ in range(3)]
    for _ in range(4):
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            running.connect()
    for connection in connections:
        connection.close()


def test_a_cancel_request_may_meet_any_worker(veil: Veils, database18: Database) -> None:
    running = veil(database18, POLICY, workers=2)
    for _ in range(6):
        with running.connect() as connection:
            threading.Timer(0.2, connection.cancel_safe).start()
            with pytest.raises(psycopg.errors.QueryCanceled):
                connection.execute("SELECT pg_sleep(30)")


def test_a_worker_that_dies_is_started_again(veil: Veils, database18: Database) -> None:
    running = veil(database18, POLICY, workers=2)
    wait_for(lambda: running.log_text().count('"event": "ready"') == 2)
    victim, survivor = workers(running)
    victim.kill()
    wait_for(
        lambda: len([w for w in workers(running) if w.pid != victim.pid and w.status() != "zombie"]) == 2
    )
    assert survivor.is_running()
    wait_for(lambda: running.log_text().count('"event": "ready"') == 3)
    for _ in range(8):
        assert running.execute("SELECT 1") == [(1,)]


@pytest.mark.parametrize("count", [1, 2])
def test_the_end_leaves_nobody_behind(veil: Veils, database18: Database, count: int) -> None:
    running = veil(database18, POLICY, workers=count)
    processes = workers(running)
    with running.connect():
        assert running.stop() == 0
    assert not any(process.is_running() for process in processes)
    running.start()  # the port is free again
    assert running.execute("SELECT 1") == [(1,)]


def test_workers_do_not_outlive_their_parent(veil: Veils, database18: Database) -> None:
    running = veil(database18, POLICY, workers=2)
    processes = workers(running)
    assert running.process is not None
    running.process.kill()
    running.process.wait()
    wait_for(lambda: not any(process.is_running() for process in processes))


# --- signals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2])
def test_sigterm_lets_transactions_end(veil: Veils, database18: Database, count: int) -> None:
    running = veil(database18, POLICY, workers=count)
    connection = running.connect()
    connection.execute("BEGIN")
    assert running.process is not None
    running.process.send_signal(signal.SIGTERM)
    wait_for(lambda: running.admin("/readyz")[0] == 503)
    assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="shutting down"):
        running.connect()
    connection.execute("COMMIT")
    assert running.process.wait(20) == 0
    connection.close()


@pytest.mark.parametrize("count", [1, 2])
def test_a_second_sigterm_waits_for_nobody(veil: Veils, database18: Database, count: int) -> None:
    running = veil(database18, POLICY, workers=count)
    connection = running.connect()
    connection.execute("BEGIN")
    assert running.process is not None
    running.process.send_signal(signal.SIGTERM)
    wait_for(lambda: running.admin("/readyz")[0] == 503)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(20) == 0
    with pytest.raises(psycopg.errors.AdminShutdown):
        connection.execute("SELECT 1")


def test_sighup_reads_the_policy_again(veil: Veils, database18: Database) -> None:
    database18.execute("CREATE TABLE people (name text)")
    running = veil(database18, {**POLICY, "tables": {}})
    assert running.process is not None
    connection = running.connect()
    connection.execute("INSERT INTO people VALUES ('open')")
    running.write_policy(POLICY)
    running.process.send_signal(signal.SIGHUP)
    wait_for(lambda: '"event": "reloaded"' in running.log_text())
    connection.execute("INSERT INTO people VALUES ('hidden')")
    names = [name for (name,) in database18.execute("SELECT name FROM people")]
    assert names[0] == "open"
    assert names[1].startswith("pgv1:")
    connection.close()


def test_a_broken_policy_is_not_taken_over(veil: Veils, database18: Database) -> None:
    database18.execute("CREATE TABLE people (name text)")
    running = veil(database18, POLICY)
    assert running.process is not None
    running.write_policy("version: 1\nclasses: {}\ntables: {people: {name: gone}}\n")
    running.process.send_signal(signal.SIGHUP)
    wait_for(lambda: '"event": "not reloaded"' in running.log_text())
    assert "policy.yaml:3" in running.log_text()
    running.execute("INSERT INTO people VALUES ('hidden')")
    assert database18.execute("SELECT name FROM people")[0][0].startswith("pgv1:")
    assert "pgveil_failed_reloads_total 1\n" in running.admin("/metrics")[1]


def test_sighup_reads_the_certificate_again(veil: Veils, database18: Database, tmp_path: Path) -> None:
    files = make_certificates(_made(tmp_path / "a"))
    tls = {"certificate": str(files.server), "key": str(files.server_key)}
    running = veil(database18, POLICY, tls=tls)
    assert running.process is not None
    make_certificates(tmp_path / "a")  # in the place of the old ones, by a new authority
    before = running.log_text().count('"event": "reloaded"')
    running.process.send_signal(signal.SIGHUP)
    wait_for(lambda: running.log_text().count('"event": "reloaded"') > before)
    dsn = running.dsn(sslmode="verify-full", sslrootcert=str(files.authority))
    psycopg.connect(dsn).close()


# --- other ways in ------------------------------------------------------------------------------------------


def test_a_unix_socket_beside_the_port(veil: Veils, database18: Database, tmp_path: Path) -> None:
    directory = _made(tmp_path / "s")
    for count in (1, 2):
        port = free_port()
        listen = [f"127.0.0.1:{port}", f"unix:{directory}:{port}"]
        running = veil(database18, POLICY, listen=listen, workers=count)
        for host in ("127.0.0.1", str(directory)):
            where = {"host": host, "port": port, "dbname": database18.name, "user": "postgres"}
            with psycopg.connect(**where) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
        running.stop()
        assert os.listdir(directory) == []


def _made(directory: Path) -> Path:
    directory.mkdir(exist_ok=True)
    return directory


def test_a_database_can_be_dropped_once_nobody_uses_it(veil: Veils, database18: Database) -> None:
    """As the test runners of web frameworks do with the databases that they make."""
    running = veil(database18, POLICY)
    with running.connect() as connection:
        connection.execute("CREATE DATABASE of_a_moment")
        with psycopg.connect(running.dsn(dbname="of_a_moment"), autocommit=True) as inside:
            inside.execute("CREATE TABLE people (name text)")
        connection.execute("DROP DATABASE of_a_moment")


def test_scram_with_tls_on_both_legs(veil: Veils, postgres15_tls: Postgres, tmp_path: Path) -> None:
    """The maintenance login may read pg_authid here: a client may insist on channel binding."""
    files = make_certificates(_made(tmp_path / "a"))
    authority = certificates_of(postgres15_tls).authority
    with postgres15_tls.database() as database:
        running = veil(
            database,
            POLICY,
            tls={"certificate": str(files.server), "key": str(files.server_key), "required": True},
            upstream=f"postgresql://127.0.0.1:{postgres15_tls.port}?sslmode=verify-full&sslrootcert={authority}",
        )
        options = {"sslmode": "verify-full", "sslrootcert": str(files.authority)}
        with psycopg.connect(
            running.dsn("with_scram", PASSWORD, channel_binding="require", **options)
        ) as ours:
            assert ours.execute("SELECT current_user").fetchone() == ("with_scram",)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(running.dsn("with_scram", "wrong", **options))
        with pytest.raises(psycopg.OperationalError, match="encrypted connections only"):
            psycopg.connect(running.dsn("with_scram", PASSWORD, sslmode="disable"))
