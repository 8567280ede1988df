"""PostgreSQL's own regression suite, by the sources of the server that is installed.

`pg_regress` comes with the server's package; the modules that its tests load are built from the sources. The
result of each test is compared, to the byte, with what the sources expect: values, messages, carets.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from proxy.embedded import Server
from tests.conformance.debian import Debian, installed, require
from tests.conformance.outcomes import Outcomes, of_pg_regress
from tests.postgres import DEBIAN_15

NAME = "PostgreSQL's regression suite"
_PG_REGRESS = DEBIAN_15.parent / "lib/pgxs/src/test/regress/pg_regress"
_MODULES = ("src/test/regress/regress.c", "contrib/spi/autoinc.c", "contrib/spi/refint.c")
_PACKAGE = "postgresql-15"
_HEADERS = "postgresql-server-dev-15"

# They have DO execute SQL that is put together, which is refused where a policy names a table, unless it also
# names the block; foreign_data only finds what collate.icu.utf8 then has not dropped.
_PUT_TOGETHER = (
    *("brin", "brin_bloom", "brin_multi", "collate.icu.utf8", "foreign_data", "oidjoins", "stats_ext"),
    "temp",
)


class Regression:
    """The suite, unpacked and built in `work`. Raises Missing."""

    policies = ("empty", "unused", "trusting")
    known: ClassVar[Mapping[str, tuple[str, ...]]] = {"unused": _PUT_TOGETHER}

    def __init__(self, work: Path) -> None:
        require("gcc", "gcc")
        version = installed(_PACKAGE)
        debian = Debian(work / version)
        self._sources = debian.source(_PACKAGE, version)
        self._modules = work / version / "modules"
        self.version = version.partition("-")[0]
        if not self._modules.exists():
            self._build(debian.package(_HEADERS, version) / "usr/include/postgresql/15/server")

    def _build(self, headers: Path) -> None:
        building = self._modules.with_suffix(".building")
        building.mkdir(exist_ok=True)
        for module in _MODULES:
            source = self._sources / module
            library = building / f"{source.stem}.so"
            options = ["-O2", "-fPIC", "-shared", "-fwrapv", "-DREFINT_VERBOSE", f"-I{headers}"]
            subprocess.run(["gcc", *options, "-o", str(library), str(source)], check=True)
        building.rename(self._modules)

    def run(self, server: Server, port: int, results: Path) -> Outcomes:
        """Run it against a port, and leave what differs from what is expected in `results`."""
        place = server.directory / "regress"  # where the server's account may read, and write results
        shutil.copytree(self._sources / "src/test/regress", place)
        for name in ("results", "testtablespace"):
            (place / name).mkdir()
            (place / name).chmod(0o777)
        modules = server.directory / "modules"
        shutil.copytree(self._modules, modules)
        words = [
            *(str(_PG_REGRESS), "--inputdir=.", "--outputdir=.", f"--dlpath={modules}"),
            *(f"--bindir={DEBIAN_15}", f"--host={server.host}", f"--port={port}", f"--user={server.user}"),
            *("--max-concurrent-tests=20", "--schedule=parallel_schedule"),
        ]
        done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
        results.mkdir(parents=True, exist_ok=True)
        (results / "pg_regress.log").write_text(done.stdout + done.stderr)
        if (place / "regression.diffs").exists():
            shutil.copy(place / "regression.diffs", results)
        return of_pg_regress(done.stdout)
