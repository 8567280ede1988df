"""The demonstration itself: what an application does through pgveil, beside what PostgreSQL has of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from proxy.demo.application import USERS, Application, Row
from proxy.demo.screen import Screen

# One table each, and the column that is worth looking at.
OTHERS: dict[str, str] = {
    "sessions": "token",
    "api_keys": "api_key",
    "agents": "system_prompt",
    "conversations": "user_query",
    "workflows": "definition",
    "knowledge": "content",
    "metrics": "amount",
}
# What no file of the server may hold at the end.
SECRETS = [user["email"] for user in USERS] + [
    USERS[0]["full_name"],
    "migraine",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "dr.sato@example.org",
    "night entrance",
]


class DemoError(Exception):
    """Something that the demonstration promises did not hold; the message says what."""


@dataclass(frozen=True)
class Places:
    """Where to look: the database through pgveil and past it, the server's files, the protected columns."""

    through_pgveil: str
    directly: str
    server_data: Path
    server_log: Path
    protected: Mapping[str, frozenset[str]]  # table -> columns


class Show:
    """The scenes, one method each; raises DemoError if something does not end as the text beside it says."""

    def __init__(self, places: Places, screen: Screen) -> None:
        self._places = places
        self._screen = screen
        self._announced = ""

    def run(self) -> None:
        with Application(self._places.through_pgveil, self._announce) as application:
            self._sign_up(application)
            self._find(application)
            self._change(application)
            self._everything_else(application)
            self._join(application)
            self._refusal(application)
        self._search_files()

    def _announce(self, statement: str) -> None:
        """Show a statement, but not again and again if it is repeated."""
        if statement != self._announced:
            self._screen.statement(statement)
        self._announced = statement

    def _sign_up(self, application: Application) -> None:
        self._screen.heading("1. The application signs up users, with plain SQL")
        for user in USERS:
            row = application.sign_up(user)
            self._expect(user.items() <= row.items(), "the application did not read what it wrote")
        self._screen.line()
        self._both_views("users", row)

    def _find(self, application: Application) -> None:
        self._screen.heading("2. It finds one of them by email: equality works on a deterministic field")
        log_so_far = self._places.server_log.stat().st_size
        user = application.find_user(USERS[1]["email"])
        self._expect(user["full_name"] == USERS[1]["full_name"], "another user was found")
        self._screen.fact("the application gets", _shown(user))
        self._screen.fact("PostgreSQL's log has", self._parameters_logged(log_so_far))

    def _change(self, application: Application) -> None:
        self._screen.heading("3. It updates a row")
        changed = application.change_phone(USERS[0]["email"], "+1 202 555 0143")
        self._expect(changed["phone"] == "+1 202 555 0143", "the update was lost")
        self._screen.fact("the application gets", _shown(changed))

    def _everything_else(self, application: Application) -> None:
        self._screen.heading("4. Sessions, keys, prompts, questions, JSON and numbers go the same way")
        application.log_in(user_id=2)
        agent = application.make_agent()
        application.converse(user_id=2, agent_id=agent)
        with Application(self._places.through_pgveil) as reader:
            rows = [(table, column, reader.newest_of(table)) for table, column in OTHERS.items()]
        self._screen.line()
        self._compare(
            (f"{table}.{column}", row[column], self._stored(table, row["id"])[column])
            for table, column, row in rows
        )

    def _join(self, application: Application) -> None:
        self._screen.heading("5. Joins, aliases and the rest of SQL stay as they are")
        row = application.conversations_of(USERS[1]["email"])
        self._expect(row["full_name"] == USERS[1]["full_name"], "the join found another user")
        self._screen.fact("the application gets", _shown(row))

    def _refusal(self, application: Application) -> None:
        self._screen.heading("6. What ciphertext cannot answer is refused before anything is sent")
        try:
            application.search_users("%@example.org")
        except psycopg.errors.FeatureNotSupported as refusal:
            told = refusal.diag
            for name, text in (
                (told.severity or "ERROR", f"{told.sqlstate} {told.message_primary}"),
                ("DETAIL", told.message_detail),
                ("HINT", told.message_hint),
            ):
                if text:
                    self._screen.error(f"{name}: {text}")
        else:
            raise DemoError("a pattern search on an encrypted column was not refused")

    def _search_files(self) -> None:
        self._screen.heading("7. Nothing of it is in the server's files: tables, WAL, indexes, log")
        self._as_administrator("CHECKPOINT")
        files = [path for path in self._places.server_data.rglob("*") if path.is_file()]
        files.append(self._places.server_log)
        size, needles = 0, [secret.encode() for secret in SECRETS]
        for path in files:
            data = path.read_bytes()
            size += len(data)
            self._expect(not any(needle in data for needle in needles), f"{path} holds a plaintext")
        searched = f"{len(files)} files, {size >> 20} MB"
        self._screen.line(f"  searched {searched}, for {len(needles)} of the values above: none found")

    def _both_views(self, table: str, row: Row) -> None:
        """One row, column by column: what the application reads of it, and what the table holds."""
        stored = self._stored(table, row["id"])
        self._compare((f"{table}.{column}", value, stored[column]) for column, value in row.items())

    def _compare(self, cells: Iterable[tuple[str, Any, Any]]) -> None:
        rows = []
        for name, seen, stored in cells:
            table, _, column = name.partition(".")
            protected = column in self._places.protected.get(table, ())
            rows.append((name, "yes" if protected else "", _cell(seen), _cell(stored)))
            if protected and seen is not None:
                self._expect(_cell(seen) != _cell(stored), f"{name} is not encrypted")
        head = ("column", "protected", "what the application reads", "what PostgreSQL has")
        self._screen.table(head, rows, green=2)

    def _stored(self, table: str, identity: int) -> Row:
        """A row as the server has it: read past pgveil."""
        query = sql.SQL("SELECT * FROM {} WHERE id = %s").format(sql.Identifier(table))
        rows = self._as_administrator(query, [identity])
        self._expect(len(rows) == 1, f"the table {table} does not hold what the application wrote")
        return rows[0]

    def _as_administrator(self, query: LiteralString | sql.Composed, parameters: Any = None) -> list[Row]:
        """The rows that somebody gets who asks PostgreSQL itself."""
        with psycopg.connect(self._places.directly, autocommit=True, row_factory=dict_row) as administrator:
            cursor = administrator.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def _parameters_logged(self, start: int) -> str:
        """The parameters in the part of the server's log from byte `start` on."""
        with self._places.server_log.open("rb") as log:
            log.seek(start)
            text = log.read().decode(errors="replace")
        found = re.search(r"DETAIL:\s+[Pp]arameters: (.*)", text)
        if found is None:
            raise DemoError("the server logged no parameter")
        return found[1]

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise DemoError(otherwise)


def _cell(value: Any) -> str:
    """A value for a table's cell."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _shown(row: Row) -> str:
    return " · ".join(_cell(value) for value in row.values())
