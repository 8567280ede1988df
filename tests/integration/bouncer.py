"""PgBouncer, where it is installed: a pooler before pgveil, or between pgveil and the server."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest

from proxy.embedded import free_port
from tests.postgres import url

HOST = "127.0.0.1"
POOL = 3  # connections to what is behind it
_START_TIMEOUT = 20.0
_CONFIG = """\
[databases]
* = host={host} port={upstream} user=postgres
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
pool_mode = {mode}
auth_type = any
max_client_conn = 100
default_pool_size = {size}
server_round_robin = 1
{more}
"""


def version() -> tuple[int, ...]:
    """PgBouncer's version; skips where it is not installed."""
    if shutil.which("pgbouncer") is None:
        pytest.skip("PgBouncer is not installed (apt-get install pgbouncer)")
    shown = subprocess.run(["pgbouncer", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", shown)
    assert found is not None, shown
    return int(found[1]), int(found[2])


def keeps_prepared_statements() -> bool:
    """Whether it follows the protocol's prepared statements in transaction mode."""
    return version() >= (1, 21)


@contextmanager
def pgbouncer(upstream: int, mode: str, *, size: int = POOL) -> Iterator[int]:
    """A PgBouncer before a port of this machine; its own port."""
    more = "max_prepared_statements = 100" if keeps_prepared_statements() else ""
    port = free_port()
    settings = {"host": HOST, "port": port, "upstream": upstream, "mode": mode, "size": size, "more": more}
    with TemporaryDirectory(prefix="pgveil-bouncer-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "pgbouncer.ini").write_text(_CONFIG.format(**settings))
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(
                ["pgbouncer", str(directory / "pgbouncer.ini")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **_not_root(),
            )
        try:
            _until_ready(process, port, directory / "log")
            yield port
        finally:
            process.send_signal(signal.SIGTERM)  # at once, whoever is connected
            process.wait()


def _until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(psycopg.OperationalError):
            psycopg.connect(url(HOST, port, "pgbouncer", "postgres"), autocommit=True).close()
            return
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"PgBouncer did not start: {log.read_text()}")


def _not_root() -> dict[str, Any]:
    """Arguments of subprocess: PgBouncer refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam("nobody")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": ()}
