"""`pgveil status`: how master key, keystore and the keys of all fields are, and what remains to be done."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from datetime import UTC, datetime
from typing import Any

from crypto.errors import CryptoError
from crypto.manager import KeyManager
from crypto.providers import Versioned
from policy.loader import load as load_policy
from policy.model import Policy
from proxy.commands.holder import open_holder
from proxy.config import Config, load
from proxy.key_report import Report
from proxy.keys import key_manager, schedule_of

DONE, FOUND = 0, 1

_TABLES = ("name", "version", "id", "created", "next_rotation")
_FIELDS = ("field", "class", "mode", "algorithm", "version", "next_rotation", "encryptions", "versions")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if all is well, 1 if something is wrong or overdue."""
    config = load(args.config, os.environ)
    report = asyncio.run(_examine(config, load_policy(config.policy)))
    print(json.dumps(report.plain(), indent=2, ensure_ascii=False) if args.json else _spelled(report))
    return FOUND if report.findings else DONE


async def _examine(config: Config, policy: Policy) -> Report:
    """Open every key, as `serve` would, and report."""
    provider = open_holder(config.keys)
    manager = key_manager(config, provider)
    report = Report(
        master_key={"name": provider.reference, "provider": config.keys.provider, **await _health(manager)},
        keystore={"location": manager.keystore.location, "readable": True},
    )
    try:
        await manager.refresh()
    except CryptoError as error:
        report.keystore["readable"] = False
        report.findings.append(str(error))
    report.findings.extend(manager.problems.values())
    if not report.master_key["usable"]:
        report.findings.append(f"the master key cannot be used: {report.master_key['reason']}")
    if report.keystore["readable"]:
        report.fill(
            policy,
            manager.records,
            schedule_of(policy),
            datetime.now(UTC),
            versioned=isinstance(provider, Versioned),
        )
    await manager.close()
    return report


async def _health(manager: KeyManager) -> dict[str, Any]:
    try:
        await manager.provider.health()
        return {"usable": True, "about": dict(await manager.provider.describe())}
    except (CryptoError, OSError) as error:
        return {"usable": False, "reason": str(error), "about": {}}


def _spelled(report: Report) -> str:
    """The report for people."""
    master = report.master_key
    about = "".join(f", {name} {value}" for name, value in master["about"].items())
    usable = "usable" if master["usable"] else "NOT USABLE"
    lines = [
        f"master key  {master['name']} ({master['provider']}{about}): {usable}",
        f"            next rotation: {master.get('next_rotation', 'unknown')}",
        f"keystore    {report.keystore['location']}"
        + ("" if report.keystore["readable"] else ": CANNOT BE READ"),
    ]
    for title, columns, rows in (
        ("data keys", _TABLES, report.tables),
        ("fields", _FIELDS, report.fields),
    ):
        if rows:
            lines += ["", title, *_table(columns, rows)]
    lines += ["", *(f"problem     {finding}" for finding in report.findings)]
    lines += [f"to do       {remaining}" for remaining in report.remaining]
    return "\n".join(lines).rstrip()


def _table(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> list[str]:
    table = [
        [column.upper().replace("_", " ") for column in columns],
        *([_cell(row.get(column)) for column in columns] for row in rows),
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{number} {name}" for name, number in value.items())
    return "-" if value is None else str(value)
