"""The README is true: its walk works as it is written, its table of SQL holds, and so do its claims."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from proxy.embedded import free_port
from tests.documents import README, blocks, code, rows, section
from tests.postgres import Database, Postgres
from tests.proxy_process import CANARY, Veil, Veils

TEXT = README.read_text()
WALK = section(TEXT, "Five minutes: from your own database to a protected column")


class Shell:
    """A shell whose directory and variables outlive each script, as a person's does.

    `addresses` replaces the document's addresses by those of the test.
    """

    def __init__(self, directory: Path, addresses: dict[str, str], programs: list[Path]) -> None:
        self.directory = directory
        self._state = directory / "state"
        self._addresses = addresses
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
        self._environment |= {"PATH": path, "PGCONNECT_TIMEOUT": "10"}
        self._background: list[subprocess.Popen[bytes]] = []

    def translate(self, text: str) -> str:
        for written, real in self._addresses.items():
            text = text.replace(written, real)
        return text

    def run(self, script: str) -> str:
        """What the script prints, on both channels."""
        keep = f'printf "%s\\0" "$PWD" > {self._state}; env -0 >> {self._state}'
        done = subprocess.run(
            ["bash", "-c", f"{self.translate(script)}\n{keep}"],
            cwd=self.directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        where, *variables = self._state.read_text().split("\0")[:-1]
        self.directory = Path(where)
        self._environment = dict(variable.split("=", 1) for variable in variables)
        return done.stdout

    def serve(self, command: str) -> Path:
        """Start a command in the background; its log."""
        log = self.directory / "serve.log"
        with log.open("wb") as output:
            self._background.append(
                subprocess.Popen(
                    command.split(), cwd=self.directory, env=self._environment, stdout=output, stderr=output
                )
            )
        return log

    def close(self) -> None:
        for process in self._background:
            process.terminate()
            process.wait(30)


@pytest.fixture
def shell(tmp_path: Path, database18: Database) -> Iterator[Shell]:
    postgres = database18.postgres
    proxy, admin = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    addresses = {
        "127.0.0.1:5432/app": f"{postgres.host}:{postgres.port}/{database18.name}",
        "127.0.0.1:5432": f"{postgres.host}:{postgres.port}",
        "127.0.0.1:6432/app": f"{proxy}/{database18.name}",
        "127.0.0.1:6432": proxy,
        "127.0.0.1:9632": admin,
        "database app": f"database {database18.name}",
    }
    shell = Shell(tmp_path, addresses, [Path(sys.executable).parent, postgres.psql.parent])
    try:
        yield shell
    finally:
        shell.close()
        database18.execute("DROP OWNED BY pgveil; DROP ROLE pgveil")


def as_shown(expected: str, printed: str) -> bool:
    """Whether a document's example is what was printed, `…` standing for anything within a line."""
    pattern = "[^\n]*".join(re.escape(part) for part in expected.strip().split("…"))
    return re.search(pattern, printed) is not None


def test_the_walk_works_as_it_is_written(shell: Shell) -> None:
    """Every command in its order, each block of output compared with what is really printed."""
    installed = WALK.index("### 2.")
    printed = ""
    compared = 0
    for block in blocks(WALK[installed:]):
        if block.language == "sh" and block.text.startswith("pgveil serve"):
            log = shell.serve(block.text.removesuffix("&\n"))
            _wait_until(lambda log=log: '"ready"' in log.read_text())
            assert "table public.customers does not exist" in log.read_text()
        elif block.language == "sh":
            printed = shell.run(block.text)
        elif block.language == "text":
            expected = shell.translate(block.text)
            assert as_shown(expected, printed), f"expected:\n{expected}\nprinted:\n{printed}"
            compared += 1
    assert compared == 6


def _wait_until(condition) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


# --- the table of SQL ------------------------------------------------------------------------------------

STATEMENTS = [
    pytest.param(code(row[0])[0], mode, row[column] == "yes", id=f"{mode}-{number}")
    for number, row in enumerate(rows(section(TEXT, "What SQL works")), 1)
    for column, mode in ((1, "randomized"), (2, "deterministic"))
]


