"""`pgveil keys list`: every key version. Never shows a key."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from typing import Any

from crypto.keyset import KeyType
from crypto.keystore import KeyRecord, Records
from proxy.commands.holder import open_holder
from proxy.config import Config, load
from proxy.keys import key_manager

DONE = 0

_COLUMNS = ("type", "name", "version", "algorithm", "state", "id", "created", "encryptions")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    return asyncio.run(_list(load(args.config, os.environ), as_json=args.json))


async def _list(config: Config, *, as_json: bool) -> int:
    manager = key_manager(config, open_holder(config.keys))
    rows = [_row(record) for record in _sorted(await manager.keystore.read())]
    await manager.close()
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        _print_table(rows)
    return DONE


def _sorted(records: Records) -> list[KeyRecord]:
    order = list(KeyType)
    return sorted(records, key=lambda r: (order.index(r.key_type), r.name, r.version))


def _row(record: KeyRecord) -> dict[str, Any]:
    return {
        "type": record.key_type.value,
        "name": record.name,
        "version": record.version,
        "algorithm": record.algorithm,
        "state": record.state.value,
        "id": record.short_id.hex(),
        "created": record.created_at.isoformat(timespec="seconds"),
        "encryptions": record.encryptions,
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = [[column.upper() for column in _COLUMNS], *([str(row[c]) for c in _COLUMNS] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
