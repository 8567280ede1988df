"""Go: pgx in each of its ways to send a query, its pool, and database/sql with lib/pq."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.applications.stage import Stage, compiled, fetched
from tests.postgres import newest_only

pytestmark = [newest_only(), pytest.mark.timeout(600)]  # packages are fetched and compiled once

MODES = ("cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol")
_GO = ("env", "GOTOOLCHAIN=local", "GOFLAGS=-mod=readonly", "go")


@pytest.fixture(scope="module")
def directory() -> Path:
    """Where the program `application` is."""
    directory = fetched("go", "go", (*_GO, "mod", "download"), ["go.mod", "go.sum"])
    return compiled(directory, (*_GO, "build", "-buildvcs=false", "-o", "application", "."))


@pytest.mark.parametrize("arguments", [*(f"pgx {mode}" for mode in MODES), "pgxpool", "pq"])
def test_program(stage: Stage, directory: Path, arguments: str) -> None:
    """It reads what it wrote, of every type, and the server never saw it."""
    stage.assert_same([str(directory / "application"), *arguments.split()], directory)
