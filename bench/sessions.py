"""What the session itself costs for one point select, without sockets: the same bytes again and again.

    python -m bench.sessions [--profile NAME]

`frontend` and `backend` are the microseconds of one `frontend_received` and one `backend_received`, each the
least of several rounds. With --profile, cProfile's view of one case (its times hold cProfile's own cost).
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.database import POLICY
from bench.memory import CITY, NAME, PHONE, World
from proxy.session.session import Session
from proxy.wire import frames
from proxy.wire.backend import (
    CommandComplete,
    DataRow,
    FieldDescription,
    ReadyForQuery,
    RowDescription,
)
from proxy.wire.frames import frame
from proxy.wire.frontend import Bind, Describe, Execute, Parse

REPEATS = 2000
ROUNDS = 7
_READY = ReadyForQuery(b"I").pack()
_SYNC = frame(frames.SYNC)
_PARSED, _BOUND = frame(frames.PARSE_COMPLETE), frame(frames.BIND_COMPLETE)


@dataclass(frozen=True)
class Case:
    """One transaction: what the client sends, what the server answers; `once` prepares the statement."""

    name: str
    request: bytes
    reply: bytes
    once: tuple[bytes, bytes] = (b"", b"")


def cases(world: World) -> list[Case]:
    """Point selects in pgbench's three modes, from the plain table, by key, and by equality."""
    made = []
    for kind, table, literal, condition in (
        ("unprotected", "people_plain", b"4711", "id = "),
        ("by key", "people", b"4711", "id = "),
        ("by equality", "people", b"'4711'", "phone = "),
    ):
        select = f"SELECT name, phone, city FROM {table} WHERE {condition}".encode()
        rows = _rows(world, table)
        execute = Describe(b"P", b"").pack() + Execute(b"", 0).pack() + _SYNC
        parse = select + b"$1"
        bind = Bind(b"", b"", (), (b"4711",), (0,)).pack() + execute
        prepared = Bind(b"", b"P0_1", (), (b"4711",), (0,)).pack() + execute
        once = (Parse(b"P0_1", parse, ()).pack() + _SYNC, _PARSED + _READY)
        made += [
            Case(f"{kind}, simple", frame(frames.QUERY, select + literal + b";\0"), rows + _READY),
            Case(f"{kind}, extended", Parse(b"", parse, ()).pack() + bind, _PARSED + _BOUND + rows + _READY),
            Case(f"{kind}, prepared", prepared, _BOUND + rows + _READY, once),
        ]
    return made


def _rows(world: World, table: str) -> bytes:
    oid = world.oid(table)
    fields = [FieldDescription(name, oid, i, 25, -1, -1, 0) for name, i in ((NAME, 2), (PHONE, 3), (CITY, 4))]
    values: tuple[bytes, ...] = (b"Given Family 4711", b"4711", b"803 Long Street, Town")
    if table == "people":
        values = (world.seal("name", values[0]), world.seal("phone", values[1]), values[2])
    complete = CommandComplete(b"SELECT 1").pack()
    return RowDescription(tuple(fields)).pack() + DataRow(values).pack() + complete


def run(session: Session, case: Case, repeats: int) -> tuple[float, float]:
    """Seconds in the two directions."""
    clock = time.perf_counter
    frontend = backend = 0.0
    for _ in range(repeats):
        start = clock()
        session.frontend_received(case.request)
        session.to_backend.clear()
        middle = clock()
        session.backend_received(case.reply)
        session.to_frontend.clear()
        backend += clock() - middle
        frontend += middle - start
    assert session.request is None
    assert not session.closing
    return frontend, backend


def prepare(world: World, case: Case) -> Session:
    """A session that has done the case once."""
    session = world.session()
    session.backend_received(_READY)
    if case.once[0]:
        session.frontend_received(case.once[0])
        session.backend_received(case.once[1])
    run(session, case, 1)
    return session


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.sessions", description=__doc__)
    parser.add_argument("--profile", default="", help="the name of a case", metavar="NAME")
    args = parser.parse_args()
    world = World(POLICY)
    if args.profile:
        _profile(world, next(case for case in cases(world) if case.name == args.profile))
        return
    print(f"{'µs':<28}{'frontend':>10}{'backend':>10}{'together':>10}")
    for case in cases(world):
        session = prepare(world, case)
        times = [run(session, case, REPEATS) for _ in range(ROUNDS)]
        frontend, backend = (min(column) / REPEATS * 1e6 for column in zip(*times, strict=True))
        print(f"{case.name:<28}{frontend:>10.1f}{backend:>10.1f}{frontend + backend:>10.1f}")


def _profile(world: World, case: Case) -> None:
    session = prepare(world, case)
    profile = cProfile.Profile()
    work: Callable[[], object] = lambda: run(session, case, REPEATS * 5)  # noqa: E731
    profile.runcall(work)
    pstats.Stats(profile).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
