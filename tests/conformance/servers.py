"""The server that a suite runs against, and pgveil before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from proxy.embedded import Server
from tests.conformance.debian import Missing
from tests.postgres import DEBIAN_15, Database, Postgres
from tests.proxy_process import Veil

# What the regression tests of PostgreSQL and of drivers expect of a server.
SETTINGS = {
    "autovacuum": "on",
    "lc_messages": "C",
    "max_connections": "200",
    "max_prepared_transactions": "10",
    "shared_buffers": "128MB",
    "timezone": "UTC",
}
_CLASSES = "version: 1\nclasses:\n  pii: {mode: deterministic}\n"
# Policies that leave everything that a suite does unprotected.
POLICIES = {
    "empty": _CLASSES + "tables: {}\n",
    "unused": _CLASSES + "tables:\n  pgveil_unused:\n    secret: pii\n",
}


@contextmanager
def server(settings: Mapping[str, str] = SETTINGS) -> Iterator[Server]:
    """A new server of Debian's PostgreSQL 15. Raises Missing."""
    if not DEBIAN_15.exists():
        raise Missing("PostgreSQL 15 is not installed (apt-get install postgresql-15)")
    with Server(DEBIAN_15, settings=settings) as running:
        yield running


@contextmanager
def through(running: Server, policy: str, directory: Path, database: str = "postgres") -> Iterator[Veil]:
    """pgveil before a server; it has to be alive at the end, and to have met nothing unexpected."""
    directory.mkdir(parents=True)
    veil = Veil(directory, Database(Postgres(running, 15), database), policy)
    try:
        yield veil.start()
        assert veil.ready(), "pgveil is not ready any more"
        unexpected = [line for line in veil.log_text().splitlines() if '"level": "error"' in line]
        assert not unexpected, unexpected
    finally:
        veil.kill()
