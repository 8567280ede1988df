"""`pgveil rotate`: new keys for fields, tables, or all of it. Wrapped keys change; no row is rewritten."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from crypto.errors import CryptoError
from crypto.keystore import Records
from crypto.manager import KeyManager
from crypto.private_file import Passphrase
from crypto.providers import Provider, Versioned
from crypto.rehearsal import Rehearsal
from crypto.rotation import Rotator
from policy.loader import load as load_policy
from policy.model import Policy
from proxy.audit.assembly import command_trail
from proxy.commands.holder import open_holder
from proxy.commands.passphrases import ask_passphrase
from proxy.config import Config, load
from proxy.keys import key_manager
from proxy.master_key import MasterKey
from proxy.rotations import Selection, rows, select_all, select_fields, select_tables, under_tables

DONE, FOUND, USAGE = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--field",
        metavar="FIELD",
        action="append",
        help="this field: [schema.]table.column, its id, or its key",
    )
    what.add_argument(
        "--table", metavar="TABLE", action="append", help="the data key of this table, or of this shared key"
    )
    what.add_argument("--master", action="store_true", help="the master key")
    what.add_argument("--all", action="store_true", help="every key; the master key where it has versions")
    parser.add_argument("--to", metavar="FILE", type=Path, help="--master: the configuration of the new one")
    parser.add_argument(
        "--finish", action="store_true", help="--master: every pgveil has the new one, take the old one away"
    )
    parser.add_argument(
        "--emergency", action="store_true", help="the keys may be known: mark them, and use new ones at once"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would be done")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if it is done, 1 if something that was named has no key yet, 2 if nothing can be done."""
    config = load(args.config, os.environ)
    policy = load_policy(config.policy)
    if (args.to or args.finish) and not args.master:
        return _usage("--to and --finish go with --master")
    try:
        return asyncio.run(_rotate(args, config, policy))
    except ValueError as error:
        return _usage(str(error))


def _usage(message: str) -> int:
    print(f"pgveil: {message}", file=sys.stderr)
    return USAGE


async def _rotate(args: argparse.Namespace, config: Config, policy: Policy) -> int:
    ask = cache(ask_passphrase)
    async with command_trail(config, "rotate") as trail:
        manager = key_manager(config, open_holder(config.keys, ask), trail.observe)
        done: list[dict[str, Any]] = []
        try:
            if not args.dry_run:
                await trail.begin(manager)
            before = await manager.keystore.read()
            if args.master or (args.all and isinstance(manager.provider, Versioned)):
                master, row = await _rotate_master(args, config, manager, ask)
                done.append(row)
                if master is not manager.provider and not args.dry_run:
                    await manager.close()
                    manager = key_manager(config, master, trail.observe)
            selection = _select(args, policy, before)
            if selection.fields or selection.tables:
                done += await _rotate_keys(args, manager, selection, before)
        except CryptoError:
            _report(done, (), dry_run=args.dry_run, as_json=args.json)  # what was done before that stays done
            raise
        finally:
            await manager.close()
    _report(done, selection.keyless, dry_run=args.dry_run, as_json=args.json)
    return FOUND if selection.keyless else DONE


async def _rotate_keys(
    args: argparse.Namespace, manager: KeyManager, selection: Selection, before: Records
) -> list[dict[str, Any]]:
    """What was done, or with --dry-run would be."""
    keystore = Rehearsal(manager.keystore) if args.dry_run else manager.keystore
    rotator = Rotator(keystore, manager.provider, settle=0) if args.dry_run else manager.rotator()
    if selection.tables:  # first, for new field keys to be made from new data keys
        await rotator.tables(selection.tables, compromised=args.emergency)
    if selection.fields:
        await rotator.fields(selection.fields, compromised=args.emergency)
    return list(rows(selection, before, await keystore.read()))


async def _rotate_master(
    args: argparse.Namespace, config: Config, manager: KeyManager, ask: Passphrase
) -> tuple[Provider, dict[str, Any]]:
    """The provider to go on with, and what was done."""
    other = _other(args.to, config, ask) if args.to else None
    if args.finish and other is not None:
        old, manager = manager.provider, key_manager(config, other, manager.observe)
        provider, note = await MasterKey(config, manager, ask, dry_run=args.dry_run).finish(old)
        return provider, _master_row(None, provider, note)
    master = MasterKey(config, manager, ask, dry_run=args.dry_run)
    if args.finish:
        provider, note = await master.finish(None)
        return provider, _master_row(None, provider, note)
    provider, note = await master.rotate(other)
    return provider, _master_row(manager.provider, provider, note)


def _other(path: Path, config: Config, ask: Passphrase) -> Provider:
    """The provider of another configuration, which has to be one of the same keystore."""
    other = load(path, {})
    if other.keys.keystore != config.keys.keystore:
        raise ValueError(
            f"--to: {path} names another keystore than {config.keys.keystore.file or 'the table'}"
        )
    return open_holder(other.keys, ask)


def _select(args: argparse.Namespace, policy: Policy, records: Records) -> Selection:
    if args.field:
        selection = select_fields(policy, args.field, records)
    elif args.table:
        selection = select_tables(policy, args.table, records)
    elif args.all or args.emergency:  # whoever knows the master key may know every key
        selection = select_all(policy, records)
    else:
        return Selection()
    if not args.emergency or args.field:
        return selection
    return replace(under_tables(selection.tables, records), keyless=selection.keyless)


def _master_row(before: Provider | None, after: Provider, note: str) -> dict[str, Any]:
    return {
        "type": "master",
        "name": after.reference,
        "algorithm": None,
        "from": None if before is None or before.reference == after.reference else {"name": before.reference},
        "to": {"name": after.reference},
        "note": note,
    }


def _report(done: list[dict[str, Any]], keyless: Iterable[str], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        keys = [_without_ids(row) for row in done] if dry_run else done
        print(json.dumps({"keys": keys, "keyless": list(keyless), "dry_run": dry_run}, indent=2))
        return
    for row in done:
        note = f"\n        {row['note']}" if row["note"] else ""
        print(f"{row['type']:<8}{_changed(row, dry_run=dry_run)}{note}")
    for name in keyless:
        print(f"{name} has no key yet: its first value makes one")
    if not (done or keyless):
        print("nothing was rotated")
    if dry_run:
        print("nothing was changed")


def _changed(row: dict[str, Any], *, dry_run: bool) -> str:
    before, after = row["from"], row["to"]
    if row["type"] == "master":
        return f"{before['name']} -> {after['name']}" if before else str(row["name"])

    def version(of: dict[str, Any]) -> str:
        return f"version {of['version']} ({of['id']})"

    old = f"{version(before)} -> " if before else ""
    new = f"version {after['version']}" if dry_run else version(after)
    state = f", {after['state']}" if after["state"] != "active" else ""
    return f"{row['name']}  {row['algorithm']}  {old}{new}{state}"


def _without_ids(row: dict[str, Any]) -> dict[str, Any]:
    """A rehearsal makes up ids that nobody will see again."""
    return {**row, "to": {name: value for name, value in row["to"].items() if name != "id"}}
