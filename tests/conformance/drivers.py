"""The suites of drivers for Python, and of what stands on them, from their sources: one row each.

psycopg 3's has no tests in it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from proxy.embedded import Server
from tests.conformance.outcomes import Outcomes, of_junit
from tests.conformance.sources import fetch

_ADDRESS = ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE")


@dataclass(frozen=True)
class Driver:
    """What is installed, which part of its sources is taken, and what pytest runs there.

    `arguments` and `environment` may hold {port}; `prepare` is SQL that the suite wants to have been run.
    """

    requirement: str
    tests: tuple[str, ...]
    with_sources: bool = False  # the tests want to stand beside the driver's own sources
    others: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    prepare: tuple[str, ...] = ()
    password: str = "none"

    @property
    def name(self) -> str:
        return self.requirement.partition("==")[0]


DRIVERS = (
    # Tests of standbys and logins start servers of their own, where they may: they never go through pgveil.
    Driver("asyncpg==0.32.0", ("tests",), others=("uvloop", "distro")),
    Driver("psycopg2-binary==2.9.13", ("tests",), environment={"PSYCOPG2_TESTDB": "postgres"}),
    Driver(
        "pg8000==1.31.6",
        ("test",),
        others=("pytz", "pytest-mock"),
        arguments=("--ignore-glob=*/test_benchmarks.py", "--ignore-glob=*/auth"),
        prepare=("CREATE EXTENSION hstore",),
    ),
    Driver(
        "SQLAlchemy==2.1.9",
        ("test/dialect/postgresql", "test/dialect/test_suite.py"),
        with_sources=True,
        others=("psycopg2-binary==2.9.13",),
        arguments=("--dburi=postgresql+psycopg2://postgres@127.0.0.1:{port}/postgres", "--maxfail=0"),
        prepare=(
            "CREATE SCHEMA test_schema",
            "CREATE SCHEMA test_schema_2",
            "CREATE EXTENSION hstore",
            "CREATE EXTENSION citext",
        ),
    ),
    Driver(
        "alembic==1.20.1",
        ("tests",),
        with_sources=True,
        others=("psycopg2-binary==2.9.13", "tzdata", "black"),
        arguments=(
            "--dburi=postgresql+psycopg2://postgres@127.0.0.1:{port}/postgres",
            "--backend-only",
            "--maxfail=0",
        ),
        prepare=("CREATE SCHEMA test_schema", "CREATE SCHEMA test_schema_2"),
    ),
)


class DriverSuite:
    """A driver's suite, in an environment of its own in `work`."""

    policies = ("unused",)
    # It counts what asyncpg has written when an error arrives: with a proxy between, more is on its way.
    known: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "unused": ("tests.test_execute.TestExecuteMany.test_executemany_server_failure_during_writes",)
    }

    def __init__(self, driver: Driver, work: Path) -> None:
        self._driver = driver
        self._place = work / driver.requirement
        self.version = driver.requirement.partition("==")[2]
        tops = None if driver.with_sources else {test.partition("/")[0] for test in driver.tests}
        self._python = fetch(self._place, driver.requirement, ("pytest", *driver.others), tops)
        if not driver.with_sources:  # else pytest would find a configuration further up
            (self._place / "suite/pytest.ini").write_text("[pytest]\n")

    def run(self, server: Server, port: int, results: Path) -> Outcomes:
        """Run it against a port, and leave what pytest says in `results`."""
        results.mkdir(parents=True, exist_ok=True)
        values = dict(zip(_ADDRESS, (server.host, str(port), server.user, "postgres"), strict=True))
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
            **values,
            **self._driver.environment,
            "PGPASSWORD": self._driver.password,
        }
        psql = [str(server.programs / "psql"), "-X", "-q", "-p", str(server.port)]
        for sql in self._driver.prepare:
            subprocess.run([*psql, "-c", sql], env={**environment, "PGPORT": str(server.port)}, check=True)
        junit = results / "junit.xml"
        arguments = [argument.format(port=port) for argument in self._driver.arguments]
        words = [str(self._python), "-m", "pytest", *self._driver.tests, "-p", "no:cacheprovider", *arguments]
        with (results / "pytest.log").open("w") as log:
            subprocess.run(
                [*words, f"--junitxml={junit}"],
                cwd=self._place / "suite",
                env=environment,
                stdout=log,
                stderr=log,
                check=False,
            )
        return of_junit(junit)
