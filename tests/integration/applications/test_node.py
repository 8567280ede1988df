"""Node: drivers `pg` and Postgres.js, query builders Kysely and Knex, ORMs Drizzle and Sequelize."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.applications.stage import Stage, fetched
from tests.postgres import newest_only

pytestmark = [newest_only(), pytest.mark.timeout(600)]  # packages are fetched once

# What a program cannot do through pgveil, and why.
REFUSED = {
    # Sequelize writes the values into the body of a function that it creates; findCreateFind does not.
    "sequelize": {"by a function that Sequelize makes"},
}


@pytest.fixture(scope="module")
def node() -> Path:
    """The programs beside their packages."""
    npm = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
    return fetched("node", "npm", npm, ["package.json", "package-lock.json"])


@pytest.mark.parametrize("program", ["pg", "postgresjs", "kysely", "knex", "drizzle", "sequelize"])
def test_program(stage: Stage, node: Path, program: str) -> None:
    """It reads what it wrote, of every type, and the server never saw it."""
    stage.assert_same(["node", f"{program}.js"], node, refused=REFUSED.get(program, ()))
