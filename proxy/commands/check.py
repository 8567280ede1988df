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
from policy.outsiders import Function, Publication, outsiders
from policy.server_code import word_pattern
from proxy import catalog_sql, config, function_sql, introspect
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
        binding, others = asyncio.run(_read(configuration.maintenance, database, policy))
    except introspect.CatalogUnavailable as error:
        print(f"pgveil: maintenance: {configuration.maintenance}: {error.reason}", file=sys.stderr)
        return 2
    findings = [*check(policy, binding.catalog), *others, *notes(policy, binding.catalog)]
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


async def _read(server: ServerAddress, database: str, policy: Policy) -> tuple[Binding, list[Finding]]:
    """The binding, and what is found of functions and publications."""
    binding = await introspect.read_binding(server, database, policy)
    try:
        connection = await introspect.connector(server)(database)
        try:
            return binding, await _outsiders(connection, binding)
        finally:
            await connection.close()
    except introspect.CONNECTION_ERRORS as error:
        raise introspect.CatalogUnavailable(database, error) from error


async def _outsiders(connection: introspect.Connection, binding: Binding) -> list[Finding]:
    await connection.execute(catalog_sql.PREPARE_SESSION)
    names = word_pattern(table for _, table in binding.policy.tables)
    if not names:
        return []
    functions = [
        Function(schema, name, body or "", tuple(tables))
        for schema, name, body, tables in await connection.fetch(
            function_sql.NAMING_FUNCTIONS, names, list(binding.columns)
        )
    ]
    publications = [
        Publication(name, schema, table, None if columns is None else tuple(json.loads(columns)), row_filter)
        for name, schema, table, columns, row_filter in await connection.fetch(function_sql.PUBLICATIONS)
    ]
    return outsiders(binding, functions, publications)


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
