"""`make bench`: pgveil beside a direct connection, PgBouncer in session mode, and a bare forwarder.

Every workload is run in rounds, each of which takes the contenders in turn (A B C D A B C D ...), so that
what else the machine does falls on all of them. PostgreSQL, the clients and the proxies share this machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench import database, table
from bench.contenders import (
    DIRECT,
    FORWARDER,
    PGBOUNCER,
    PGVEIL,
    Contender,
    NotStarted,
    contenders,
)
from bench.outcome import Outcome
from bench.pgbench import Pgbench, PgbenchFailed
from bench.setting import running_server
from bench.workloads import Workload, workloads
from proxy.embedded import EmbeddedError

ALL = (DIRECT, PGBOUNCER, FORWARDER, PGVEIL)
IDLE_TARGET = 60  # MiB


@dataclass(frozen=True)
class Size:
    """How much is done in one measurement, and how often."""

    rounds: int
    transactions: int  # of each pgbench client
    rows: int  # in the tables that are read
    inserts: int
    scale: int  # of pgbench's own tables


FULL = Size(rounds=7, transactions=3000, rows=database.ROWS, inserts=5000, scale=10)
QUICK = Size(rounds=3, transactions=300, rows=database.ROWS, inserts=1000, scale=2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0; 2 where something did not start."""
    args = _arguments(arguments)
    size = QUICK if args.quick else FULL
    changed = {
        name: value for name in Size.__dataclass_fields__ if (value := getattr(args, name)) is not None
    }
    size = Size(**{**size.__dict__, **changed})
    try:
        _bench(args, size)
    except (EmbeddedError, NotStarted, PgbenchFailed) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="about a minute, for a first impression")
    parser.add_argument("--postgres", type=int, choices=(16, 18), default=18, help="PostgreSQL's version")
    parser.add_argument("--clients", type=int, default=8, help="of pgbench (default: %(default)s)")
    parser.add_argument("--only", default="", help="workloads whose name holds this text")
    parser.add_argument(
        "--contenders", nargs="+", choices=ALL, default=ALL, help="fewer contenders", metavar="NAME"
    )
    for name in Size.__dataclass_fields__:
        parser.add_argument(f"--{name}", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _bench(args: argparse.Namespace, size: Size) -> None:
    with ExitStack() as stack:
        server, direct = stack.enter_context(running_server(args.postgres))
        started = stack.enter_context(contenders(server, args.contenders))
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pgveil-bench-")))
        pgbench = Pgbench(server.programs, directory, args.clients, size.transactions, size.rows)
        pgbench.initialise(direct, size.scale)
        idle = _memory(started)
        pgveil = next((contender for contender in started if contender.name == PGVEIL), None)
        database.fill(direct, pgveil, size.rows)
        rows = [w for w in workloads(pgbench, size.rows, size.inserts) if args.only in w.name]
        _print_table(started, rows, size, args, idle)


def _print_table(
    started: list[Contender],
    rows: list[Workload],
    size: Size,
    args: argparse.Namespace,
    idle: dict[str, int | None],
) -> None:
    names = [contender.name for contender in started]
    print(f"PostgreSQL {args.postgres}, {args.clients} clients, medians of {size.rounds} interleaved rounds")
    if PGBOUNCER in args.contenders and PGBOUNCER not in names:
        print(
            "PgBouncer is not installed (apt-get install pgbouncer): its ratios are to the direct connection"
        )
    print(table.header(names), flush=True)
    for workload in rows:
        print(table.line(workload, _measure(workload, started, size.rounds), names), flush=True)
    print(table.memory_line("idle", idle, IDLE_TARGET))
    print(table.memory_line("after all of this", _memory(started)))


def _measure(workload: Workload, started: list[Contender], rounds: int) -> dict[str, list[Outcome]]:
    outcomes: dict[str, list[Outcome]] = {contender.name: [] for contender in started}
    for _ in range(rounds):
        for contender in started:
            outcomes[contender.name].append(_run(workload, contender))
    return outcomes


def _run(workload: Workload, contender: Contender) -> Outcome:
    before = contender.processor()
    outcome = workload.run(contender)
    after = contender.processor()
    return outcome if before is None or after is None else replace(outcome, processor=after - before)


def _memory(started: list[Contender]) -> dict[str, int | None]:
    return {contender.name: contender.rss() for contender in started}


if __name__ == "__main__":
    sys.exit(main())
