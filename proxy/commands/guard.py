"""`pgveil guard`: CHECK constraints by which the server itself refuses plaintext in protected columns."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterable

from policy.loader import load as load_policy
from policy.model import Policy
from policy.names import qualified, with_schema
from proxy import config, introspect
from proxy.addresses import ServerAddress
from proxy.commands.login import login
from proxy.guards import GUARDED, NOT_VALIDATED, Guarded, Mason, Outcome, guarded_columns, prepare

DONE, FOUND, USAGE = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    install = actions.add_parser("install", help="let protected columns hold nothing but ciphertext")
    remove = actions.add_parser("remove", help="take that away again")
    status = actions.add_parser("status", help="say which protected columns have a guard")
    for action in (install, remove, status):
        action.add_argument("--field", metavar="COLUMN", help="only this column: [schema.]table.column")
        action.add_argument("--table", metavar="TABLE", help="only the columns of this table: [schema.]table")
        action.add_argument("--database", metavar="NAME", help="another database than that of the login")
        action.add_argument("--login", metavar="URL", help="a login with the rights of the tables' owner")
        action.add_argument("--json", action="store_true", help="print JSON")
    for action in (install, remove):
        action.add_argument("--dry-run", action="store_true", help="print the SQL instead of running it")
    install.add_argument(
        "--not-valid",
        action="store_true",
        help="also where rows hold plaintext, which then cannot be updated until they are encrypted",
    )
    install.add_argument(
        "--validate",
        action="store_true",
        help="validate every row also where the policy has plaintext: allow",
    )


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if it is done, 1 if a column is not as it was to be, 2 if nothing can be done."""
    configuration = config.load(args.config, os.environ)
    policy = load_policy(configuration.policy)
    try:
        server = login(args.login) if args.login else configuration.maintenance
        chosen = _selection(policy, args.field, args.table)
    except ValueError as error:
        print(f"pgveil: {error}", file=sys.stderr)
        return USAGE
    database = str(args.database or server.database or configuration.maintenance.database)
    try:
        return asyncio.run(_act(args, server, database, policy, chosen))
    except introspect.CatalogUnavailable as error:
        print(f"pgveil: {server}: {error.reason}", file=sys.stderr)
        return USAGE


def _selection(policy: Policy, field: str | None, table: str | None) -> Callable[[Guarded], bool]:
    """Which columns are meant. Raises ValueError for a name that is not in the policy."""
    if field is not None:
        wanted = with_schema(field, 3)
        if wanted not in [str(known) for known in policy.fields()]:
            raise ValueError(f"--field: the policy has no field {field!r}")
        return lambda column: str(column.bound.field) == wanted
    if table is not None:
        wanted = with_schema(table, 2)
        if wanted not in [qualified(*known) for known in policy.tables]:
            raise ValueError(f"--table: the policy has no table {table!r}")
        return lambda column: qualified(column.relation.schema, column.relation.name) == wanted
    return lambda column: True


async def _act(
    args: argparse.Namespace,
    server: ServerAddress,
    database: str,
    policy: Policy,
    chosen: Callable[[Guarded], bool],
) -> int:
    binding = await introspect.read_binding(server, database, policy)
    columns = [column for column in guarded_columns(binding) if chosen(column)]
    if args.action == "status":
        return _status(columns, as_json=args.json)
    connection = await introspect.connector(server)(database)
    try:
        await prepare(connection)
        mason = Mason(connection, dry_run=args.dry_run)
        if args.action == "install":
            outcomes = await mason.install(columns, not_valid=args.not_valid, validate=args.validate)
        else:
            outcomes = await mason.remove(columns)
    except introspect.CONNECTION_ERRORS as error:
        raise introspect.CatalogUnavailable(database, error) from error
    finally:
        connection.terminate()
    return _report(outcomes, mason.statements if args.dry_run else None, as_json=args.json)


def _status(columns: Iterable[Guarded], *, as_json: bool) -> int:
    rows = [
        {
            "field": str(column),
            "state": column.state,
            "reason": column.obstacle if column.present is None else None,
        }
        for column in columns
    ]
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        for row in rows:
            print(f"{row['field']}: {row['state']}" + (f": {row['reason']}" if row["reason"] else ""))
    return DONE if all(row["state"] in (GUARDED, NOT_VALIDATED) for row in rows) else FOUND


def _report(outcomes: list[Outcome], statements: list[str] | None, *, as_json: bool) -> int:
    """`statements`: what a dry run would have run."""
    if as_json:
        rows = [{"field": o.subject, "message": o.message, "failed": o.failed} for o in outcomes]
        print(json.dumps({"columns": rows, "statements": statements}, indent=2, ensure_ascii=False))
    elif statements is not None:
        for statement in statements:
            print(f"{statement};")
    for outcome in outcomes if not as_json else ():
        if outcome.failed or statements is None:
            print(f"{outcome.subject}: {outcome.message}", file=sys.stderr if outcome.failed else sys.stdout)
    return FOUND if any(outcome.failed for outcome in outcomes) else DONE
