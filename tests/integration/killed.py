"""`python -m tests.integration.killed N COMMAND …`: pgveil that is killed (SIGKILL) after its N-th step.

A step is what outlives a process: a file that was put in its place, a transaction that was committed.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from crypto import keystore_file, master_key_file
from crypto.keystore_table import TableKeystore
from proxy import cli

_left = 0


def _taken() -> None:
    global _left
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


def _step(work: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(work)
    def take(*arguments: Any) -> Any:
        result = work(*arguments)
        _taken()
        return result

    return take


def main(steps: int, arguments: list[str]) -> int:
    """Run the command; the exit code, if it needs no more steps than that."""
    global _left
    _left = steps
    update = TableKeystore.update

    async def take(self: TableKeystore, change: Any) -> Any:
        result = await update(self, change)
        _taken()
        return result

    TableKeystore.update = take  # type: ignore[method-assign]
    for module, name in (
        (keystore_file, "replace_file"),
        (keystore_file, "overwrite_file"),
        (master_key_file, "replace_file"),
    ):
        setattr(module, name, _step(getattr(module, name)))
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
