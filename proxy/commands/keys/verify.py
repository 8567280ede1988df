"""`pgveil keys verify`: proves that every key is there, opens, and is the one that has sealed."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from typing import Any

from crypto.errors import KeystoreError, ProviderError
from crypto.key_check import repair, verify
from crypto.manager import KeyManager
from proxy.commands.holder import open_holder
from proxy.config import Config, load
from proxy.key_fingerprints import Unreadable, look
from proxy.keys import key_fingerprints, key_manager

DONE, FOUND = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--repair", action="store_true", help="give a canary to keys of an earlier release, which have none"
    )


def run(args: argparse.Namespace) -> int:
    report = asyncio.run(_verify(load(args.config, os.environ), repairing=args.repair))
    print(json.dumps(report, indent=2) if args.json else _spelled(report))
    return FOUND if report["problems"] else DONE


async def _verify(config: Config, *, repairing: bool) -> dict[str, Any]:
    manager = key_manager(config, open_holder(config.keys))
    keystore, provider = manager.keystore, manager.provider
    report: dict[str, Any] = {"master_key": provider.reference, "keystore": keystore.location}
    try:
        repaired = await repair(keystore, provider) if repairing else 0
        proof = await verify(keystore, provider)
        database, problems = await _database(config, manager)
    except (KeystoreError, ProviderError) as error:
        return {**report, "database": None, "proved": 0, "repaired": 0, "problems": [str(error)]}
    finally:
        await manager.close()
    return {
        **report,
        "database": database,
        "proved": proof.proved,
        "repaired": repaired,
        "problems": [*proof.problems, *problems],
    }


async def _database(config: Config, manager: KeyManager) -> tuple[str, list[str]]:
    """What the database remembers of these keys, and what of that is wrong."""
    table, keystore = key_fingerprints(config), manager.keystore.location
    try:
        found = await look(table, manager)
    except Unreadable as error:
        return f"not asked: {error}", []
    if found is None:
        return f"remembers no keys: there is no {table}", []
    if (refusal := table.refusal(found, keystore)) is not None:
        return f"{found.known} keys in {table}", [str(refusal)]
    return table.warning(found, keystore) or f"{found.known} keys in {table}: these", []


def _spelled(report: dict[str, Any]) -> str:
    lines = [f"{name.replace('_', ' '):<12}{report[name]}" for name in ("master_key", "keystore")]
    lines.append(f"field keys  {report['proved']} open, and open their canaries")
    if report["database"]:
        lines.append(f"database    {report['database']}")
    if report["repaired"]:
        lines.append(f"repaired    {report['repaired']} keys have a canary now")
    lines.extend(f"problem     {problem}" for problem in report["problems"])
    return "\n".join(lines)
