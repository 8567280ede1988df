"""The suites of drivers for Go, from the module proxy: one row each. They need Go on the machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from proxy.embedded import Server
from tests.conformance.debian import require
from tests.conformance.outcomes import Outcomes, of_go_test

_URL = "host={host} port={port} user={user} dbname={database}"


@dataclass(frozen=True)
class Module:
    """A module, its packages whose tests want a server, and what they find it by.

    `prepare` is SQL that the suite wants to have been run, `script` a file of such in the module, which is
    run in `database`.
    """

    requirement: str
    packages: tuple[str, ...]
    variable: str = ""
    prepare: tuple[str, ...] = ()
    script: str = ""
    database: str = "postgres"

    @property
    def name(self) -> str:
        path = self.requirement.partition("@")[0]
        return path.removesuffix("/v5").rpartition("/")[2]


MODULES = (
    Module(
        "github.com/jackc/pgx/v5@v5.12.0",
        (".", "./pgconn", "./pgtype", "./stdlib", "./pgxpool"),
        variable="PGX_TEST_DATABASE",
        script="testsetup/postgresql_setup.sql",
    ),
    Module(
        "github.com/lib/pq@v1.12.3",
        (".",),
        prepare=("CREATE DATABASE pqgo", "CREATE ROLE pqgo LOGIN", "CREATE ROLE pqgossl LOGIN"),
        database="pqgo",
    ),
)


class GoSuite:
    """A module's suite, in a copy of it in `work` that may be written to. Raises Missing."""

    policies = ("unused",)
    known: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def __init__(self, module: Module, work: Path) -> None:
        require("go", "golang")
        self._module = module
        self._place = work / module.requirement.replace("/", "_")
        self.version = module.requirement.partition("@v")[2]
        if not self._place.exists():
            words = ["go", "mod", "download", "-json", module.requirement]
            told = subprocess.run(words, capture_output=True, text=True, check=True, cwd=work)
            copy = self._place.with_suffix(".copying")
            shutil.copytree(json.loads(told.stdout)["Dir"], copy, copy_function=shutil.copyfile)
            for directory, _, _ in os.walk(copy):
                Path(directory).chmod(0o755)
            copy.rename(self._place)

    def run(self, server: Server, port: int, results: Path) -> Outcomes:
        """Run it against a port, and leave what go says in `results`."""
        results.mkdir(parents=True, exist_ok=True)
        module = self._module
        psql = [str(server.programs / "psql"), "-X", "-q", "-h", server.host, "-p", str(server.port)]
        psql += ["-U", server.user]
        for sql in module.prepare:
            subprocess.run([*psql, "-d", "postgres", "-c", sql], check=True)
        if module.script:
            script = str(self._place / module.script)
            subprocess.run([*psql, "-d", module.database, "-f", script], check=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        environment |= {"PGHOST": server.host, "PGPORT": str(port), "PGUSER": server.user}
        environment |= {"PGDATABASE": module.database, "PGSSLMODE": "disable"}
        if module.variable:
            environment[module.variable] = _URL.format(
                host=server.host, port=port, user=server.user, database=module.database
            )
        words = ["go", "test", "-json", "-count=1", "-p=1", "-timeout=300s", *module.packages]
        done = subprocess.run(
            words, cwd=self._place, env=environment, capture_output=True, text=True, check=False
        )
        (results / "go.json").write_text(done.stdout)
        (results / "go.log").write_text(done.stderr)
        return of_go_test(done.stdout)
