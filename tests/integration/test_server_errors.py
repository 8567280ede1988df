"""The server's own errors: as the twin's, with a fixed word where the twin repeats a protected value."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest

from tests.integration.pair import Pair
from tests.postgres import DIRECT

CONSTRAINTS = """
ALTER TABLE users ADD UNIQUE (age, nick);
ALTER TABLE users ADD CHECK (note <> 'bad');
ALTER TABLE orders ADD FOREIGN KEY (buyer) REFERENCES users (email);
"""
# The server's code: it repeats what it is given.
CODE = """
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.note = 'tell' THEN
    RAISE NOTICE 'told %', NEW.email USING DETAIL = 'of ' || NEW.email, HINT = NEW.email;
    EXECUTE format('SELECT %L, nosuch', NEW.email);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER tell BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION tell();
"""
FAILING = {
    "unique": "INSERT INTO users (email) VALUES ('kanarie-1')",
    "unique of two": "INSERT INTO users (age, nick) VALUES (17, 'kanarie two')",
    "foreign key": "INSERT INTO orders (buyer) VALUES ('kanarie-8')",
    "still referenced": "DELETE FROM users WHERE email = 'kanarie-1'",
    "check": "INSERT INTO users (email, doc, note) VALUES ('kanarie-7', '\"kanarie\"', 'bad')",
    "server's code": "INSERT INTO users (email, note) VALUES ('kanarie-6', 'tell')",
}
VALUES = re.compile(r"kanarie[- ]?\w*|\b17\b")
SAME = (
    "sqlstate",
    "severity",
    "schema_name",
    "table_name",
    "column_name",
    "constraint_name",
    "datatype_name",
)


@pytest.fixture(scope="module")
def connections(pair: Pair) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    for admin in pair.admin:
        admin.execute("UPDATE orders SET buyer = NULL WHERE id = 4")
        admin.execute(CODE)
    twin_dsn = f"{pair.plain.dsn}?application_name={DIRECT}"
    with (
        psycopg.connect(pair.veil.dsn(), autocommit=True) as veiled,
        psycopg.connect(twin_dsn, autocommit=True) as twin,
    ):
        for connection in (veiled, twin):
            connection.execute(CONSTRAINTS)
        yield veiled, twin
    pair.veil.assert_no_leak()


def failure(connection: psycopg.Connection, sql: str) -> tuple[psycopg.errors.Diagnostic, list[str]]:
    notices: list[str] = []

    def note(notice: psycopg.errors.Diagnostic) -> None:
        notices.extend(
            str(part) for part in (notice.message_primary, notice.message_detail, notice.message_hint)
        )

    connection.add_notice_handler(note)
    try:
        with pytest.raises(psycopg.Error) as failed:
            connection.execute(sql)
    finally:
        connection.remove_notice_handler(note)
    return failed.value.diag, notices


@pytest.mark.parametrize("how", FAILING)
def test_it_is_the_twins_error_without_values(
    connections: tuple[psycopg.Connection, psycopg.Connection], how: str
) -> None:
    (ours, our_notices), (theirs, their_notices) = (failure(each, FAILING[how]) for each in connections)
    assert [getattr(ours, name) for name in SAME] == [getattr(theirs, name) for name in SAME]
    texts = [
        [each.message_primary, each.message_hint, each.internal_query, each.context]
        for each in (ours, theirs)
    ]
    assert texts[0] == [None if text is None else VALUES.sub("<protected>", text) for text in texts[1]]
    assert our_notices == [VALUES.sub("<protected>", text) for text in their_notices]
    detail, twins = ours.message_detail or "", theirs.message_detail or ""
    if how == "check":  # ciphertext is cut off where a value is not
        assert detail.startswith("Failing row contains (")
        assert detail.count("<protected>") == 2
        assert detail.endswith(", bad).")
    else:
        assert detail == VALUES.sub("<protected>", twins)
    assert "pgv1:" not in detail
    if ours.internal_position is not None and ours.internal_query is not None:
        assert ours.internal_query[int(ours.internal_position) - 1 :].startswith("nosuch")


@pytest.mark.parametrize("output", ["hex", "escape"])
def test_bytea_in_either_format(
    connections: tuple[psycopg.Connection, psycopg.Connection], output: str
) -> None:
    veiled, _ = connections
    with veiled.transaction(force_rollback=True):
        veiled.execute(f"SET LOCAL bytea_output = {output}")
        diagnostics, _ = failure(veiled, FAILING["unique of two"])
    assert (diagnostics.message_detail or "").startswith("Key (age, nick)=(<protected>")
    assert (diagnostics.message_detail or "").endswith(") already exists.")
