"""Whether memory grows with the number of statements: sessions that say something new all the time.

    python -m bench.soak --seconds 300

Each thread is a client. What it says differs in literals, in shape, in the names of prepared statements; some
of it is refused, some fails in the server, and sessions come and go. A line a few seconds: statements so far,
resident memory. The caches fill at first; what counts is that the second half adds nothing.
"""

from __future__ import annotations

import argparse
import itertools
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import psycopg
from psycopg import ClientCursor, errors

from bench import database
from bench.contenders import PGVEIL, Contender, contenders
from bench.setting import running_server
from bench.table import MEBIBYTE

CLIENTS = 4
ROWS = 1000
STATEMENTS_OF_A_SESSION = 2000
LINES = 20

Client = psycopg.Connection[tuple[object, ...]]


def literals(client: Client, number: int) -> None:
    """One shape, other literals; the psycopg2 way: the client puts the values into the text."""
    cursor = ClientCursor(client)
    cursor.execute("SELECT name, city FROM people WHERE phone = %s AND id <> %s", (str(number), number))
    cursor.execute("INSERT INTO events (who, what) VALUES (%s, %s)", (f"somebody {number}", f"what {number}"))


def shapes(client: Client, number: int) -> None:
    """A new shape each time."""
    client.execute(f'SELECT p.id AS "id{number}", p.name FROM people p WHERE p.id = {number} /* {number} */')
    client.execute(f"SELECT p{number}.city FROM people_plain p{number} LIMIT 1")


def pinned(client: Client, number: int) -> None:
    """Literals on which the plan depends."""
    client.execute(f"SELECT phone, count(*) FROM people WHERE id < 3 GROUP BY 1 LIMIT {number}")
    client.execute(f"SELECT id, name FROM people WHERE id < 3 ORDER BY 1 OFFSET {number}")


def prepared(client: Client, number: int) -> None:
    """New names of prepared statements, by the protocol and by SQL."""
    client.execute("SELECT name FROM people WHERE phone = %s", (str(number),), prepare=True)
    client.execute(f"PREPARE s{number} AS SELECT name FROM people WHERE phone = '{number}'")
    client.execute(f"EXECUTE s{number}")
    client.execute(f"DEALLOCATE s{number}")


def failing(client: Client, number: int) -> None:
    """Refused by pgveil, refused by the server."""
    for statement in (
        f"SELECT * FROM people WHERE name LIKE 'x{number}%'",
        f"SELECT * FROM missing{number}",
        f"SELECT {number} FROM people WHERE",
    ):
        with suppress(errors.Error):
            client.execute(statement)


def settings(client: Client, number: int) -> None:
    """Settings that values depend on, and search paths."""
    client.execute(f"SET TimeZone = 'Etc/GMT+{number % 12}'")
    client.execute(f"SET search_path = public, s{number}")
    client.execute("SELECT joined, name FROM people WHERE id = 7")
    client.execute("RESET ALL")


KINDS: tuple[Callable[[Client, int], None], ...] = (literals, shapes, pinned, prepared, failing, settings)


class Soak:
    """The clients at work until `stop`."""

    def __init__(self, contender: Contender) -> None:
        self._contender = contender
        self._numbers = itertools.count(1)
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]
        self.rounds = 0  # of all kinds of statements
        self.failure: Exception | None = None

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                with psycopg.connect(self._contender.dsn, autocommit=True) as client:
                    self._session(client)
        except Exception as error:
            self.failure = error

    def _session(self, client: Client) -> None:
        for _ in range(STATEMENTS_OF_A_SESSION // len(KINDS)):
            if self._stopped.is_set():
                return
            number = next(self._numbers)
            for kind in KINDS:
                kind(client, number)
            self.rounds += 1


def soak(contender: Contender, seconds: float) -> list[int]:
    """Run for so long; the resident memory at equal distances, in bytes. Raises what a client raised."""
    work = Soak(contender)
    sizes = [contender.rss() or 0]
    work.start()
    start = time.monotonic()
    print(f"{'seconds':>8}{'rounds':>10}{'RSS, MiB':>10}")
    for i in range(1, LINES + 1):
        time.sleep(max(0.0, start + seconds * i / LINES - time.monotonic()))
        sizes.append(contender.rss() or 0)
        print(f"{seconds * i / LINES:>8.0f}{work.rounds:>10,}{sizes[-1] / MEBIBYTE:>10.1f}", flush=True)
        if work.failure is not None:
            break
    work.stop()
    if work.failure is not None:
        raise work.failure
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300)
    args = parser.parse_args()
    with ExitStack() as stack:
        server, direct = stack.enter_context(running_server())
        (pgveil,) = stack.enter_context(contenders(server, [PGVEIL]))
        database.fill(direct, pgveil, ROWS)
        sizes = soak(pgveil, args.seconds)
    half = sizes[len(sizes) // 2]
    print(
        f"idle {sizes[0] / MEBIBYTE:.1f} MiB; the second half added {(sizes[-1] - half) / MEBIBYTE:+.1f} MiB"
    )


if __name__ == "__main__":
    main()
