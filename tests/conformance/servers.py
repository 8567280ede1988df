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
_UNUSED = _CLASSES + "tables:\n  pgveil_unused:\n    secret: pii\n"
# DO blocks of PostgreSQL's suite that put SQL together, by their SHA-256.
_BLOCKS = (
    "2216211ee72a0b84c7cb09a547c4a78a5bc04c2b02310329414be5d1a53aff72",
    "26146dacc298440130e4f68e6cdbc7ec86de5793c0f025087d476efa190bf96e",
    "2654f607217c8485fcb5edf6ca3b114b47d4c3cbf0c981a7a0c7803b0cbc06c6",
    "44094ea6a8385ac6c3b5e9b3b11255188eaebf136e6c2ce16279d9c0ccbf19ce",
    "671b6e012dd7fb7407f00a2658b9c57ebab9d50610f80a5a1eaec71cc231a1de",
    "7a0786c9212018c9dfc7049bc3636e774966b025cc452bd16c7da29b79c58107",
    "8cff429e713000d619edc8e172204eb270a98a4812cf77ef2a2e68e86369f7ed",
    "d5c5f2ab596d9de383530c5d390d9fca75fca7cb6880deda0b37015e09b07e36",
)
# Policies that leave everything that a suite does unprotected.
POLICIES = {
    "empty": _CLASSES + "tables: {}\n",
    "unused": _UNUSED,
    "trusting": f"{_UNUSED}trusted_blocks: [{', '.join(f'sha256:{digest}' for digest in _BLOCKS)}]\n",
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
