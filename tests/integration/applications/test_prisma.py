"""Prisma: its schema engine reads, makes and compares tables; its client writes to them and reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.applications.stage import HERE, Stage, compiled, fetched
from tests.postgres import newest_only

pytestmark = [newest_only(), pytest.mark.timeout(600)]  # packages are fetched once

# What Prisma believes to need and would fetch, though it uses WebAssembly instead.
_ENGINES = {"PRISMA_SCHEMA_ENGINE_BINARY": "/bin/true", "PRISMA_QUERY_ENGINE_LIBRARY": "/bin/true"}
_PRISMA = ("node", "node_modules/prisma/build/index.js")
_CONFIG = ("--config", "prisma.config.mjs")


@pytest.fixture(scope="module")
def directory() -> Path:
    """The program beside its packages and the client that Prisma makes of the schema."""
    npm = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
    directory = fetched("prisma", "npm", npm, ["package.json", "package-lock.json"])
    shutil.copy(HERE / "node/report.js", directory)
    settings = [
        f"{name}={value}" for name, value in {**_ENGINES, "DATABASE_URL": "postgresql://none"}.items()
    ]
    return compiled(directory, ("env", *settings, *_PRISMA, "generate", "--no-hints", *_CONFIG))


def _prisma(directory: Path, dsn: str, *arguments: str) -> str:
    """What Prisma's command line prints."""
    done = subprocess.run(
        [*_PRISMA, *arguments, *_CONFIG],
        cwd=directory,
        env={**os.environ, **_ENGINES, "DATABASE_URL": dsn, "CHECKPOINT_DISABLE": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_the_schema_is_read(stage: Stage, directory: Path) -> None:
    """`prisma db pull` finds the logical types."""
    through, direct = (
        _prisma(directory, dsn, "db", "pull", "--print") for dsn in (stage.veil.dsn(), stage.plain.dsn)
    )
    assert "born    DateTime? @db.Date" in direct
    assert through == direct


def test_tables_that_prisma_makes(stage: Stage, directory: Path) -> None:
    """`prisma db push` makes the tables anew and finds nothing to do afterwards; the client uses them."""
    for dsn in (stage.veil.dsn(), stage.plain.dsn):
        anew = "--force-reset", "--accept-data-loss"
        assert "was successfully reset" in _prisma(directory, dsn, "db", "push", "--skip-generate", *anew)
        assert "already in sync" in _prisma(directory, dsn, "db", "push", "--skip-generate")
    refused = ["sorted by a protected column", "a part of a protected column"]
    stage.assert_same(["node", "application.js"], directory, refused=refused)
