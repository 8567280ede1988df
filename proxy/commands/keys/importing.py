"""`pgveil keys import`: the keys of an export into the keystore, under the master key that there is now."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from crypto import export_file
from crypto.key_import import restore
from crypto.plain_keys import PlainKey
from crypto.private_file import passphrase_from, read_private
from proxy.commands.audited import audited
from proxy.commands.holder import open_holder
from proxy.commands.passphrases import ask_passphrase
from proxy.config import Config, load

DONE = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="what pgveil keys export has made")
    opening = parser.add_mutually_exclusive_group()
    opening.add_argument(
        "--passphrase-file", metavar="FILE", type=Path, help="its passphrase (default: ask for it)"
    )
    opening.add_argument(
        "--shares-from",
        metavar="FILE",
        type=Path,
        nargs="+",
        help="the shares of custodians, one in each file",
    )


def run(args: argparse.Namespace) -> int:
    return asyncio.run(_import(load(args.config, os.environ), args))


async def _import(config: Config, args: argparse.Namespace) -> int:
    provider, keys = open_holder(config.keys), _open(args)
    async with audited(config, provider, "keys import") as manager:
        done = await restore(manager.keystore, manager.provider, keys, observe=manager.observe)
    print(
        f"{manager.keystore.location}: {done.added} keys added, {done.present} there already,"
        f" {done.advanced} of these in a later state now"
    )
    return DONE


def _open(args: argparse.Namespace) -> tuple[PlainKey, ...]:
    export = export_file.read(args.file)
    if args.shares_from:
        return export.open_with_shares({str(path): _words(path) for path in args.shares_from})
    if args.passphrase_file is not None:
        return export.open_with_passphrase(passphrase_from(args.passphrase_file))
    return export.open_with_passphrase(lambda: ask_passphrase("the export"))


def _words(path: Path) -> str:
    """The last line that is not empty: those before it are for people."""
    lines = [line for line in read_private(path).decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""
