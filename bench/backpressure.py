"""A large result and a client that reads slowly: pgveil must not hold what the client does not take.

    python -m bench.backpressure --megabytes 2048 --seconds 30

The result is read twice, once without and once with a protected column, with pauses that make it last for
about so many seconds. Resident memory of pgveil is watched all the while.
"""

from __future__ import annotations

import argparse
import threading
import time
from contextlib import ExitStack

import psycopg

from bench.contenders import PGVEIL, Contender, contenders
from bench.setting import running_server
from bench.table import MEBIBYTE

VALUE = 1 << 20  # bytes of each row
PAUSES = 100

STATEMENTS = {
    "unprotected": "SELECT what FROM events_plain, generate_series(1, %s)",
    "protected": "SELECT who FROM events, generate_series(1, %s)",
}


class Watch:
    """The largest resident memory of a proxy while it lasts, in bytes."""

    def __init__(self, contender: Contender) -> None:
        self._contender = contender
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.largest = 0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(0.02):
            self.largest = max(self.largest, self._contender.rss() or 0)


def read_slowly(contender: Contender, statement: str, rows: int, seconds: float) -> int:
    """Read a result row by row, with pauses; how many bytes its values had."""
    every = max(1, rows // PAUSES)
    size = 0
    with psycopg.connect(contender.dsn, autocommit=True) as connection, connection.cursor() as cursor:
        for i, (value,) in enumerate(cursor.stream(statement, (rows,))):
            size += len(value)
            if i % every == 0:
                time.sleep(seconds / PAUSES)
    return size


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.backpressure", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--megabytes", type=int, default=2048)
    parser.add_argument("--seconds", type=float, default=30)
    args = parser.parse_args()
    with ExitStack() as stack:
        server, direct = stack.enter_context(running_server())
        (pgveil,) = stack.enter_context(contenders(server, [PGVEIL]))
        for contender, table, column in ((direct, "events_plain", "what"), (pgveil, "events", "who")):
            with psycopg.connect(contender.dsn, autocommit=True) as connection:
                connection.execute(f"INSERT INTO {table} ({column}) VALUES (%s)", ("x" * VALUE,))
        idle = pgveil.rss() or 0
        print(f"{'result':<14}{'MiB':>8}{'seconds':>9}{'RSS before':>12}{'largest':>9}")
        for name, statement in STATEMENTS.items():
            start = time.monotonic()
            with Watch(pgveil) as watch:
                size = read_slowly(pgveil, statement, args.megabytes, args.seconds)
            took = time.monotonic() - start
            line = f"{name:<14}{size / MEBIBYTE:>8.0f}{took:>9.0f}"
            print(f"{line}{idle / MEBIBYTE:>12.1f}{watch.largest / MEBIBYTE:>9.1f}", flush=True)


if __name__ == "__main__":
    main()
