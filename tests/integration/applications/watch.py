"""What somebody with the server in his hands would look at while an application runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import yaml
from psycopg.sql import SQL, Identifier

from tests.postgres import DIRECT
from tests.proxy_process import Veil, canaries_in

_INTERVAL = 0.02  # seconds between two looks at pg_stat_activity

# How ciphertext begins where it stands in text, in json and jsonb, and in bytea.
_MARKERS = ("pgv1:", '"pgv1:', "\\xff5056")


def seen_in(text: str, words: Sequence[str]) -> list[str]:
    """The canaries that a text holds: those of all tests, and an application's own."""
    return canaries_in(text) + [word for word in words if word in text]


@contextmanager
def watched(veil: Veil, words: Sequence[str] = ()) -> Iterator[None]:
    """Look at pg_stat_activity all the time, then at the log and the tables: no canary, only ciphertext."""
    queries: set[str] = set()
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(veil, queries, done))
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    assert_nothing_seen(veil, words, queries)


def assert_nothing_seen(veil: Veil, words: Sequence[str], queries: set[str]) -> None:
    """No canary where the server, or pgveil, writes; ciphertext in each column of the policy."""
    for place, text in {
        "pg_stat_activity": "\n".join(sorted(queries)),
        "the server's log": veil.database.log_text(direct=False),
        "pgveil's log": veil.log_text(),
        "the tables": veil.database.contents(),
    }.items():
        lines = [line for line in text.splitlines() if seen_in(line, words)]
        assert not lines, f"{place}: {lines[:5]}"
    open_values = not_sealed(veil)
    assert not open_values, f"not sealed: {open_values[:5]}"


def _watch(veil: Veil, queries: set[str], done: threading.Event) -> None:
    with veil.database.connect() as connection:
        while not done.wait(_INTERVAL):
            rows = connection.execute(
                "SELECT query FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name <> %s",
                [DIRECT],
            )
            queries.update(row[0] for row in rows)


def not_sealed(veil: Veil) -> list[tuple[str, str, str]]:
    """Table, column and value of whatever a column of the policy holds that is no envelope."""
    found = []
    with veil.database.connect() as connection:
        for table, columns in yaml.safe_load(veil.policy_path.read_text())["tables"].items():
            there = {
                row[0]
                for row in connection.execute(
                    "SELECT column_name FROM information_schema.columns"
                    " WHERE table_schema = 'public' AND table_name = %s",
                    [table],
                )
            }
            for column in there & columns.keys():
                query = SQL("SELECT {0}::text FROM {1} WHERE {0} IS NOT NULL")
                values = connection.execute(query.format(Identifier(column), Identifier(table)))
                found += [(table, column, value) for (value,) in values if not value.startswith(_MARKERS)]
    return found
