"""What is compared: each is a port of this machine that speaks PostgreSQL's protocol."""

from __future__ import annotations

import http.client
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psutil  # type: ignore[import-untyped]

from bench.database import DATABASE, POLICY
from proxy.embedded import Server, free_port

HOST = "127.0.0.1"
DIRECT, PGBOUNCER, FORWARDER, PGVEIL = "direct", "PgBouncer", "forwarder", "pgveil"
_START_TIMEOUT = 30.0
_STOP_TIMEOUT = 10.0

_PGBOUNCER = """\
[databases]
{database} = host={host} port={upstream} dbname={database} user=postgres
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
pool_mode = session
auth_type = any
max_client_conn = 100
default_pool_size = 90
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
"""
_PGVEIL = """\
listen: {host}:{port}
upstream: postgresql://{host}:{upstream}
maintenance: postgresql://postgres@{host}:{upstream}/{database}
policy: policy.yaml
keys:
  provider: local
  local: {{file: keys/master.key}}
  keystore: {{file: keys/keystore.json}}
admin: {host}:{admin}
log_level: warning
"""


class NotStarted(Exception):
    """A contender did not start; the message says why."""


@dataclass(frozen=True)
class Contender:
    """One way to the server. `process` is the proxy's, None for the direct one."""

    name: str
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres@{HOST}:{self.port}/{DATABASE}"

    def table(self, name: str) -> str:
        """The table that this contender uses: only pgveil the protected one."""
        return name if self.name == PGVEIL else f"{name}_plain"

    def rss(self) -> int | None:
        """Resident memory of the proxy with its children, in bytes; None for the direct connection."""
        processes = self._processes()
        return sum(int(process.memory_info().rss) for process in processes) if processes else None

    def processor(self) -> float | None:
        """Processor time that the proxy has used so far, in seconds; None for the direct connection."""
        processes = self._processes()
        return sum(_processor(process) for process in processes) if processes else None

    def _processes(self) -> list[psutil.Process]:
        if self.process is None:
            return []
        main = psutil.Process(self.process.pid)
        return [main, *main.children(recursive=True)]


@contextmanager
def contenders(server: Server, names: Sequence[str]) -> Iterator[list[Contender]]:
    """Start those of `names` that can be had here, in this order; PgBouncer only where it is installed."""
    starts: dict[str, Callable[[ExitStack, Server], Contender | None]] = {
        DIRECT: lambda _stack, server: Contender(DIRECT, server.port),
        PGBOUNCER: _start_pgbouncer,
        FORWARDER: _start_forwarder,
        PGVEIL: start_pgveil,
    }
    with ExitStack() as stack:
        started = [starts[name](stack, server) for name in names]
        yield [contender for contender in started if contender is not None]


def start_pgveil(stack: ExitStack, server: Server, *, policy: str = POLICY) -> Contender:
    """`pgveil serve` with new keys. Raises NotStarted with what it logged."""
    directory = Path(stack.enter_context(_directory()))
    port, admin = free_port(), free_port()
    settings = {"host": HOST, "port": port, "upstream": server.port, "admin": admin, "database": DATABASE}
    (directory / "pgveil.yaml").write_text(_PGVEIL.format(**settings))
    (directory / "policy.yaml").write_text(policy)
    pgveil = [sys.executable, "-m", "proxy"]
    options = ["--config", str(directory / "pgveil.yaml")]
    keys = subprocess.run(
        [*pgveil, "keys", "init", *options], cwd=directory, capture_output=True, check=False
    )
    if keys.returncode != 0:
        raise NotStarted(f"pgveil keys init: {keys.stderr.decode()}")
    process = _start(stack, [*pgveil, "serve", *options], directory, lambda: _is_ready(admin))
    return Contender(PGVEIL, port, process)


def _start_forwarder(stack: ExitStack, server: Server) -> Contender:
    port = free_port()
    words = [sys.executable, "-m", "bench.forwarder", str(port), str(server.port)]
    root = Path(__file__).parent.parent
    process = _start(stack, words, root, lambda: _listens(port), log=Path(stack.enter_context(_directory())))
    return Contender(FORWARDER, port, process)


def _start_pgbouncer(stack: ExitStack, server: Server) -> Contender | None:
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        return None
    directory = Path(stack.enter_context(_directory()))
    directory.chmod(0o755)
    port = free_port()
    config = directory / "pgbouncer.ini"
    config.write_text(_PGBOUNCER.format(host=HOST, port=port, upstream=server.port, database=DATABASE))
    process = _start(stack, [program, str(config)], directory, lambda: _listens(port), **_not_root())
    return Contender(PGBOUNCER, port, process)


def _not_root() -> dict[str, Any]:
    """Arguments of subprocess: PgBouncer refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam("nobody")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": ()}


def _start(
    stack: ExitStack,
    words: Sequence[str],
    directory: Path,
    ready: Callable[[], bool],
    *,
    log: Path | None = None,
    **options: Any,
) -> subprocess.Popen[bytes]:
    """Start a program and wait until it is ready; the stack ends it."""
    path = (log or directory) / "log"
    with path.open("wb") as output:
        process = subprocess.Popen(
            words, cwd=directory, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options
        )
    stack.callback(_stop, process)
    deadline = time.monotonic() + _START_TIMEOUT
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise NotStarted(f"{' '.join(words)}: {path.read_text()[-2000:]}")
        time.sleep(0.05)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _processor(process: psutil.Process) -> float:
    """Processor time in seconds: to the nanosecond from Linux's scheduler, else in the kernel's ticks."""
    tasks = list(Path(f"/proc/{process.pid}/task").glob("*/schedstat"))
    if tasks:
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
    return float(sum(process.cpu_times()[:2]))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _is_ready(admin: int) -> bool:
    connection = http.client.HTTPConnection(HOST, admin, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@contextmanager
def _directory() -> Iterator[str]:
    path = mkdtemp(prefix="pgveil-bench-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
