"""sqlsmith by way of pgveil: statements made at random, over a schema with protected columns.

No answer is compared: what counts is that pgveil lives, that no session hangs, and that no value of a
protected column is seen in the server's log, in its tables, or in pgveil's log.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

from tests.conformance.debian import Debian
from tests.conformance.servers import server, through
from tests.integration.pair import SEED
from tests.integration.schema import KINDS_POLICY, KINDS_SCHEMA, SCHEMA
from tests.postgres import SETTINGS
from tests.proxy_process import Veil

NAME = "sqlsmith"
_LIBRARY = "libpqxx-6.4"
_QUIET = (
    30.0  # seconds without a statement that mean a session which hangs; sqlsmith's own limit is one second
)
_KINDS = (
    "INSERT INTO kinds (a_text, an_int4, a_date, a_json) VALUES ('kanarie', 1733173317, '1973-03-31', '1')"
)
_ROLE = (
    "CREATE ROLE smith LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO smith; GRANT ALL ON ALL SEQUENCES"
)


def run(work: Path, seconds: int) -> str:
    """Run it for so long; what there is to be said of it. Raises AssertionError, and Missing."""
    debian = Debian(work / NAME)
    library = next((debian.package(_LIBRARY) / "usr/lib").glob("*/libpqxx*.so")).parent
    program = debian.package(NAME) / "usr/bin/sqlsmith"
    place = work / "results" / NAME / time.strftime("%Y%m%dT%H%M%S")
    with server(SETTINGS) as running, through(running, KINDS_POLICY, place) as veil:
        veil.database.execute(SCHEMA + KINDS_SCHEMA)
        veil.execute(SEED)
        veil.execute(_KINDS)
        veil.database.execute(f"{_ROLE} IN SCHEMA public TO smith")
        environment = {**os.environ, "LD_LIBRARY_PATH": str(library)}
        _smith(program, environment, veil, place, seconds)
        _still_there(veil)
    worked, failed = _counted((place / "sqlsmith.log").read_text())
    return f"{NAME}: {worked + failed} statements, {worked} of them without an error; no leak, crash or hang"


def _smith(program: Path, environment: dict[str, str], veil: Veil, place: Path, seconds: int) -> None:
    """Let sqlsmith work for so long, begun again whenever it ends."""
    target = f"host={veil.host} port={veil.port} user=smith dbname={veil.database.name}"
    words = [str(program), f"--target={target}", "--exclude-catalog", "--dump-all-queries", "--verbose"]
    end = time.monotonic() + seconds
    seed = 0
    with (place / "queries.sql").open("wb") as queries, (place / "sqlsmith.log").open("wb") as log:
        while time.monotonic() < end:
            seed += 1
            smith = subprocess.Popen([*words, f"--seed={seed}"], env=environment, stdout=queries, stderr=log)
            try:
                _watch(smith, place / "queries.sql", end)
            finally:
                smith.kill()
                smith.wait()


def _watch(smith: subprocess.Popen[bytes], queries: Path, end: float) -> None:
    while smith.poll() is None and time.monotonic() < end:
        time.sleep(0.5)
        quiet = time.time() - queries.stat().st_mtime
        assert quiet < _QUIET, f"no statement for {quiet:.0f} s: a session hangs"


def _counted(log: str) -> tuple[int, int]:
    """The statements without and with an error: sqlsmith shows its progress by a character for each."""
    progress = "".join(re.findall(r"(?m)^[.eStC]+", log))
    return progress.count("."), len(progress) - progress.count(".")


def _still_there(veil: Veil) -> None:
    """The session lives, and what is protected is only seen through it."""
    veil.execute("INSERT INTO users (email) VALUES ('kanarie-last')")
    found = veil.execute("SELECT email FROM users WHERE email = 'kanarie-last'")
    assert found == [("kanarie-last",)]
    veil.assert_no_leak()