@pytest.fixture(scope="module")
def tables(postgres18: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Veil]]:
    """pgveil before a database, once for each mode: there are many statements."""
    with postgres18.database() as database:
        veils = Veils(tmp_path_factory.mktemp("veils"))
        yield {mode: _table(database, veils, mode) for mode in ("randomized", "deterministic")}


def _table(database: Database, veils: Veils, mode: str) -> Veil:
    database.execute(
        f"CREATE SCHEMA {mode}; CREATE TABLE {mode}.t (id serial PRIMARY KEY, c text, city text)"
    )
    veil = veils(
        database,
        f"version: 1\nclasses: {{it: {{mode: {mode}}}}}\ntables: {{{mode}.t: {{c: it}}}}\n",
        keys={
            "local": {"file": f"keys-{mode}/master.key"},
            "keystore": {"file": f"keys-{mode}/keystore.json"},
        },
    )
    veil.execute(f"INSERT INTO {mode}.t (c, city) VALUES ('{CANARY}', 'Rome')")
    return veil


@pytest.mark.parametrize(("statement", "mode", "works"), STATEMENTS)
def test_the_table_of_sql_holds(tables: dict[str, Veil], statement: str, mode: str, works: bool) -> None:
    with psycopg.connect(tables[mode].dsn(), options=f"-csearch_path={mode}") as connection:
        if works:
            _execute(connection, statement)
        else:
            with pytest.raises(psycopg.errors.FeatureNotSupported):
                _execute(connection, statement)
        connection.rollback()


def _execute(connection: psycopg.Connection[tuple[object, ...]], statement: str) -> None:
    if "STDIN" in statement:
        with connection.cursor().copy(statement) as copy:
            copy.write_row((7, CANARY))
    elif "STDOUT" in statement:
        with connection.cursor().copy(statement) as copy:
            assert CANARY in "".join(str(row) for row in copy.rows())
    else:
        connection.execute(statement)


def test_the_table_tells_the_modes_apart() -> None:
    answers = {(row[1], row[2]) for row in rows(section(TEXT, "What SQL works"))}
    assert answers == {("yes", "yes"), ("no", "yes"), ("no", "no")}


# --- claims ----------------------------------------------------------------------------------------------

POLICY = """
version: 1
classes:
  lookup: {mode: deterministic}
  secret: {mode: randomized}
tables:
  people:
    email: lookup
    name: secret
    address: secret
"""
TABLE = "CREATE TABLE people (id int PRIMARY KEY, email text UNIQUE, name text, address text)"


@pytest.fixture
def people(veil: Veils, database18: Database) -> Veil:
    database18.execute(TABLE)
    proxy = veil(database18, POLICY)
    proxy.execute(
        "INSERT INTO people VALUES (1, 'kanarie@a', 'kanarie A', 'A'), (2, 'kanarie@b', 'kanarie B', 'B')"
    )
    return proxy


def sqlstate(veil: Veil, sql: str) -> str | None:
    """The SQLSTATE of a statement through pgveil; None if it works."""
    try:
        veil.execute(sql)
    except psycopg.Error as error:
        return error.sqlstate
    return None


def test_a_ciphertext_that_is_moved_to_another_field_does_not_open(people: Veil) -> None:
    people.database.execute("UPDATE people SET address = name WHERE id = 1")
    assert sqlstate(people, "SELECT address FROM people WHERE id = 1") == "XX001"
    assert people.execute("SELECT address FROM people WHERE id = 2") == [("B",)]


def test_a_ciphertext_that_is_moved_to_another_row_of_its_field_opens_there(people: Veil) -> None:
    """Which the threat model says, and which record keys will change."""
    people.database.execute("UPDATE people SET name = (SELECT name FROM people WHERE id = 2)")
    assert people.execute("SELECT name FROM people WHERE id = 1") == [("kanarie B",)]


def test_a_value_that_was_never_encrypted_is_an_error(people: Veil) -> None:
    people.database.execute("UPDATE people SET name = 'plain' WHERE id = 1")
    assert sqlstate(people, "SELECT name FROM people WHERE id = 1") == "XX001"


