"""`pgveil demo`, as a newcomer starts it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from policy.loader import load
from proxy.commands import demo
from proxy.demo.application import USERS
from proxy.demo.screen import Screen, display_width, fit
from proxy.demo.show import SECRETS, DemoError, Places, Show
from proxy.embedded import Server, free_port, wheel_programs

SECONDS = 90


def start(*options: str) -> subprocess.Popen[str]:
    """`pgveil demo` on a screen of 120 columns."""
    return subprocess.Popen(
        [sys.executable, "-m", "proxy", "demo", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "120"},
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error; no child of it is left."""
    children = psutil.Process(process.pid).children(recursive=True)
    out, err = process.communicate(timeout=SECONDS)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    return process.returncode, out, err


def wait_for(process: subprocess.Popen[str], text: str) -> str:
    """What is printed up to the line that holds `text`."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"ended without {text!r}: {seen} {process.communicate()}")


def test_once_shows_everything_and_ends_well() -> None:
    code, out, err = finish(start("--once", "--port", str(free_port())))
    assert (code, err) == (0, ""), out + err
    for user in USERS[1:]:
        assert user["full_name"] in out
    assert "pgv1:" in out
    assert "0A000" in out
    assert "HINT" in out
    assert "none found" in out


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stays_until_told_to_end_and_leaves_nothing(ending: signal.Signals) -> None:
    process = start("--port", str(free_port()))
    shown = wait_for(process, "Ctrl-C")
    urls = re.findall(r"postgresql://\S+", shown)
    through, past = urls[-2], urls[-1]
    with psycopg.connect(through) as application, psycopg.connect(past) as administrator:
        question = "SELECT email FROM users ORDER BY id"
        assert [row[0] for row in application.execute(question)] == [user["email"] for user in USERS]
        assert all(row[0].startswith("pgv1:") for row in administrator.execute(question))
    process.send_signal(ending)
    process.send_signal(ending)  # the impatient do it twice
    code, _, err = finish(process)
    assert (code, err) == (0, "")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(past)


def test_a_taken_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = finish(start("--port", str(port)))
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"pgveil: cannot listen on 127.0.0.1:{port} \(.*\); try --port \d+\n", err)


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_an_impossible_port_is_one_line(port: str) -> None:
    code, _, err = finish(start("--port", port))
    assert code == 2
    assert err.startswith(f"pgveil: cannot listen on 127.0.0.1:{port}")
    assert err.count("\n") == 1


def test_the_schema_holds_every_column_of_the_policy(server: Server) -> None:
    policy = load(Path(demo.__file__).parent.parent / "demo" / "policy.yaml")
    with psycopg.connect(f"postgresql://postgres@{server.host}:{server.port}/app") as administrator:
        columns = set(
            administrator.execute(
                "SELECT table_schema, table_name, column_name FROM information_schema.columns"
            )
        )
    assert {(field.schema, field.table, field.column) for field in policy.fields()} <= columns


def test_the_show_fails_where_nothing_is_encrypted(server: Server) -> None:
    """The same scenes without pgveil: the first comparison of what was written and what is stored fails."""
    directly = f"postgresql://postgres@{server.host}:{server.port}/app"
    with psycopg.connect(directly, autocommit=True) as administrator:
        administrator.execute("ALTER TABLE users ALTER birth_date TYPE date USING NULL")
    places = Places(directly, directly, server.data, server.log, {"users": frozenset({"email"})})
    with pytest.raises(DemoError, match="email is not encrypted"):
        Show(places, Screen()).run()


def test_the_search_of_the_files_finds_a_plaintext(server: Server) -> None:
    directly = f"postgresql://postgres@{server.host}:{server.port}/app"
    show = Show(Places(directly, directly, server.data, server.log, {}), Screen())
    with psycopg.connect(directly, autocommit=True) as administrator:
        administrator.execute(
            "INSERT INTO agents (name, model, system_prompt) VALUES ('a', 'b', %s)", [SECRETS[0]]
        )
    with pytest.raises(DemoError, match="holds a plaintext"):
        show._search_files()


@pytest.fixture
def server() -> Iterator[Server]:
    """The demo's own server, with its empty tables."""
    with Server(wheel_programs()) as server:
        demo.make_database(server)
        yield server


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("abc", 5, "abc  "),
        ("abcdef", 4, "abc…"),
        ("漢字漢字", 5, "漢字…"),
        ("漢字漢字", 4, "漢… "),
        ("Zoe\u0308", 3, "Zoe\u0308"),
    ],
)
def test_cells_keep_their_width(text: str, width: int, expected: str) -> None:
    assert fit(text, width) == expected
    assert display_width(expected) == width


def test_a_table_fits_the_screen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    Screen().table(("column", "seen", "stored"), [("a", "x" * 99, "y" * 99), ("b", "short", "y")], green=1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all(display_width(line) <= 60 for line in lines)
    assert "\033" not in "".join(lines)
