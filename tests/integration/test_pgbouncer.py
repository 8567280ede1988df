"""PgBouncer behind pgveil and before it, in session and in transaction mode: no leak, and no wrong answer.

What transaction mode does not carry over (settings, and, before PgBouncer 1.21, prepared statements) fails as
it does without pgveil. docs/operations.md says what follows for search_path.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import product

import psycopg
import pytest

from tests.integration.bouncer import HOST, POOL, keeps_prepared_statements, pgbouncer
from tests.integration.schema import POLICY, SCHEMA
from tests.postgres import Postgres, newest_only, url
from tests.proxy_process import Veil, Veils

pytestmark = newest_only()

CLIENTS = 2 * POOL + 1


@dataclass(frozen=True)
class Bounced:
    """pgveil and PgBouncer in one of their arrangements; clients connect to `dsn`."""

    place: str
    mode: str
    veil: Veil
    dsn: str

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """A client that prepares statements where the pooler can follow them."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            prepares = self.mode == "session" or keeps_prepared_statements()
            connection.prepare_threshold = 0 if prepares else None
            yield connection


@pytest.fixture(
    scope="module", params=product(("behind", "before"), ("session", "transaction")), ids="-".join
)
def arrangement(
    request: pytest.FixtureRequest, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bounced]:
    """One arrangement, for all tests of the module."""
    place, mode = request.param
    veils = Veils(tmp_path_factory.mktemp("bounced"))
    size = CLIENTS if mode == "session" else POOL
    with postgres.database() as database:
        database.execute(SCHEMA)
        if place == "behind":
            with pgbouncer(postgres.port, mode, size=size) as port:
                veil = veils(database, POLICY, upstream=f"postgresql://{HOST}:{port}")
                yield Bounced(place, mode, veil, veil.dsn())
                veil.kill()
        else:
            veil = veils(database, POLICY)
            with pgbouncer(veil.port, mode, size=size) as port:
                yield Bounced(place, mode, veil, url(HOST, port, database.name, "postgres"))


@pytest.fixture
def bounced(arrangement: Bounced) -> Iterator[Bounced]:
    """The arrangement before empty tables; afterwards a look for leaks and for crashes."""
    arrangement.veil.database.execute("TRUNCATE users, orders, plain RESTART IDENTITY")
    yield arrangement
    arrangement.veil.assert_no_leak()
    assert "pgveil_crashed_sessions_total 0" in arrangement.veil.admin("/metrics")[1]


def _client(bounced: Bounced, name: str) -> list[object]:
    """One client of many: transactions, single statements, a pipeline, COPY, an error. What it read."""
    seen: list[object] = []
    with bounced.connect() as connection:
        for n in range(5):
            email = f"kanarie-{name}-{n}"
            with connection.transaction():
                connection.execute(
                    "INSERT INTO users (email, age, born) VALUES (%s, %s, %s)", (email, n, "1973-03-31")
                )
                found = connection.execute("SELECT email, age, born FROM users WHERE email = %s", (email,))
                seen += found.fetchall()
            seen += connection.execute(
                "UPDATE users SET ssn = %s WHERE email = %s RETURNING ssn", ("kanarie", email)
            ).fetchall()
            with pytest.raises(psycopg.errors.FeatureNotSupported):
                connection.execute("SELECT id FROM users WHERE ssn = %s", ("kanarie",))
            with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
                connection.execute("INSERT INTO users (email) VALUES (%s)", (email,))
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO orders (buyer, total) VALUES (%s, %s)",
                [(f"kanarie-{name}", n) for n in range(9)],
            )
            with cursor.copy("COPY orders (buyer, note) FROM STDIN") as copy:
                copy.write_row((f"kanarie-{name}", "copied"))
        seen += connection.execute(
            "SELECT buyer, count(*) FROM orders WHERE buyer = %s GROUP BY buyer", (f"kanarie-{name}",)
        ).fetchall()
    return seen