def test_what_the_server_sees_of_equal_values(people: Veil) -> None:
    """The leakage of each mode: equality of deterministic values, lengths of all, NULLs."""
    people.execute("INSERT INTO people VALUES (3, NULL, 'kanarie A', ''), (4, 'kanarie@aa', 'kanarie', NULL)")
    stored = people.database.execute("SELECT email, name, address FROM people ORDER BY id")
    (email1, name1, _), (email2, _, _), (email3, name3, address3), (email4, name4, address4) = stored
    assert len(email1) == len(email2)
    assert len(email1) < len(email4)
    assert email3 is None
    assert address4 is None
    assert name1 != name3
    assert len(name1) == len(name3) > len(name4)
    assert address3 is not None


def test_a_view_under_a_protected_name_is_refused(people: Veil) -> None:
    """What an administrator who acts cannot do: the statement says so instead of storing a value in clear."""
    people.database.execute(
        "ALTER TABLE people RENAME TO people_really; CREATE VIEW people AS TABLE people_really"
    )
    people.execute("CREATE SCHEMA anything")  # DDL through pgveil: the catalogue is read again
    _wait_until(lambda: sqlstate(people, "SELECT email FROM people") == "0A000")
    assert sqlstate(people, "INSERT INTO people (id, email) VALUES (3, 'kanarie@c')") == "0A000"


def test_a_pinned_search_path_goes_before_that_of_the_role(people: Veil) -> None:
    """Against an administrator who puts another table of the same name before the protected one."""
    people.database.execute("CREATE SCHEMA shadow; CREATE TABLE shadow.people (LIKE public.people)")
    role = f'ALTER ROLE postgres IN DATABASE "{people.database.name}"'
    people.database.execute(f"{role} SET search_path = shadow, public")
    people.execute("CREATE SCHEMA anything")  # DDL through pgveil: the catalogue is read again
    _wait_until(lambda: people.execute("SELECT email FROM people") == [])
    people.execute("INSERT INTO people (id, email) VALUES (3, 'kanarie@c')", options="-csearch_path=public")
    assert people.database.execute("SELECT count(*) FROM shadow.people") == [(0,)]
    [(email,)] = people.database.execute("SELECT email FROM public.people WHERE id = 3")
    assert email.startswith("pgv1:")


def test_functions_on_the_server_see_ciphertext(people: Veil) -> None:
    people.database.execute(
        "CREATE FUNCTION first_name() RETURNS text LANGUAGE sql AS 'SELECT name FROM people WHERE id = 1'"
    )
    [(value,)] = people.execute("SELECT first_name()")
    assert value.startswith("pgv1:")


def test_the_catalogue_shows_the_types_of_the_policy(veil: Veils, database18: Database) -> None:
    policy = (
        "version: 1\nclasses: {pii: {mode: randomized}}\ntables: {people: {born: {class: pii, type: date}}}\n"
    )
    proxy = veil(database18, policy)
    proxy.execute("CREATE TABLE people (born date)")
    question = "SELECT data_type FROM information_schema.columns WHERE table_name = 'people'"
    assert proxy.execute(question) == [("date",)]
    assert database18.execute(question) == [("bytea",)]
    with proxy.connect() as connection:
        description = connection.execute("SELECT born FROM people").description
        assert description is not None
        assert description[0].type_display == "date"


def test_pgcrypto_shows_the_server_the_value_and_the_key(postgres15_tls: Postgres) -> None:
    """The comparison's claim about pgcrypto, as its own manual says: it works inside the server."""
    with (
        postgres15_tls.database() as database,
        database.connect(application_name="application") as connection,
    ):
        connection.execute("CREATE EXTENSION pgcrypto")
        connection.execute("CREATE TABLE people (email bytea)")
        connection.execute(
            "INSERT INTO people VALUES (pgp_sym_encrypt(%s, %s))", ["kanarie@example.org", "the key"]
        )
        log = database.log_text(direct=False)
        assert "kanarie@example.org" in log
        assert "the key" in log
