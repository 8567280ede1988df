"""`pgveil audit`: whether the audit trail is whole."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crypto.chain_key import AUDIT, ChainKey
from crypto.errors import KeystoreError
from proxy.audit.chain import ChainKeys, parse
from proxy.audit.file_sink import head_path
from proxy.audit.head import Head, HeadAltered, unpack
from proxy.audit.verify import Report, Verifier
from proxy.commands.passphrases import ask_passphrase
from proxy.config import Config, ConfigError, load
from proxy.keys import key_manager, master_key

DONE, FOUND = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    verify = actions.add_parser("verify", help="say whether records were changed, removed, added or moved")
    verify.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        type=Path,
        help="files of the trail (default: audit.file, and all that were put away beside it)",
    )
    verify.add_argument(
        "--contains",
        metavar="NUMBER:MAC",
        type=_anchor,
        help="a record that has to be there, as an earlier run has printed it",
    )
    verify.add_argument(
        "--collected",
        action="store_true",
        help="the files are a collector's: something stands before each record, and trails are mixed",
    )
    verify.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if the trail is whole, 1 if it is not, 2 if that cannot be found out."""
    config = load(args.config, os.environ)
    keys = ChainKeys(asyncio.run(_chain_keys(config)))
    files = _in_order(args.files or _own_files(config))
    report = _verify(config, files, keys, args)
    print(json.dumps(_as_json(files, report), indent=2) if args.json else _spelled(files, report))
    return FOUND if report.findings else DONE


async def _chain_keys(config: Config) -> tuple[ChainKey, ...]:
    manager = key_manager(config, master_key(config.keys, ask_passphrase))
    try:
        await manager.refresh()
        keys = manager.chain_keys(AUDIT)
    finally:
        await manager.close()
    if not keys:
        raise KeystoreError(f"{manager.keystore.location}: has no key of an audit trail")
    return keys


def _own_files(config: Config) -> list[Path]:
    """The file of the configuration, and those that were put away beside it."""
    path = config.audit.file
    if config.audit.sink != "file":
        raise ConfigError(["audit.sink is not file: name the files to verify"])
    rotated = re.compile(re.escape(path.name) + r"\.\d{12,}")
    found = [other for other in path.parent.glob(path.name + ".*") if rotated.fullmatch(other.name)]
    # A writer that was killed may have left the newest of them under both names.
    alone = path.exists() and not any(other.samefile(path) for other in found)
    return [*found, path] if alone else found


def _in_order(files: Sequence[Path]) -> list[Path]:
    """By the number of each file's first record; what begins with none was just begun, and comes last."""

    def number(file: Path) -> float:
        with file.open("rb") as lines:
            record = parse(next(lines, b"").rstrip(b"\n"))
        return record.seq if record is not None else math.inf

    return sorted(files, key=number)


def _verify(config: Config, files: Sequence[Path], keys: ChainKeys, args: argparse.Namespace) -> Report:
    head, problem = None, None
    current = config.audit.file.resolve()
    whole = not args.collected and (not args.files or any(file.resolve() == current for file in files))
    if whole and config.audit.sink == "file":
        head, problem = _head(config.audit.file, files, keys)
    verifier = Verifier(keys.find, head=head, contains=args.contains, collected=args.collected)
    if problem is not None:
        verifier.report.findings.append(problem)
    for file in files:
        with file.open("rb") as lines:
            verifier.file(str(file), lines, last=file is files[-1] and whole)
    return verifier.finish()


def _head(path: Path, files: Sequence[Path], keys: ChainKeys) -> tuple[Head | None, str | None]:
    """The head of the trail, and what is wrong with it."""
    file = head_path(path)
    try:
        head = unpack(file.read_bytes(), keys.find)
    except FileNotFoundError:
        head = None
    except HeadAltered:
        return None, f"{file}: was altered"
    begun = any(file.stat().st_size for file in files)
    return head, f"{file}: is missing" if head is None and begun else None


def _anchor(text: str) -> tuple[int, str]:
    number, _, mac = text.partition(":")
    if not (number.isdigit() and re.fullmatch("[0-9a-f]{64}", mac)):
        raise argparse.ArgumentTypeError("must be NUMBER:MAC, as pgveil audit verify prints it")
    return int(number), mac


def _as_json(files: Sequence[Path], report: Report) -> dict[str, Any]:
    return {
        "files": [str(file) for file in files],
        "records": report.records,
        "ends": [{"chain": link.chain, "record": link.seq, "mac": link.mac} for link in report.ends.values()],
        "findings": report.findings,
        "notes": report.notes,
    }


def _spelled(files: Sequence[Path], report: Report) -> str:
    """The report for people."""
    lines = [f"finding: {finding}" for finding in report.findings]
    lines += [f"note: {note}" for note in report.notes]
    lines += [f"chain {link.chain} ends with {link.seq}:{link.mac}" for link in report.ends.values()]
    verdict = "is NOT whole" if report.findings else "is whole"
    lines.append(f"{report.records} records in {len(files)} files: the trail {verdict}")
    return "\n".join(lines)
