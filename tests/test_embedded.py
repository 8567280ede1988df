"""The servers of tests and demo: they run what they should, keep to themselves, and leave nothing behind."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import psutil
import psycopg
import pytest

from proxy.embedded import EmbeddedError, Server, free_port, wheel_programs
from tests.postgres import PASSWORD, Database, Postgres


def test_runs_the_version_that_it_says(postgres: Postgres) -> None:
    [(number,)] = postgres.execute("SHOW server_version_num")
    assert int(number) // 10000 == postgres.version


def test_a_database_is_fresh_and_its_log_is_told_from_others(postgres: Postgres, database: Database) -> None:
    database.execute("CREATE TABLE notes (body text)")
    database.execute("INSERT INTO notes VALUES ('first note')")
    with postgres.database() as other:
        assert other.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
        assert "first note" not in other.log_text()
    assert "first note" in database.contents()
    assert "first note" in database.log_text()
    assert "first note" not in database.log_text(direct=False)


def test_the_server_logs_parameters(database: Database) -> None:
    with psycopg.connect(database.dsn) as connection:
        connection.execute("SELECT %s::text", ["a parameter"])
    assert "a parameter" in database.log_text(direct=False)


@pytest.mark.parametrize("user", ["with_scram", "with_md5", "with_password"])
def test_roles_log_in_with_the_password_only(postgres16: Postgres, user: str) -> None:
    with psycopg.connect(postgres16.dsn(user=user, password=PASSWORD)) as connection:
        assert connection.execute("SELECT current_user").fetchall() == [(user,)]
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(postgres16.dsn(user=user, password="wrong"))


def test_tls_with_both_certificates(postgres15_tls: Postgres) -> None:
    certificates = postgres15_tls.certificates
    assert certificates is not None
    dsn = postgres15_tls.dsn(
        user="with_certificate",
        sslmode="verify-full",
        sslrootcert=str(certificates.authority),
        sslcert=str(certificates.client),
        sslkey=str(certificates.client_key),
    )
    with psycopg.connect(dsn) as connection:
        assert connection.pgconn.ssl_in_use
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgres15_tls.dsn(user="with_certificate", sslmode="disable"))


def test_leaves_no_process_and_no_file() -> None:
    with Server(wheel_programs()) as server:
        [postmaster] = [
            p for p in psutil.process_iter(["cmdline"]) if str(server.data) in (p.info["cmdline"] or ())
        ]
        family = [postmaster, *postmaster.children(recursive=True)]
        assert server.directory.exists()
    assert not server.directory.exists()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive


def test_a_free_port_is_given_to_one_only() -> None:
    """Though several processes ask, before those that asked first have listened."""
    ports = [free_port() for _ in range(1000)]
    assert len(set(ports)) == len(ports)
    with socket.create_server(("127.0.0.1", ports[0])) as server, pytest.raises(OSError):
        socket.create_server(("127.0.0.1", server.getsockname()[1]))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports[1]))


def test_a_taken_port_is_said(postgres16: Postgres) -> None:
    with pytest.raises(EmbeddedError, match="could not bind"), Server(wheel_programs(), port=postgres16.port):
        pytest.fail("two servers on one port")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends the server another account")
def test_root_can_run_programs_that_stand_in_its_own_home(tmp_path: Path) -> None:
    """A virtual environment below /root cannot be reached by the account that runs the server."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    wheel = wheel_programs().parent.parent
    (home / "lib").mkdir()
    subprocess.run(["cp", "-r", wheel, f"{wheel}.libs", home / "lib"], check=True)
    with Server(home / "lib" / wheel.name / "pginstall18" / "bin") as server:
        assert server.programs.is_relative_to(server.directory)
        with psycopg.connect(f"postgresql://postgres@{server.host}:{server.port}/postgres") as connection:
            assert connection.execute("SELECT 1").fetchall() == [(1,)]
