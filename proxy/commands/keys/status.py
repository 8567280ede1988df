"""`pgveil keys status`: says whether every key opens, and how much each has encrypted."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Iterable
from typing import Any

from crypto.errors import CryptoError, ProviderError
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord, Records
from crypto.nonces import ADVICE, WARN_AT
from crypto.providers import Provider
from proxy.commands.holder import open_holder
from proxy.config import Config, load
from proxy.keys import key_manager

DONE, FOUND = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    return asyncio.run(_status(load(args.config, os.environ), as_json=args.json))


async def _status(config: Config, *, as_json: bool) -> int:
    """Open every key, as `serve` would, and report."""
    manager = key_manager(config, open_holder(config.keys))
    outage: str | None = None
    try:
        await manager.refresh()
    except CryptoError as error:
        outage = str(error)
    records: Records = () if outage else await manager.keystore.read()
    master, unwell = await _described(manager.provider)
    findings = [*([outage] if outage else unwell), *manager.problems.values(), *_over_budget(records)]
    await manager.close()
    status = {
        "provider": config.keys.provider,
        **master,
        "keystore": manager.keystore.location,
        "keys": _count(records),
        "findings": findings,
    }
    print(json.dumps(status, indent=2) if as_json else _spelled(status))
    return FOUND if findings else DONE


async def _described(provider: Provider) -> tuple[dict[str, Any], list[str]]:
    """What the holder of the master key says of it, and what is wrong with it."""
    master: dict[str, Any] = {"master_key": "not known now"}
    try:
        master["master_key"] = provider.reference
        await provider.health()
        master["described"] = dict(await provider.describe())
    except ProviderError as error:
        return master, [str(error)]
    return master, []


def _over_budget(records: Iterable[KeyRecord]) -> list[str]:
    return [
        f"{r} has encrypted {r.encryptions} values: {ADVICE}"
        for r in records
        if r.encryptions >= WARN_AT and r.state is KeyState.ACTIVE
    ]


def _count(records: Records) -> dict[str, dict[str, int]]:
    """How many keys of each type are in each state."""
    counts = {type_.value: {state.value: 0 for state in KeyState} for type_ in (KeyType.DEK, KeyType.FEK)}
    for record in records:
        if record.key_type is not KeyType.MASTER:
            counts[record.key_type.value][record.state.value] += 1
    return counts


def _spelled(status: dict[str, Any]) -> str:
    """The status for people."""
    lines = [f"{name.replace('_', ' '):<12}{status[name]}" for name in ("provider", "master_key", "keystore")]
    lines[2:2] = [f"{'':<12}{name}: {value}" for name, value in status.get("described", {}).items()]
    for type_, states in status["keys"].items():
        known = ", ".join(f"{number} {state}" for state, number in states.items() if number)
        lines.append(f"{type_ + ' keys':<12}{known or 'none yet'}")
    lines.extend(f"problem     {finding}" for finding in status["findings"])
    return "\n".join(lines)
