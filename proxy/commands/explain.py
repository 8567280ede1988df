"""`pgveil explain "SQL"`: what would be sent for a statement, or why it would be refused."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import sys

from policy.loader import load as load_policy
from proxy import config, introspect
from proxy.errors import ServerError
from proxy.sql.report import Explanation, explain
from proxy.sql.search_path import effective, parse_search_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sql", metavar="SQL", help="one or more statements; - reads them from standard input")
    parser.add_argument(
        "--database", metavar="NAME", help="the database to explain for (default: that of maintenance:)"
    )
    parser.add_argument("--search-path", metavar="PATH", help="as SET search_path takes it")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 for a statement that works, 1 for a refused one, 2 if the catalogue cannot be read."""
    configuration = config.load(args.config, os.environ)
    policy = load_policy(configuration.policy)
    database = str(args.database or configuration.maintenance.database)
    try:
        binding = asyncio.run(introspect.read_binding(configuration.maintenance, database, policy))
    except introspect.CatalogUnavailable as error:
        print(f"pgveil: maintenance: {configuration.maintenance}: {error.reason}", file=sys.stderr)
        return 2
    user = configuration.maintenance.user or ""
    wanted = args.search_path or binding.catalog.search_path(user)
    text = sys.stdin.read() if args.sql == "-" else args.sql
    try:
        explanation = explain(binding, text, effective(parse_search_path(wanted), user))
    except ServerError as error:
        _print_refusal(error, as_json=args.json)
        return 1
    _print(explanation, as_json=args.json)
    return 0


def _print_refusal(error: ServerError, *, as_json: bool) -> None:
    fields = {
        "sqlstate": error.sqlstate,
        "message": error.message,
        "detail": error.detail,
        "hint": error.hint,
    }
    if as_json:
        print(json.dumps({"works": False, **fields}, indent=2, ensure_ascii=False))
        return
    print(f"refused ({error.sqlstate}): {error.message}")
    for name in ("detail", "hint"):
        if fields[name]:
            print(f"  {name}: {fields[name]}")


def _print(explanation: Explanation, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"works": True, **dataclasses.asdict(explanation)}, indent=2, ensure_ascii=False))
        return
    if explanation.plain:
        print("works: it goes to the server byte for byte")
        return
    print(f"works: sent as\n  {explanation.sent}")
    for line in (*explanation.parameters, *explanation.results):
        print(f"  {line}")
