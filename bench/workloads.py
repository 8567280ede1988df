"""The rows of the table: what is measured, and what pgveil is to reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.contenders import DIRECT, PGBOUNCER, Contender
from bench.drivers import (
    bulk_read,
    copy_in,
    copy_out,
    insert_asyncpg,
    insert_psycopg_many,
    insert_psycopg_values,
)
from bench.outcome import Outcome
from bench.pgbench import Pgbench

Run = Callable[[Contender], Outcome]
MODES = ("simple", "extended", "prepared")


@dataclass(frozen=True)
class Workload:
    """One row: `run` does it once; `target` is the goal of the ratio of rates to `rival`."""

    name: str
    unit: str
    run: Run
    rival: str
    target: float | None


def workloads(pgbench: Pgbench, rows: int, inserts: int) -> list[Workload]:
    """All of them: `rows` are in the tables of people, `inserts` are written in one measurement."""
    return [
        *_point_selects(pgbench),
        *_tpc_b(pgbench),
        *_bulk_reads(rows),
        *_copies(rows),
        *_inserts(inserts),
    ]


def _point_selects(pgbench: Pgbench) -> list[Workload]:
    def unprotected(mode: str) -> Run:
        return lambda to: pgbench.point_select(to, mode, "people_plain", "id = :id")

    def by_key(mode: str) -> Run:
        return lambda to: pgbench.point_select(to, mode, to.table("people"), "id = :id")

    def by_equality(mode: str) -> Run:
        phone = "phone = ':id'" if mode == "simple" else "phone = :id"
        return lambda to: pgbench.point_select(to, mode, to.table("people"), phone)

    kinds = (("unprotected", unprotected, 0.85), ("by key", by_key, 0.70), ("by equality", by_equality, 0.70))
    return [
        Workload(f"select {name}, {mode}", "tx/s", make(mode), PGBOUNCER, target)
        for name, make, target in kinds
        for mode in MODES
    ]


def _tpc_b(pgbench: Pgbench) -> list[Workload]:
    def tpc_b(mode: str) -> Run:
        return lambda to: pgbench.tpc_b(to, mode)

    return [
        Workload(f"TPC-B, {mode}", "tx/s", tpc_b(mode), PGBOUNCER, None) for mode in ("simple", "prepared")
    ]


def _bulk_reads(rows: int) -> list[Workload]:
    return [
        Workload("bulk read", "rows/s", lambda to: bulk_read(to, "people_plain", rows), DIRECT, 0.85),
        Workload(
            "bulk read, 2 of 5", "rows/s", lambda to: bulk_read(to, to.table("people"), rows), DIRECT, 0.45
        ),
    ]


def _copies(rows: int) -> list[Workload]:
    return [
        Workload(f"copy {name}, 2 of 5", "rows/s", _copying(copy, table, rows), DIRECT, target)
        for name, copy, table, target in (
            ("in", copy_in, "arrivals", 0.35),
            ("out", copy_out, "people", 0.40),
        )
    ]


def _copying(copy: Callable[[Contender, str, int], Outcome], table: str, rows: int) -> Run:
    return lambda to: copy(to, to.table(table), rows)


def _inserts(rows: int) -> list[Workload]:
    return [
        Workload(f"insert, {name}", "rows/s", _inserting(insert, rows), DIRECT, None)
        for name, insert in (
            ("100 in VALUES", insert_psycopg_values),
            ("psycopg many", insert_psycopg_many),
            ("asyncpg many", insert_asyncpg),
        )
    ]


def _inserting(insert: Callable[[Contender, str, int], Outcome], rows: int) -> Run:
    return lambda to: insert(to, to.table("events"), rows)
