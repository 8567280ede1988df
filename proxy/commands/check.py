"""`pgveil check`: compares the policy with a database, and says which statements of a file would work."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from policy.binding import Binding
from policy.check import Finding, check
from policy.hazards import ERROR, WARNING
from policy.loader import load as load_policy
from policy.model import Policy
from policy.notes import NOTE, notes
from proxy import config, introspect
from proxy.addresses import ServerAddress


class StatementReport(Protocol):
    """What `proxy.sql.report.check_file` says of one statement of a file."""

    @property
    def line(self) -> int: ...
    @property
    def works(self) -> bool: ...
    @property
    def message(self) -> str: ...


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--database", metavar="NAME", help="the database to compare with (default: that of maintenance:)"
    )
    parser.add_argument(
        "--sql", metavar="FILE", type=Path, help="also say for each statement of a file whether it will work"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if there is nothing but warnings, 1 if there is an error, 2 if nothing can be compared."""
    configuration = config.load(args.config, os.environ)
    for warning in configuration.warnings:
        print(f"pgveil: warning: {warning}", file=sys.stderr)
    policy = load_policy(configuration.policy)
    database = str(args.database or configuration.maintenance.database)
    try:
        binding = asyncio.run(_read(configuration.maintenance, database, policy))
    except introspect.CatalogUnavailable as error:
        print(f"pgveil: maintenance: {configuration.maintenance}: {error.reason}", file=sys.stderr)
        return 2
    findings = [*check(policy, binding.catalog), *notes(policy, binding.catalog)]
    statements = _statements(args.sql, binding) if args.sql is not None else []
    if args.json:
        print(json.dumps(_as_json(binding, findings, statements), indent=2, ensure_ascii=False))
    else:
        _print(binding, findings)
        for statement in statements:
            print(f"{args.sql}:{statement.line}: {statement.message}")
    wrong = any(finding.severity == ERROR for finding in findings)
    return 1 if wrong or any(not statement.works for statement in statements) else 0


def _statements(path: Path, binding: Binding) -> Sequence[StatementReport]:
    from proxy.sql.report import check_file  # needs the parser: only --sql does

    reports: Sequence[StatementReport] = check_file(path, binding)
    return reports


async def _read(server: ServerAddress, database: str, policy: Policy) -> Binding:
    catalogs = introspect.Catalogs(introspect.connector(server), policy, poll=0)
    try:
        return await catalogs.get(database)
    finally:
        await catalogs.close()


def _print(binding: Binding, findings: list[Finding]) -> None:
    for finding in findings:
        print(finding)
    fields = sum(1 for _ in binding.policy.fields())
    counts = {severity: sum(f.severity == severity for f in findings) for severity in (ERROR, WARNING, NOTE)}
    print(
        f"{fields} protected columns, compared with database {binding.catalog.database}: "
        f"{counts[ERROR]} errors, {counts[WARNING]} warnings"
        + (f", {counts[NOTE]} notes" if counts[NOTE] else "")
    )


def _as_json(
    binding: Binding, findings: list[Finding], statements: Sequence[StatementReport]
) -> dict[str, object]:
    return {
        "database": binding.catalog.database,
        "findings": [
            {
                "severity": finding.severity,
                "file": finding.location.file,
                "line": finding.location.line,
                "column": finding.location.column,
                "message": finding.message,
            }
            for finding in findings
        ],
        "statements": [
            {"line": statement.line, "works": statement.works, "message": statement.message}
            for statement in statements
        ],
    }