def test_many_clients_at_a_time(bounced: Bounced) -> None:
    """Each reads what it wrote itself, whichever connection it is given."""
    names = [f"client{n}" for n in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as threads:
        for name, seen in zip(names, threads.map(lambda name: _client(bounced, name), names), strict=True):
            expected: list[object] = []
            for n in range(5):
                expected += [(f"kanarie-{name}-{n}", n, date(1973, 3, 31)), ("kanarie",)]
            assert seen == [*expected, (f"kanarie-{name}", 10)]


def test_a_cursor_in_a_transaction(bounced: Bounced) -> None:
    with bounced.connect() as connection:
        connection.execute(
            "INSERT INTO users (email) SELECT * FROM (VALUES ('kanarie-1'), ('kanarie-2')) AS v (e)"
        )
        with connection.transaction(), connection.cursor("portions") as cursor:
            cursor.itersize = 1
            cursor.execute("SELECT email FROM users ORDER BY id")
            assert [row[0] for row in cursor] == ["kanarie-1", "kanarie-2"]


def test_a_table_is_made_and_used(bounced: Bounced) -> None:
    """DDL through one connection of the pool is known to the next statement, whatever connection that has."""
    with bounced.connect() as connection, bounced.connect() as other:
        connection.execute("CREATE TABLE made (id int, mail text)")
        other.execute("INSERT INTO made VALUES (1, %s)", ("plain",))
        connection.execute("ALTER TABLE users ADD COLUMN shoe int")
        other.execute("INSERT INTO users (email, shoe) VALUES (%s, 46)", ("kanarie-1",))
        found = connection.execute("SELECT u.email, u.shoe, m.mail FROM users u JOIN made m ON u.id = m.id")
        assert found.fetchall() == [("kanarie-1", 46, "plain")]
        other.execute("DROP TABLE made")
        other.execute("ALTER TABLE users DROP COLUMN shoe")


def test_cancelling(bounced: Bounced) -> None:
    with bounced.connect() as connection, ThreadPoolExecutor(1) as threads:
        connection.execute("INSERT INTO users (email) VALUES ('kanarie-1')")
        waiting = threads.submit(
            connection.execute, "SELECT pg_sleep(60) FROM users WHERE email = 'kanarie-1'"
        )
        database = bounced.veil.database
        while not database.execute(
            "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"
        ):
            pass
        connection.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            waiting.result()


def test_prepared_statements(bounced: Bounced) -> None:
    """One that the pooler has not carried along is missing, as without pgveil; never is another one used."""
    follows = bounced.mode == "session" or keeps_prepared_statements()
    with bounced.connect() as connection, bounced.connect() as other:
        connection.execute("INSERT INTO users (email, nick) VALUES ('kanarie-1', 'kanarie')")
        answers = set()
        for n in range(2 * POOL):
            with other.transaction():  # keeps a connection of the pool to itself, in turn another one
                other.execute("SELECT %s::int", (n,), prepare=False)
                try:
                    found = connection.execute(
                        "SELECT nick FROM users WHERE email = %s", ("kanarie-1",), prepare=True
                    )
                    answers.update(found.fetchall())
                except (psycopg.errors.InvalidSqlStatementName, psycopg.errors.DuplicatePreparedStatement):
                    assert not follows
        assert answers <= {("kanarie",)}
        assert answers or not follows
        found = connection.execute("SELECT nick FROM users WHERE email = %s", ("kanarie-1",), prepare=False)
        assert found.fetchall() == [("kanarie",)]


def test_names_with_their_schema_need_no_search_path(bounced: Bounced) -> None:
    """In transaction mode a SET is for a connection of the pool, not for the client."""
    with bounced.connect() as connection, bounced.connect() as other:
        connection.execute("SET search_path = pg_catalog")
        for client in (connection, other):
            client.execute("INSERT INTO public.orders (buyer) VALUES (%s)", ("kanarie",))
            assert client.execute("SELECT buyer FROM public.orders LIMIT 1").fetchall() == [("kanarie",)]
        for _ in range(2 * POOL):
            connection.execute("RESET search_path")
