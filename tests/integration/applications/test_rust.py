"""Rust: tokio-postgres, which sends all values in binary, and SQLx without its macros."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.applications.stage import Stage, compiled, fetched
from tests.postgres import newest_only

pytestmark = [newest_only(), pytest.mark.timeout(900)]  # crates are fetched and compiled once


@pytest.fixture(scope="module")
def directory() -> Path:
    """Where the program is; cargo compiles again what has changed."""
    directory = fetched("rust", "cargo", ("cargo", "fetch"), ["Cargo.toml"])
    return compiled(directory, ("cargo", "build", "--quiet", "--offline"))


@pytest.mark.parametrize("driver", ["tokio-postgres", "sqlx"])
def test_program(stage: Stage, directory: Path, driver: str) -> None:
    """It reads what it wrote, of every type, and the server never saw it."""
    program = str(directory / "target/debug/application")
    stage.assert_same([program, driver], directory, refused=["sorted by a protected column"])
