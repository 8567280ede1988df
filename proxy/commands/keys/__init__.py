"""`pgveil keys`: makes keys, lists them, says how they are. Never shows a key.

Each action is a module with `add_arguments(parser)` and `run(args) -> int`, as the commands are.
"""

from __future__ import annotations

import argparse
from typing import Protocol

from proxy.commands.keys import destroy, export, importing, init, listing, status, verify


class Action(Protocol):
    """A module of this package."""

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None: ...

    def run(self, args: argparse.Namespace, /) -> int: ...


ACTIONS: dict[str, tuple[Action, str]] = {
    "init": (init, "make the master key, unless there is one, and the keystore"),
    "list": (listing, "list every key version"),
    "status": (status, "say whether every key opens, and how much each has encrypted"),
    "verify": (verify, "prove that every key opens, and is the one that has sealed"),
    "export": (export, "put every key into one sealed file, for the worst case"),
    "import": (importing, "take the keys of an export into the keystore"),
    "destroy": (destroy, "destroy the key of a field, and with it what it has sealed"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, (module, purpose) in ACTIONS.items():
        module.add_arguments(actions.add_parser(name, help=purpose, description=purpose))


def run(args: argparse.Namespace) -> int:
    module, _ = ACTIONS[args.action]
    return module.run(args)
