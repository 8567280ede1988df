"""A database behind pgveil and its twin, which holds the same rows with no encryption."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg import pq
from psycopg.pq.abc import PGconn

from crypto.envelope import MAGIC
from tests.integration.schema import POLICY, SCHEMA, TWIN_SCHEMA
from tests.integration.ways import Answer, simple
from tests.postgres import _LOG_ENTRY, DIRECT, Database, Postgres
from tests.proxy_process import Veil, Veils, canaries_in

SEED = """
INSERT INTO users (email, ssn, age, born, balance, doc, photo, nick, note) VALUES
  ('kanarie-1', 'kanarie ssn', 1733173317, '1973-03-31', 12.50, '{"kanarie": [1, null]}',
   '\\x6b616e61726965', 'kanarie', 'a'),
  ('kanarie-2', 'kanarie ssn', 17, '2001-01-01', -0.01, '"kanarie"', '\\x', 'kanarie two', 'b'),
  ('kanarie-3', '', 17, NULL, 12.50, '{}', NULL, NULL, 'a'),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'kanarie', NULL);
INSERT INTO orders (user_id, buyer, total, note) VALUES
  (1, 'kanarie-1', 10, 'x'), (1, 'kanarie-1', 20, 'y'),
  (2, 'kanarie-2', 30, 'x'), (NULL, 'kanarie-9', 40, NULL);
INSERT INTO plain (name, value, at) VALUES ('one', 1, '2020-02-02'), ('two', 2, '2020-02-02'),
  ('six', NULL, NULL);
"""
OTHERS = """
CREATE SCHEMA other;
CREATE TABLE other.users (id bigserial PRIMARY KEY, email text UNIQUE, note text);
CREATE TABLE public."Mixed Case" (id int, "e mail" text);
CREATE FUNCTION public.twice(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1 || $1 $$;
"""
_KEEP = """
CREATE SCHEMA kept;
CREATE TABLE kept.k_users AS TABLE public.users;
CREATE TABLE kept.k_orders AS TABLE public.orders;
CREATE TABLE kept.k_plain AS TABLE public.plain;
"""
_RESTORE = """
TRUNCATE public.users, public.orders, public.plain, other.users, public."Mixed Case" RESTART IDENTITY;
INSERT INTO public.users SELECT * FROM kept.k_users;
INSERT INTO public.orders SELECT * FROM kept.k_orders;
INSERT INTO public.plain SELECT * FROM kept.k_plain;
SELECT setval('public.users_id_seq', 4), setval('public.orders_id_seq', 4), setval('public.plain_id_seq', 3);
"""
# Every value of a protected column that is no envelope.
_NOT_SEALED = """
SELECT 'email', email FROM public.users WHERE email NOT LIKE 'pgv1:%'
UNION ALL SELECT 'ssn', ssn FROM public.users WHERE ssn NOT LIKE 'pgv1:%'
UNION ALL SELECT 'nick', nick FROM public.users WHERE nick NOT LIKE 'pgv1:%'
UNION ALL SELECT 'doc', doc::text FROM public.users WHERE doc::text NOT LIKE '"pgv1:%'
UNION ALL SELECT 'buyer', buyer FROM public.orders WHERE buyer NOT LIKE 'pgv1:%'
UNION ALL SELECT 'bytea', encode(b, 'hex') FROM public.users, unnest(ARRAY[age, born, balance, photo]) b
  WHERE substring(b FROM 1 FOR {length}) <> '{magic}'
"""


class Pair:
    """Both databases, one libpq connection to each, and the search for leaks after each statement."""

    def __init__(self, veil: Veil, plain: Database) -> None:
        self.veil = veil
        self.plain = plain
        self._log = veil.database.postgres._server.log
        self._seen = self._log.stat().st_size
        self._not_sealed = _NOT_SEALED.format(length=len(MAGIC), magic="\\x" + MAGIC.hex())
        self._connections: list[PGconn] = []
        self.admin = [veil.database.connect(), plain.connect()]

    def connections(self) -> list[PGconn]:
        """The clients' connections: through pgveil, and to the twin; made when they are needed."""
        if not self._connections:
            for dsn in (self.veil.dsn(), self.plain.dsn + f"?application_name={DIRECT}"):
                connection = pq.PGconn.connect(dsn.encode())
                assert connection.status == pq.ConnStatus.OK, connection.error_message
                self._connections.append(connection)
        return self._connections

    def disconnect(self) -> None:
        """Let the next statement have new sessions."""
        for connection in self._connections:
            connection.finish()
        self._connections = []

    def restore(self) -> None:
        """Give both databases their rows again."""
        for admin in self.admin:
            admin.execute(_RESTORE)

    def directly(self, sql: str) -> None:
        """Run SQL past pgveil in both databases."""
        for admin in self.admin:
            admin.execute(sql)

    def both(self, sql: str) -> tuple[list[Answer], list[Answer]]:
        """The answers of both to a simple query."""
        veiled, plain = self.connections()
        return simple(veiled, sql), simple(plain, sql)

    def assert_no_leak(self) -> None:
        """No canary in what the server has logged since the last look; nothing stored that is no envelope."""
        with self._log.open("rb") as log:
            log.seek(self._seen)
            text = log.read().decode(errors="replace")
        self._seen += len(text.encode(errors="replace"))
        entries = list(_LOG_ENTRY.finditer(text))
        ends = [entry.start() for entry in entries[1:]] + [len(text)]
        for entry, end in zip(entries, ends[: len(entries)], strict=True):  # there may be no entry
            if entry[1] == self.veil.database.name and entry[2] != DIRECT:
                line = text[entry.start() : end]
                assert not canaries_in(line), f"LEAK: the server's log holds {line}"
        stored = self.admin[0].execute(self._not_sealed).fetchall()
        assert not stored, f"LEAK: stored as they came: {stored}"

    def close(self) -> None:
        self.disconnect()
        for admin in self.admin:
            admin.close()


@contextmanager
def make_pair(postgres: Postgres, directory: Path) -> Iterator[Pair]:
    """A pair with SEED's rows in it, inserted by an application through pgveil."""
    with postgres.database() as database, postgres.database() as plain:
        database.execute(SCHEMA + OTHERS)
        plain.execute(TWIN_SCHEMA + OTHERS)
        # Leaks are looked for after each statement, so that the one that leaked is named.
        pair = Pair(Veils(directory)(database, POLICY, leaks=True), plain)
        try:
            for answer, expected in zip(*pair.both(SEED), strict=True):
                assert answer == expected, answer.message
            pair.directly(_KEEP)
            pair.assert_no_leak()
            yield pair
            assert not canaries_in(pair.veil.log_text()), "pgveil's log holds a value"
        finally:
            pair.close()
