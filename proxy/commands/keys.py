"""`pgveil keys`: make master key and keystore, list the keys, say how they are. Never shows a key."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
import sys
from collections.abc import Iterable
from typing import Any

from crypto.assembly import open_provider
from crypto.errors import CryptoError, KeystoreError, KeystoreUnavailable, ProviderError
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord, Records
from crypto.keystore_table import TableKeystore
from crypto.nonces import ADVICE, WARN_AT
from crypto.private_file import passphrase_from
from crypto.providers import Provider, local
from proxy.audit.assembly import command_trail
from proxy.config import Config, Keys, load
from proxy.keys import key_manager

DONE, FOUND = 0, 1

_COLUMNS = ("type", "name", "version", "algorithm", "state", "id", "created", "encryptions")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    init = actions.add_parser("init", help="make the master key, unless there is one, and the keystore")
    init.add_argument(
        "--sealed",
        action="store_true",
        help="seal a new master key with a passphrase, from keys.local.passphrase_file or the terminal",
    )
    for name, purpose in (
        ("list", "list every key version"),
        ("status", "say whether every key opens, and how much each has encrypted"),
    ):
        action = actions.add_parser(name, help=purpose)
        action.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    config = load(args.config, os.environ)
    if args.action == "init":
        return asyncio.run(_init(config, sealed=args.sealed))
    return asyncio.run((_list if args.action == "list" else _status)(config, as_json=args.json))


async def _init(config: Config, *, sealed: bool) -> int:
    keys = config.keys
    made = keys.provider == "local" and not keys.local.file.exists()
    if made:
        await _refuse_orphan(keys)
    provider = _create_master_key(keys, sealed=sealed) if made else _open_provider(keys)
    async with command_trail(config, "keys init") as trail:
        manager = key_manager(config, provider, trail.observe)
        await manager.create()
        await trail.begin(manager)
        await manager.close()
    print(f"master key  {keys.local.file}: {'made' if made else 'exists already, left as it is'}")
    print(f"keystore    {manager.keystore.location}: ready")
    if made:
        print("Back up both, apart from each other: without them no protected value can be read again.")
    return DONE


async def _list(config: Config, *, as_json: bool) -> int:
    manager = key_manager(config, _open_provider(config.keys))
    rows = [_row(record) for record in _sorted(await manager.keystore.read())]
    await manager.close()
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        _print_table(rows)
    return DONE


async def _status(config: Config, *, as_json: bool) -> int:
    """Open every key, as `serve` would, and report."""
    manager = key_manager(config, _open_provider(config.keys))
    outage: str | None = None
    try:
        await manager.refresh()
    except CryptoError as error:
        outage = str(error)
    records: Records = () if outage else await manager.keystore.read()
    findings = [*([outage] if outage else []), *manager.problems.values(), *_over_budget(records)]
    await manager.close()
    status = {
        "provider": config.keys.provider,
        "master_key": manager.provider.reference,
        "keystore": manager.keystore.location,
        "keys": _count(records),
        "findings": findings,
    }
    print(json.dumps(status, indent=2) if as_json else _spelled(status))
    return FOUND if findings else DONE


async def _refuse_orphan(keys: Keys) -> None:
    """Make no new master key beside a keystore of another one, which has to be found again instead."""
    address = keys.keystore
    if address.url is not None:
        try:
            url, tls = address.url.url(), address.url.tls_context()
            orphan = bool(await TableKeystore(url, address.schema, tls=tls).read())
        except KeystoreUnavailable:
            raise
        except KeystoreError:
            orphan = False  # not set up yet
    else:
        orphan = address.file is not None and address.file.exists()
    if orphan:
        raise KeystoreError(
            f"{keys.local.file}: there is no such file, but the keystore exists: restore its master key"
        )


def _create_master_key(keys: Keys, *, sealed: bool) -> Provider:
    passphrase = None
    if keys.local.passphrase_file is not None:
        passphrase = passphrase_from(keys.local.passphrase_file)
    elif sealed:
        passphrase = _new_passphrase
    keys.local.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return local.create(keys.local.file, passphrase)


def _open_provider(keys: Keys) -> Provider:
    return open_provider(
        keys.provider,
        key_file=keys.local.file,
        passphrase_file=keys.local.passphrase_file,
        ask_passphrase=ask_passphrase,
    )


def ask_passphrase() -> bytes:
    """Ask a person for the passphrase of the master key. Raises ProviderError without a terminal."""
    if not sys.stdin.isatty():
        raise ProviderError("the master key is sealed, and there is no terminal to ask for its passphrase")
    return getpass.getpass("Passphrase of the master key: ").encode()


def _new_passphrase() -> bytes:
    if not sys.stdin.isatty():
        raise ProviderError("there is no terminal to ask for a passphrase: set keys.local.passphrase_file")
    passphrase = getpass.getpass("New passphrase of the master key: ")
    if not passphrase:
        raise ProviderError("the passphrase is empty")
    if passphrase != getpass.getpass("Once more: "):
        raise ProviderError("the two passphrases differ")
    return passphrase.encode()


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
    for type_, states in status["keys"].items():
        known = ", ".join(f"{number} {state}" for state, number in states.items() if number)
        lines.append(f"{type_ + ' keys':<12}{known or 'none yet'}")
    lines.extend(f"problem     {finding}" for finding in status["findings"])
    return "\n".join(lines)
