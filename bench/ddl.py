"""What DDL on unprotected tables costs through pgveil, with more and more other tables in the database.

    python -m bench.ddl

Each round makes a table, alters it and drops it, one statement after the other, directly and through pgveil.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from statistics import median

import psycopg

from bench.contenders import Contender, start_pgveil
from bench.setting import running_server

TABLES = (0, 300, 1000)
COLUMNS = 20
ROUNDS = 30
_STATEMENTS = ("CREATE TABLE scratch (a int)", "ALTER TABLE scratch ADD COLUMN b int", "DROP TABLE scratch")


def fill(direct: Contender, start: int, end: int) -> None:
    """Make tables of an ordinary size, each with a primary key, and a view over every tenth."""
    columns = ", ".join(f"c{i} text" for i in range(1, COLUMNS))
    with psycopg.connect(direct.dsn, autocommit=True) as connection:
        for i in range(start, end):
            connection.execute(f"CREATE TABLE other_{i} (id int PRIMARY KEY, {columns})")
            if i % 10 == 0:
                connection.execute(f"CREATE VIEW view_{i} AS SELECT id, c1 FROM other_{i}")
        connection.execute("VACUUM ANALYZE pg_class, pg_attribute, pg_depend")


def rounds(contender: Contender) -> tuple[float, float]:
    """Seconds that a round takes (median), and those of the proxy's processor."""
    taken = []
    with psycopg.connect(contender.dsn, autocommit=True) as connection:
        before = contender.processor() or 0.0
        for _ in range(ROUNDS):
            start = time.perf_counter()
            for statement in _STATEMENTS:
                connection.execute(statement)
            connection.execute("SELECT 1")  # waits for what the last statement of DDL has left to do
            taken.append(time.perf_counter() - start)
        return median(taken), ((contender.processor() or 0.0) - before) / ROUNDS


def main() -> None:
    with ExitStack() as stack:
        server, direct = stack.enter_context(running_server())
        pgveil = start_pgveil(stack, server)
        made = 0
        print("tables  direct ms  pgveil ms  ratio  pgveil's processor ms")
        for tables in TABLES:
            fill(direct, made, tables)
            made = tables
            rounds(pgveil)
            plain, _ = rounds(direct)
            veiled, processor = rounds(pgveil)
            figures = f"{plain * 1e3:9.1f}  {veiled * 1e3:9.1f}  {veiled / plain:5.1f}"
            print(f"{tables:6}  {figures}  {processor * 1e3:21.1f}")


if __name__ == "__main__":
    main()
