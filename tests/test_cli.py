"""The command line itself: what it says, and with which exit code it ends."""

from __future__ import annotations

import subprocess
import sys
import types
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from crypto.errors import ProviderError
from policy.document import DocumentError
from proxy import cli
from proxy.errors import Refused


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `pgveil ARGUMENTS`."""
    try:
        code = cli.main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    output = capsys.readouterr()
    return code, output.out, output.err


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Namespace], int]], None]:
    """Puts another function in the place of `pgveil check`."""

    def replace(body: Callable[[Namespace], int]) -> None:
        command = types.ModuleType("proxy.commands.check")

        def add_arguments(parser: ArgumentParser) -> None:
            parser.add_argument("--sql")

        vars(command).update(add_arguments=add_arguments, run=body)
        monkeypatch.setitem(sys.modules, "proxy.commands.check", command)

    return replace


def raising(error: BaseException) -> Callable[[Namespace], int]:
    def body(_: Namespace) -> int:
        raise error

    return body


def test_version_and_help_need_no_library(tmp_path: Path) -> None:
    """-S -I leave the interpreter without any installed package."""
    root = Path(cli.__file__).parent.parent
    program = f"import sys; sys.path.insert(0, {str(root)!r}); from proxy.cli import main; main(sys.argv[1:])"
    for option, expected in (("--version", "pgveil "), ("--help", "serve")):
        done = subprocess.run(
            [sys.executable, "-S", "-I", "-c", program, option], capture_output=True, text=True, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for name, purpose in cli.COMMANDS.items():
        assert name in out
        assert purpose.split()[0] in out


@pytest.mark.parametrize("arguments", [(), ("servee",), ("check", "--sequel"), ("--konfig", "x")])
def test_wrong_usage_is_two(
    capsys: pytest.CaptureFixture[str], check: Callable[..., None], arguments: tuple[str, ...]
) -> None:
    check(lambda _: 0)
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("usage: pgveil")


def test_a_command_gets_its_arguments_and_gives_the_exit_code(
    capsys: pytest.CaptureFixture[str], check: Callable[..., None]
) -> None:
    seen: list[Namespace] = []
    check(lambda args: seen.append(args) or 1)
    assert run(capsys, "check", "--sql", "queries.sql", "--config", "other.yaml")[0] == 1
    assert (seen[0].sql, seen[0].config) == ("queries.sql", Path("other.yaml"))


@pytest.mark.parametrize(
    "arguments",
    [("keys", "--config", "mine.yaml", "list"), ("keys", "list", "--config", "mine.yaml"), ("keys", "list")],
)
def test_a_command_and_its_action_both_take_the_configuration(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    seen: list[Path] = []
    monkeypatch.setattr("proxy.commands.keys.run", lambda args: seen.append(args.config) or 0)
    assert run(capsys, *arguments)[0] == 0
    assert seen == [Path("mine.yaml" if "--config" in arguments else cli.DEFAULT_CONFIG)]


def test_the_demo_brings_its_own_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "demo", "--config", "mine.yaml")
    assert code == 2
    assert "unrecognized arguments" in err


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_its_module_and_its_help(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, out, _ = run(capsys, name, "--help")
    assert code == 0
    assert ("--config" in out) == (name not in cli.WITHOUT_CONFIG)


def test_the_configuration_can_come_from_the_environment(
    capsys: pytest.CaptureFixture[str], check: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Namespace] = []
    check(lambda args: seen.append(args) or 0)
    monkeypatch.setenv("PGVEIL_CONFIG", "/etc/pgveil/pgveil.yaml")
    assert run(capsys, "check")[0] == 0
    assert seen[0].config == Path("/etc/pgveil/pgveil.yaml")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (FileNotFoundError(2, "No such file or directory", "a.yaml"), 2, "a.yaml: No such file or directory"),
        (ConnectionRefusedError("nobody listens there"), 2, "nobody listens there"),
        (
            DocumentError(["p.yaml:1:2: bad", "p.yaml:3:4: worse"]),
            2,
            "p.yaml:1:2: bad\npgveil: p.yaml:3:4: worse",
        ),
        (ProviderError("keys/master.key: others can read it"), 2, "keys/master.key: others can read it"),
        (Refused("no", detail="why", hint="do this"), 1, "no\nDETAIL: why\nHINT: do this"),
    ],
)
def test_an_error_is_one_line(
    capsys: pytest.CaptureFixture[str], check: Callable[..., None], error: Exception, code: int, line: str
) -> None:
    check(raising(error))
    assert run(capsys, "check") == (code, "", f"pgveil: {line}\n")


def test_an_unexpected_error_shows_its_place_but_no_value(
    capsys: pytest.CaptureFixture[str], check: Callable[..., None]
) -> None:
    check(raising(ValueError("invalid literal: 'a secret'")))
    code, _, err = run(capsys, "check")
    assert code == 1
    assert "ValueError at test_cli.py:" in err
    assert "secret" not in err


def test_control_c_is_quiet(capsys: pytest.CaptureFixture[str], check: Callable[..., None]) -> None:
    check(raising(KeyboardInterrupt()))
    assert run(capsys, "check") == (130, "", "")


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    """`pgveil --help | true`, and the same for a command that prints a lot."""
    program = (
        "import sys, types; from proxy import cli; command = types.ModuleType('c');"
        "command.add_arguments = lambda p: None; "
        "command.run = lambda a: [print('x' * 99) for _ in range(9999)] and 0;"
        "sys.modules['proxy.commands.check'] = command; sys.exit(cli.main(['check']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait() == 1
