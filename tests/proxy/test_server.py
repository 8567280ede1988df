"""The server with real clients: cancelling, limits, draining, Unix sockets."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from proxy.wire.startup import CancelRequest
from tests.postgres import Postgres
from tests.shell import Shell, dialogue, shell, startup_of, wait_for

STARTUP = startup_of()


@pytest.fixture(scope="module")
def running(postgres16: Postgres) -> Iterator[Shell]:
    with shell(postgres16) as running:
        yield running


def test_a_query_is_cancelled(running: Shell) -> None:
    with running.connect() as connection:
        threading.Timer(0.3, connection.cancel_safe).start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(30)")
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_cancelling_connection_is_closed_when_the_server_has_done_it(running: Shell) -> None:
    before = running.metrics.total("cancel_requests_total")
    assert dialogue(running, CancelRequest(1, b"none").pack()) == b""
    assert running.metrics.total("cancel_requests_total") == before + 1


def test_the_number_of_sessions_is_limited(postgres16: Postgres) -> None:
    with shell(postgres16, max_connections=2) as running:
        first, second = running.connect(), running.connect()
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            running.connect()
        first.close()
        wait_for(lambda: running.metrics.total("sessions") == 1)
        running.connect().close()
        second.close()


def test_unix_sockets(postgres16: Postgres, tmp_path: Path) -> None:
    with shell(postgres16, unix=tmp_path):
        command = [postgres16.psql, "-h", tmp_path, "-p", "6432", "-U", "postgres", "-Atc", "SELECT 42"]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "42\n"
    assert not (tmp_path / ".s.PGSQL.6432").exists()


def test_draining_ends_sessions_between_transactions(postgres16: Postgres) -> None:
    with shell(postgres16) as running:
        idle, busy = running.connect(), running.connect()
        busy.execute("BEGIN")
        running.begin(running.server.drain(30))
        wait_for(lambda: running.server.draining)
        with pytest.raises(psycopg.errors.AdminShutdown):
            idle.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match="pgveil is shutting down"):
            running.connect()
        assert busy.execute("SELECT 1").fetchone() == (1,)
        busy.execute("COMMIT")
        with pytest.raises(
            psycopg.OperationalError
        ):  # libpq shows an error that it gets while idle as a notice
            busy.execute("SELECT 1")
        wait_for(lambda: running.metrics.total("sessions") == 0)


def test_draining_has_a_limit(postgres16: Postgres) -> None:
    with shell(postgres16) as running, running.connect() as connection:
        connection.execute("BEGIN")
        running.call(running.server.drain(0.2))
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")
