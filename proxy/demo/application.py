"""An ordinary application: psycopg, SQL, and nothing that knows of pgveil or of encryption."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from types import TracebackType
from typing import Any, LiteralString, Self

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

Row = dict[str, Any]

USERS: list[Row] = [
    {
        "email": "grace.hopper@example.com",
        "password_hash": "$scrypt$ln=17,r=8,p=1$c2VhIHNhbHQ$Tq81LrWz",
        "full_name": "Grace Hopper",
        "phone": None,
        "birth_date": date(1906, 12, 9),
    },
    {
        "email": "zoë.müller@example.de",
        "password_hash": "$scrypt$ln=17,r=8,p=1$cGVwcGVy$9aKq2mXe",
        "full_name": "Zoë Müller",
        "phone": "+49 30 901820",
        "birth_date": date(1984, 2, 29),
    },
    {
        "email": "ada.lovelace@example.org",
        "password_hash": "$scrypt$ln=17,r=8,p=1$c2FsdHNhbHQ$Vd7FzQ0y",
        "full_name": "Ada Lovelace",
        "phone": "+44 20 7946 0018",
        "birth_date": date(1815, 12, 10),
    },
]


class Application:
    """What the service does with its database; `log` is told each statement."""

    def __init__(self, url: str, log: Callable[[str], None] = lambda _: None) -> None:
        self._connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)
        self._log = log

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def sign_up(self, user: Row) -> Row:
        """Add a user, and give back the row."""
        return self._one(
            "INSERT INTO users (email, password_hash, full_name, phone, birth_date)"
            " VALUES (%(email)s, %(password_hash)s, %(full_name)s, %(phone)s, %(birth_date)s) RETURNING *",
            user,
        )

    def find_user(self, email: str) -> Row:
        """The user with an email address."""
        return self._one("SELECT id, full_name, phone, birth_date FROM users WHERE email = %s", [email])

    def change_phone(self, email: str, phone: str) -> Row:
        """Give a user another telephone number."""
        return self._one(
            "UPDATE users SET phone = %s WHERE email = %s RETURNING full_name, phone", [phone, email]
        )

    def log_in(self, user_id: int) -> None:
        """Open a session for a user, with a key for our API."""
        self._run(
            "INSERT INTO sessions (user_id, token, ip_address, user_agent, expires_at)"
            " VALUES (%s, %s, %s, %s, now() + interval '1 day')",
            [user_id, "sess_9fK2vLq7TzYb31", "192.0.2.44", "Mozilla/5.0 (X11; Linux x86_64)"],
        )
        self._run(
            "INSERT INTO api_keys (user_id, label, api_key) VALUES (%s, %s, %s)",
            [user_id, "laptop", "sk_live_4eC39HqLyjWDarjtT1zdp7dc"],
        )

    def make_agent(self) -> int:
        """An assistant with what it knows and does; its id."""
        agent: int = self._one(
            "INSERT INTO agents (name, model, system_prompt) VALUES (%s, %s, %s) RETURNING id",
            ["concierge", "large-1", "You book appointments at our clinic. Never name another patient."],
        )["id"]
        steps = {
            "steps": [{"do": "look up", "in": "calendar"}, {"do": "write to", "whom": "dr.sato@example.org"}]
        }
        self._run(
            "INSERT INTO workflows (agent_id, name, definition) VALUES (%s, %s, %s)",
            [agent, "appointment", Jsonb(steps)],
        )
        self._run(
            "INSERT INTO knowledge (agent_id, title, content) VALUES (%s, %s, %s)",
            [agent, "Opening hours", "The door code of the night entrance is 4711."],
        )
        return agent

    def converse(self, user_id: int, agent_id: int) -> None:
        """A question, its answer, and what it cost."""
        self._run(
            "INSERT INTO conversations (user_id, agent_id, user_query, agent_response)"
            " VALUES (%s, %s, %s, %s)",
            [user_id, agent_id, "My migraine is back, can I see Dr Sato?", "Yes: Tuesday at 9:40 is yours."],
        )
        self._run(
            "INSERT INTO metrics (user_id, name, amount) VALUES (%s, %s, %s)",
            [user_id, "cost", Decimal("12.50")],
        )

    def conversations_of(self, email: str) -> Row:
        """Who asked what, and what was answered: a join of three tables."""
        return self._one(
            "SELECT u.full_name, a.name AS agent, c.user_query, c.agent_response FROM conversations c"
            " JOIN users u ON u.id = c.user_id JOIN agents a ON a.id = c.agent_id WHERE u.email = %s",
            [email],
        )

    def newest_of(self, table: str) -> Row:
        """The last row of a table."""
        return self._one(sql.SQL("SELECT * FROM {} ORDER BY id DESC LIMIT 1").format(sql.Identifier(table)))

    def search_users(self, pattern: str) -> Row:
        """A search that encrypted addresses cannot answer."""
        return self._one("SELECT id, full_name FROM users WHERE email LIKE %s", [pattern])

    def _run(self, query: LiteralString | sql.Composed, parameters: Any = None) -> psycopg.Cursor[DictRow]:
        self._log(query.as_string() if isinstance(query, sql.Composed) else query)
        return self._connection.execute(query, parameters)

    def _one(self, query: LiteralString | sql.Composed, parameters: Any = None) -> Row:
        row = self._run(query, parameters).fetchone()
        if row is None:
            raise LookupError("no such row")
        return row
