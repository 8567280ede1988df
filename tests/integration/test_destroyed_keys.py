"""A field's key is destroyed while two pgveils run: what it has sealed is gone for both; nothing else is."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from typing import Any

import psycopg
import pytest

from tests.postgres import Database
from tests.proxy_process import CANARY, Veil, Veils

POLICY = """
version: 1
classes:
  random: {mode: randomized}
  equal: {mode: deterministic}
  erasable: {mode: randomized, destroyed: null}
tables:
  people:
    email: equal
    note: erasable
    born: {class: random, type: date, destroyed: null}
    doc: erasable
    plan: random
"""
TABLE = "CREATE TABLE people (id int, email text, note text, born date, doc jsonb, plan varchar(40))"
ROW = (CANARY, f"{CANARY} note", date(1973, 3, 31), f'"{CANARY}"', f"{CANARY} plan")
LATEST = 10.0  # seconds; a change is heard of within one


@pytest.fixture
def fleet(database: Database, veil: Veils) -> tuple[Veil, Veil]:
    """Two pgveils before one database, with their keystore in it, and two rows."""
    keystore = {"url": database.dsn}
    first = veil(database, POLICY, keys={"local": {"file": "keys/master.key"}, "keystore": keystore})
    master_key = str(first.directory / "keys" / "master.key")
    second = veil(database, POLICY, keys={"local": {"file": master_key}, "keystore": keystore})
    first.execute(TABLE)
    for number in (1, 2):
        first.execute(
            f"INSERT INTO people VALUES ({number}, %s, %s, %s, %s::jsonb, %s)", ROW, prepare_threshold=None
        )
    return first, second


def destroy(proxy: Veil, *arguments: str) -> tuple[int, str]:
    done = proxy.command("keys", "destroy", *arguments)
    return done.returncode, done.stdout + done.stderr


def soon(found: Callable[[], bool]) -> bool:
    """Whether it comes about."""
    deadline = time.monotonic() + LATEST
    while not found():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def copied(proxy: Veil, what: str, options: str = "") -> bytes:
    with proxy.connect() as connection, connection.cursor().copy(f"COPY {what} TO STDOUT {options}") as copy:
        return b"".join(copy)


def test_a_shredded_field_is_null_in_every_form(fleet: tuple[Veil, Veil]) -> None:
    first, second = fleet
    code, told = destroy(first, "people.note")
    assert code == 1
    assert "rows exist under the key of 'public.people.note', and could not be read any more" in told
    assert f"DETAIL: 2 rows of public.people.note in database {first.database.name}" in told
    assert first.execute("SELECT note FROM people") == [(ROW[1],)] * 2
    assert destroy(first, "people.note", "--shred") == (
        2,
        "pgveil: --shred loses values: repeat the name, with --confirm people.note\n",
    )
    for field in ("people.note", "people.born", "people.doc"):
        code, told = destroy(first, field, "--shred", "--confirm", field)
        assert (code, f"destroyed: fek 'public.{field}' version 1\n" in told) == (0, True), told
    for proxy in fleet:
        assert soon(lambda proxy=proxy: proxy.execute("SELECT doc FROM people") == [(None,)] * 2)
    second.execute("INSERT INTO people VALUES (3, %s, %s, %s, %s::jsonb, %s)", ROW)  # under new keys
    new = (ROW[1], ROW[2], CANARY)
    with second.connect() as connection:
        for binary in (False, True):
            rows = connection.cursor(binary=binary).execute("SELECT note, born, doc FROM people ORDER BY id")
            assert rows.fetchall() == [(None, None, None), (None, None, None), new]
    assert first.execute("SELECT array_agg(note ORDER BY id), array_agg(born ORDER BY id) FROM people") == [
        ([None, None, new[0]], [None, None, new[1]])
    ]
    documents = [
        *({"id": number, "note": None, "born": None, "doc": None} for number in (1, 2)),
        {"id": 3, "note": new[0], "born": "1973-03-31", "doc": CANARY},
    ]
    assert first.execute(
        "SELECT json_agg(p ORDER BY id) FROM (SELECT id, note, born, doc FROM people) p"
    ) == [(documents,)]
    lines = copied(first, "people (id, note, born, doc)").decode().splitlines()
    assert lines == ["1\t\\N\t\\N\t\\N", "2\t\\N\t\\N\t\\N", f'3\t{new[0]}\t1973-03-31\t"{CANARY}"']
    rows = copied(first, "people (note, id)", "(FORMAT csv, NULL 'nil', FORCE_QUOTE *)").decode().splitlines()
    assert rows == ['nil,"1"', 'nil,"2"', f'"{new[0]}","3"']
    assert copied(first, "people (note)", "(FORMAT binary)")[19:] == (
        b"\0\1\xff\xff\xff\xff" * 2 + b"\0\1\0\0\0\x0c" + new[0].encode() + b"\xff\xff"
    )
    assert (
        first.execute("SELECT email, plan FROM people WHERE email = %s", [CANARY]) == [(ROW[0], ROW[4])] * 3
    )


def test_otherwise_it_is_an_error_that_says_what_happened(fleet: tuple[Veil, Veil]) -> None:
    first, _ = fleet
    assert destroy(first, "public.people.plan", "--shred", "--confirm", "public.people.plan")[0] == 0
    assert soon(lambda: _state(first, "SELECT plan FROM people") == "XX001")
    for read, what in (
        (Veil.execute, "SELECT plan FROM people"),
        (Veil.execute, "SELECT json_agg(plan) FROM people"),
        (copied, "people (plan)"),
    ):
        with pytest.raises(psycopg.errors.DataCorrupted) as told:
            read(first, what)
        diagnosis = told.value.diag
        assert diagnosis.message_primary == (
            'the key of a stored value of protected column "public.people.plan" was destroyed'
        )
        assert (diagnosis.message_detail or "").startswith("It was destroyed at 20")
        assert "destroyed: null" in (diagnosis.message_hint or "")
    assert first.execute("SELECT email FROM people") == [(CANARY,)] * 2


def _state(proxy: Veil, sql: str) -> str | None:
    try:
        proxy.execute(sql)
    except psycopg.Error as error:
        return error.sqlstate
    return None


def test_a_key_goes_without_a_word_once_nothing_is_under_it(fleet: tuple[Veil, Veil]) -> None:
    first, second = fleet
    first.execute("CREATE TABLE other (id int)")  # another table is of no concern
    first.execute("UPDATE people SET email = NULL")
    code, told = destroy(first, "people.email")
    assert (code, "destroyed: fek 'public.people.email' version 1\n" in told) == (0, True), told
    second.execute("INSERT INTO people (id, email) VALUES (9, %s)", [CANARY])
    assert first.execute("SELECT id FROM people WHERE email = %s", [CANARY]) == [(9,)]
    code, told = destroy(first, "people.email", "--key-version", "1")
    assert (code, "has no key of 'public.people.email' version 1" in told) == (2, True)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("hidden by row security", "query would be affected by row-level security policy"),
        ("of a table of others", "permission denied for table people"),
    ],
)
def test_a_login_that_cannot_see_every_row_decides_nothing(
    fleet: tuple[Veil, Veil], rows: str, told: str
) -> None:
    first, _ = fleet
    if rows.startswith("hidden"):
        first.database.execute("ALTER TABLE people ENABLE ROW LEVEL SECURITY")
        first.database.execute("GRANT SELECT ON people TO PUBLIC")
    role: Any = f"reader_{first.database.name}"
    first.database.execute(f"CREATE ROLE {role} LOGIN")
    try:
        postgres = first.database.postgres
        login = f"postgresql://{role}@{postgres.host}:{postgres.port}/{first.database.name}"
        code, said = destroy(first, "people.note", "--login", login, "--database", first.database.name)
        assert code == 1
        assert "whether rows exist under the key cannot be seen" in said
        assert told in said
        assert "HINT: Name a login that may read its tables with --login" in said
    finally:
        first.database.execute(f"DROP OWNED BY {role}")
        first.database.execute(f"DROP ROLE {role}")
    assert first.execute("SELECT note FROM people") == [(ROW[1],)] * 2
