"""The command line: finds the subcommand, and turns what it raises into one line and an exit code.

Exit codes: 0 done, 1 found something wrong, 2 wrong usage or configuration, 130 interrupted (128 + SIGINT).
Each command is a module of `proxy.commands` with `add_arguments(parser)` and `run(args) -> int`, imported
only when it is asked for, so that `pgveil --help` needs none of their libraries.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from crypto.errors import CryptoError
from policy.document import DocumentError
from proxy.errors import ServerError

COMMANDS = {
    "serve": "run the proxy",
    "check": "compare the policy with the database, or ask which statements of a file will work",
    "explain": "show what would happen to one SQL statement",
    "guard": "let the server itself refuse plaintext in protected columns",
    "keys": "make and list keys",
    "rotate": "give fields, tables or the whole of it new keys; no row is rewritten",
    "status": "say how the keys are, and what remains to be done",
    "audit": "say whether the audit trail is whole",
    "demo": "see it work: a PostgreSQL of its own, pgveil before it, and an ordinary application",
}
WITHOUT_CONFIG = {"demo"}  # it brings its own
DEFAULT_CONFIG = "config/pgveil.yaml"

DONE, FOUND, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = next((word for word in arguments if not word.startswith("-")), None)
    command = importlib.import_module(f"proxy.commands.{name}") if name in COMMANDS else None
    default = argparse.Namespace(config=Path(os.environ.get("PGVEIL_CONFIG", DEFAULT_CONFIG)))
    parsed = _parser(name, command).parse_args(arguments, default)  # if it cannot, it ends with 2 and a line
    if command is None:
        raise AssertionError("argparse let an unknown command through")
    try:
        code: int = command.run(parsed)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FOUND
    except Exception as error:
        code, line = _explain(error)
        sys.stderr.write(f"pgveil: {line}\n")
    return code


def _parser(name: str | None, command: ModuleType | None) -> argparse.ArgumentParser:
    """The parser of the whole command line; only `command` has told its arguments."""
    parser = argparse.ArgumentParser(prog="pgveil", description="Field-level encryption before PostgreSQL.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show pgveil's version and exit")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=_CommandParser
    )
    for known, purpose in COMMANDS.items():
        sub = commands.add_parser(
            known, help=purpose, description=purpose, with_config=known not in WITHOUT_CONFIG
        )
        if known == name and command is not None:
            command.add_arguments(sub)
    return parser


class _CommandParser(argparse.ArgumentParser):
    """The parser of a command, and (since argparse makes them of the same class) of its actions."""

    def __init__(self, *args: Any, with_config: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if with_config:
            self.add_argument(
                "--config",
                metavar="FILE",
                type=Path,
                default=argparse.SUPPRESS,  # an action's default would hide what its command was given
                help=f"the configuration (default: $PGVEIL_CONFIG, or {DEFAULT_CONFIG})",
            )


class _Version(argparse.Action):
    """Looks the version up when it is asked for: to import what knows it takes longer than all else here."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            sys.stdout.write(f"pgveil {version('pgveil')}\n")
        except PackageNotFoundError:
            sys.stdout.write("pgveil (not installed)\n")
        parser.exit()


def _explain(error: Exception) -> tuple[int, str]:
    """Exit code and a line for whoever typed the command; never a traceback, whose lines may hold values."""
    if isinstance(error, ServerError):
        details = [("DETAIL", error.detail), ("HINT", error.hint)]
        return FOUND, "\n".join([error.message, *(f"{name}: {text}" for name, text in details if text)])
    if isinstance(error, DocumentError):
        return USAGE, "\npgveil: ".join(error.findings)
    if isinstance(error, CryptoError):
        return USAGE, str(error)
    if isinstance(error, OSError):
        return USAGE, f"{error.filename}: {error.strerror}" if error.filename else str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    return FOUND, f"unexpected {type(error).__name__} at {place}; please report this"
