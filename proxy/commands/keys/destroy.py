"""`pgveil keys destroy`: makes what a field's key has sealed unreadable, for good (crypto-shredding)."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from crypto.destruction import Doomed, destroy
from crypto.keystore import KeyRecord
from policy.loader import load as load_policy
from policy.model import Policy
from policy.names import with_schema
from proxy import config, introspect, sealed_rows
from proxy.addresses import ServerAddress
from proxy.commands.audited import audited
from proxy.commands.holder import open_holder
from proxy.commands.login import login
from proxy.config import Config
from proxy.sealed_rows import Sealed

DONE, FOUND, USAGE = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "field", metavar="FIELD", help="the column ([schema.]table.column), its id, or its shared key"
    )
    parser.add_argument("--key-version", metavar="N", type=int, help="only this version of its key")
    parser.add_argument(
        "--shred", action="store_true", help="also while rows exist under the key; they are lost"
    )
    parser.add_argument("--confirm", metavar="FIELD", help="with --shred: the name of the field once more")
    parser.add_argument("--login", metavar="URL", help="a login that may read the field's tables")
    parser.add_argument(
        "--database",
        metavar="NAME",
        action="append",
        help="look for rows in this database, and others that are named so (default: in every one)",
    )


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if it is destroyed, 1 if rows keep it from that, 2 if nothing can be done."""
    configuration = config.load(args.config, os.environ)
    policy = load_policy(configuration.policy)
    try:
        server = login(args.login) if args.login else configuration.maintenance
        if args.shred and args.confirm != args.field:
            raise ValueError(f"--shred loses values: repeat the name, with --confirm {args.field}")
        doomed = _doomed(policy, args)
    except ValueError as error:
        print(f"pgveil: {error}", file=sys.stderr)
        return USAGE
    search = _Search(policy, server, configuration.maintenance, args.database)
    try:
        return asyncio.run(_destroy(configuration, doomed, search, shred=args.shred))
    except _Refusal as refusal:
        print(f"pgveil: {refusal}", file=sys.stderr)
        return FOUND


class _Refusal(Exception):
    """Why a key is not destroyed."""


def _doomed(policy: Policy, args: argparse.Namespace) -> Doomed:
    """The key that is meant. Raises ValueError if the policy does not know it and nobody insists."""
    column = with_schema(args.field, 3)
    for field in policy.fields():
        if column == str(field) or args.field == field.key_name:
            return Doomed(field.key_name, args.key_version)
    if not args.shred:
        raise ValueError(
            f"the policy has no field {args.field!r}, so that its rows cannot be looked for;"
            " a key with this name is destroyed with --shred only"
        )
    return Doomed(args.field, args.key_version)


@dataclass(frozen=True, slots=True)
class _Search:
    """Where rows are looked for: with which login, in which databases (None: all of the server)."""

    policy: Policy
    server: ServerAddress
    maintenance: ServerAddress
    databases: Sequence[str] | None

    async def rows(self, keys: Sequence[KeyRecord]) -> list[Sealed]:
        """Raises CatalogUnavailable where a database cannot be looked into."""
        home = str(self.server.database or self.maintenance.database)
        found = []
        for name in self.databases or await self._all(home):
            binding = await introspect.read_binding(self.server, name, self.policy)
            try:
                connection = await introspect.connector(self.server)(name)
                try:
                    found += await sealed_rows.count(connection, binding, keys)
                finally:
                    connection.terminate()
            except introspect.CONNECTION_ERRORS as error:
                raise introspect.CatalogUnavailable(name, error) from error
        return found

    async def _all(self, home: str) -> list[str]:
        try:
            connection = await introspect.connector(self.server)(home)
            try:
                return await sealed_rows.databases(connection)
            finally:
                connection.terminate()
        except introspect.CONNECTION_ERRORS as error:
            raise introspect.CatalogUnavailable(home, error) from error


async def _destroy(config: Config, doomed: Doomed, search: _Search, *, shred: bool) -> int:
    async def may_go(keys: list[KeyRecord]) -> None:
        if not shred:
            await _refuse_while_rows_exist(search, keys)

    async with audited(config, open_holder(config.keys), "keys destroy") as manager:
        gone = await destroy(manager.keystore, doomed, may_go, observe=manager.observe)
    for record in gone:
        print(f"destroyed: {record}")
    print(
        "Every copy of the keystore still holds it: destroy exports, backups of the keystore, and the backups"
        " and WAL of a keystore table, too."
    )
    return DONE


async def _refuse_while_rows_exist(search: _Search, keys: Sequence[KeyRecord]) -> None:
    """Raises _Refusal."""
    try:
        found = await search.rows(keys)
    except introspect.CatalogUnavailable as error:
        raise _Refusal(
            f"whether rows exist under the key cannot be seen: {search.server}: {error.reason}\n"
            "HINT: Name a login that may read its tables with --login, or some databases with --database."
        ) from None
    if found:
        where = "\n".join(f"DETAIL: {sealed}" for sealed in found)
        raise _Refusal(
            f"rows exist under the key of {keys[0].name!r}, and could not be read any more\n{where}\n"
            "HINT: Delete them, or lose them with --shred and --confirm."
        )
