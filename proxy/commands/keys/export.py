"""`pgveil keys export`: every key in one sealed file, for whoever has to begin again from nothing."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from crypto import export_file
from crypto.events import KeyEvent
from crypto.export_file import ExportFile
from crypto.plain_keys import PlainKey, gather
from crypto.private_file import passphrase_from
from proxy.commands.audited import audited
from proxy.commands.holder import open_holder
from proxy.commands.passphrases import new_passphrase
from proxy.config import Config, load

DONE, USAGE = 0, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="the file to make")
    parser.add_argument(
        "--passphrase-file",
        metavar="FILE",
        type=Path,
        help="seal it with the passphrase in a file (default: ask for one)",
    )
    parser.add_argument("--shares", metavar="N", type=int, help="seal it for so many custodians instead")
    parser.add_argument("--threshold", metavar="K", type=int, help="so many of them open it")
    parser.add_argument(
        "--shares-out",
        metavar="DIRECTORY",
        type=Path,
        help="write each share to a file of its own there (default: print them)",
    )


def run(args: argparse.Namespace) -> int:
    if (args.shares is None) != (args.threshold is None):
        return _misused("--shares and --threshold go together")
    if args.shares is not None and args.passphrase_file is not None:
        return _misused("it is sealed with a passphrase or for custodians, not both")
    if args.shares is None and args.shares_out is not None:
        return _misused("--shares-out needs --shares")
    return asyncio.run(_export(args, load(args.config, os.environ)))


def _misused(message: str) -> int:
    print(f"pgveil: {message}", file=sys.stderr)
    return USAGE


async def _export(args: argparse.Namespace, config: Config) -> int:
    async with audited(config, open_holder(config.keys), "keys export") as manager:
        records = await manager.keystore.read()
        keys = await gather(records, manager.provider, manager.keystore.location)
        try:
            _seal(args, keys)
        except ValueError as error:
            return _misused(str(error))
        manager.observe(KeyEvent.EXPORTED, None, {"keys": len(keys), "file": str(args.out)})
    print(f"{args.out}: {len(keys)} keys of {manager.keystore.location}")
    print(
        "Whoever opens it has every key: keep it apart from the database, and from its passphrase or shares."
    )
    return DONE


def _seal(args: argparse.Namespace, keys: tuple[PlainKey, ...]) -> None:
    """Write the file. It is a backup only if it opens again, which is tried before."""
    if args.shares is not None:
        content, words = export_file.seal_for_custodians(keys, args.shares, args.threshold)
        ExportFile(str(args.out), content).open_with_shares({str(n): share for n, share in enumerate(words)})
        _hand_out(args, words)
    else:
        if args.passphrase_file is not None:
            passphrase = passphrase_from(args.passphrase_file)()
        else:
            passphrase = new_passphrase("the export", "use --passphrase-file")
        content = export_file.seal_with_passphrase(keys, passphrase)
        ExportFile(str(args.out), content).open_with_passphrase(lambda: passphrase)
    export_file.write(args.out, content)


def _hand_out(args: argparse.Namespace, words: tuple[str, ...]) -> None:
    """Each share by itself, for one custodian to take away; before there is a file that needs them."""
    if args.shares_out is not None:
        args.shares_out.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number, share in enumerate(words, 1):
        text = f"Share {number} of {len(words)} of {args.out.name}; any {args.threshold} open it.\n{share}\n"
        if args.shares_out is None:
            print(f"\n{text}")
        else:
            path = args.shares_out / f"{args.out.name}.share{number}"
            export_file.write(path, text.encode())
            print(f"{path}: share {number} of {len(words)}")
