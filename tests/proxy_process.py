"""pgveil as its users run it: `pgveil serve`, a process of its own, before a real PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import psycopg
import yaml

from proxy.cli import main
from proxy.embedded import free_port
from tests.postgres import Database, url

# Every protected value of a test holds one of these: none may be seen where pgveil should have hidden it.
CANARY = "kanarie"
CANARY_NUMBER = 1733173317
CANARY_DATE = "1973-03-31"
_CANARIES = (CANARY, str(CANARY_NUMBER), CANARY_DATE)

_START_TIMEOUT = 30.0
_STOP_TIMEOUT = 30.0


def canaries_in(text: str) -> list[str]:
    """The canaries that a text holds, as they are or in hexadecimal (as bytea is printed)."""
    return [word for word in _CANARIES if word in text or word.encode().hex() in text]


class Veil:
    """One `pgveil serve` and its files: pgveil.yaml, policy.yaml, keys/, pgveil.log in `directory`."""

    host = "127.0.0.1"

    def __init__(
        self, directory: Path, database: Database, policy: str | Mapping[str, Any], **config: Any
    ) -> None:
        self.directory = directory
        self.database = database
        self.port = free_port()
        self.admin_port = free_port()
        self.config_path = directory / "pgveil.yaml"
        self.policy_path = directory / "policy.yaml"
        self.log_path = directory / "pgveil.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._log_start = database.log_start
        postgres = database.postgres
        self.config: dict[str, Any] = {
            "listen": f"{self.host}:{self.port}",
            "upstream": f"postgresql://{postgres.host}:{postgres.port}",
            "maintenance": database.dsn,
            "policy": "policy.yaml",
            "keys": {
                "provider": "local",
                "local": {"file": "keys/master.key"},
                "keystore": {"file": "keys/keystore.json"},
            },
            "admin": f"{self.host}:{self.admin_port}",
            **config,
        }
        self.write_policy(policy)
        self.write_config()

    def write_policy(self, policy: str | Mapping[str, Any]) -> None:
        """Replace policy.yaml (its text, or what becomes its YAML)."""
        self.policy_path.write_text(policy if isinstance(policy, str) else yaml.safe_dump(dict(policy)))

    def write_config(self) -> None:
        """Write `config` to pgveil.yaml."""
        self.config_path.write_text(yaml.safe_dump(self.config))

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command of pgveil with this configuration."""
        words = [sys.executable, "-m", "proxy", *arguments, "--config", str(self.config_path)]
        return subprocess.run(
            words, cwd=self.directory, capture_output=True, text=True, check=False, timeout=60
        )

    def make_keys(self) -> None:
        """`pgveil keys init`, once; in a thread of this process, for a new Python costs more than keys."""
        if not (self.directory / "keys").exists():
            words = ["keys", "init", "--no-fingerprints", "--config", str(self.config_path)]
            with ThreadPoolExecutor(1) as elsewhere:  # this thread may have an event loop already
                code = elsewhere.submit(main, words).result()
            assert code == 0, "pgveil keys init failed: see what it printed"

    def start(self, status: int = 200) -> Veil:
        """Start the process and wait until it is ready, or /readyz has another status.

        What it logged is the failure's message.
        """
        self.make_keys()
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "proxy", "serve", "--config", str(self.config_path)],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _START_TIMEOUT
        while self.admin("/readyz")[0] != status:
            assert self.process.poll() is None, (
                f"pgveil ended with {self.process.returncode}: {self.log_text()}"
            )
            assert time.monotonic() < deadline, f"pgveil is not ready: {self.log_text()}"
            time.sleep(0.05)
        return self

    def ready(self) -> bool:
        """Whether /readyz says so."""
        return self.admin("/readyz")[0] == 200

    def admin(self, path: str) -> tuple[int, str]:
        """Status and body of a page of the admin listener; status 0 when nobody listens."""
        try:
            with urllib.request.urlopen(f"http://{self.host}:{self.admin_port}{path}", timeout=5) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def stop(self) -> int | None:
        """End it with SIGTERM, as a service manager does; its exit code (None if it never ran)."""
        if self.process is None:
            return None
        self.process.terminate()
        try:
            return self.process.wait(_STOP_TIMEOUT)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it and its workers without asking."""
        if self.process is None or self.process.returncode is not None:
            return
        for process in (*psutil.Process(self.process.pid).children(recursive=True), self.process):
            process.kill()
        self.process.wait()

    def dsn(self, user: str = "postgres", password: str | None = None, **options: str) -> str:
        """A URL of the test's database, by way of pgveil."""
        return url(self.host, self.port, self.database.name, user, password, **options)

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """A psycopg connection through pgveil, in autocommit mode."""
        return psycopg.connect(self.dsn(), autocommit=True, **options)

    def execute(self, sql: str, parameters: Any = None, **options: Any) -> list[tuple[Any, ...]]:
        """Run SQL through pgveil; the rows of its (last) result."""
        with self.connect(**options) as connection:
            cursor = connection.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def log_text(self) -> str:
        """What pgveil has logged."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    def rss(self) -> int:
        """Resident memory in bytes, with that of its workers."""
        assert self.process is not None
        main = psutil.Process(self.process.pid)
        return sum(process.memory_info().rss for process in (main, *main.children(recursive=True)))

    def assert_no_leak(self) -> None:
        """No canary in pgveil's log, in the tables, or in the server's log of sessions through pgveil.

        What the server had logged when none was found is not read again.
        """
        seen = self.database.postgres.log_size()
        for place, text in {
            "pgveil's log holds": self.log_text(),
            "the server's log holds": self.database.log_text(direct=False, start=self._log_start),
            "the tables hold": self.database.contents(),
        }.items():
            if words := canaries_in(text):
                lines = [line for line in text.splitlines() if canaries_in(line)]
                raise AssertionError(f"{place} {words}: {lines[:5]}")
        self._log_start = seen


class Veils:
    """Makes any number of proxies for one test. Each ends before its database does, with a look for leaks."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0

    def __call__(
        self,
        database: Database,
        policy: str | Mapping[str, Any],
        *,
        start: bool = True,
        leaks: bool = False,
        **config: Any,
    ) -> Veil:
        """A proxy before `database`, started; `config` replaces keys of pgveil.yaml.

        Whoever puts a canary into the tables on purpose says `leaks=True`.
        """
        self._count += 1
        directory = self._directory / f"veil{self._count}"
        directory.mkdir()
        veil = Veil(directory, database, policy, **config)
        if not leaks:
            database.at_end.callback(veil.assert_no_leak)
        database.at_end.callback(veil.kill)
        return veil.start() if start else veil
