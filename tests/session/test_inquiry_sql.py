"""The inquiry, asked of real servers: a transaction has a lock on whatever it has changed, which tells."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import psycopg
import pytest

from proxy.session.inquiry_sql import INQUIRY
from tests.postgres import Database

BEFORE = """
CREATE TABLE parent (id int, email text DEFAULT 'x');
CREATE VIEW reader AS SELECT email FROM parent;
CREATE TABLE ranges (a int, b text) PARTITION BY RANGE (a);
CREATE TYPE pair AS (a int);
"""
# What a transaction does, and the relations that the answer then has.
CHANGES = [
    ("SELECT * FROM parent FOR UPDATE", set()),
    ("INSERT INTO parent VALUES (1)", set()),
    ("CREATE TABLE made (a int)", {"made"}),
    ("CREATE TEMPORARY TABLE made (a int)", set()),
    ("CREATE TABLE made AS SELECT 1 AS a", {"made"}),
    ("SELECT 1 AS a INTO made", {"made"}),
    ("CREATE TABLE made OF pair", {"made"}),
    ("CREATE TABLE made OF pair; ALTER TYPE pair ADD ATTRIBUTE b int CASCADE", {"made"}),
    ("CREATE VIEW made AS SELECT 1 AS a", {"made"}),
    ("CREATE MATERIALIZED VIEW made AS SELECT 1 AS a", {"made"}),
    ("CREATE SCHEMA s CREATE TABLE made (a int)", {"made"}),
    ("DO $$ BEGIN EXECUTE 'CREATE TABLE made (a int)'; END $$", {"made"}),
    ("CREATE TABLE made () INHERITS (parent)", {"made", "parent", "reader"}),
    ("CREATE TABLE made PARTITION OF ranges DEFAULT", {"made", "ranges"}),
    (
        "CREATE TABLE made (a int, b text); ALTER TABLE ranges ATTACH PARTITION made DEFAULT",
        {"made", "ranges"},
    ),
    ("CREATE TABLE made (id int, email text); ALTER TABLE made INHERIT parent", {"made", "parent", "reader"}),
    ("ALTER TABLE parent ADD COLUMN more int", {"parent", "reader"}),
    ("ALTER TABLE parent DROP COLUMN id", {"parent", "reader"}),
    ("ALTER TABLE parent RENAME COLUMN email TO mail", {"parent", "reader"}),
    ("ALTER TABLE parent RENAME TO people", {"people", "reader"}),
    ("ALTER TABLE parent ALTER email DROP DEFAULT", {"parent", "reader"}),
    ("CREATE SCHEMA s; ALTER TABLE parent SET SCHEMA s", {"parent", "reader"}),
    ("CREATE OR REPLACE VIEW reader AS SELECT 'x' AS email", {"reader"}),
    ("ALTER VIEW reader RENAME TO reads", {"reads"}),
    ("CREATE RULE r AS ON INSERT TO reader DO INSTEAD NOTHING", {"reader"}),
    ("DROP VIEW reader", set()),
    ("DROP TABLE parent CASCADE", set()),
    ("DROP SCHEMA public CASCADE", set()),
    ("SAVEPOINT s; ALTER TABLE parent ADD COLUMN more int; RELEASE s", {"parent", "reader"}),
    ("SAVEPOINT s; ALTER TABLE parent ADD COLUMN more int; ROLLBACK TO s", set()),
]


def ask(connection: psycopg.Connection[Any], *names: str) -> dict[str, Any]:
    row = connection.execute(INQUIRY.replace("$1", "%s"), [json.dumps(names)]).fetchone()
    assert row is not None
    said: dict[str, Any] = json.loads(base64.b64decode(row[0]))
    return said


def relations(said: dict[str, Any]) -> dict[str, list[Any]]:
    """By name."""
    return {relation[2]: relation for relation in said["relations"] or ()}


def test_what_a_transaction_changes_is_in_the_answer(database: Database) -> None:
    database.execute(BEFORE)
    with database.connect() as connection:
        for sql, expected in CHANGES:
            with connection.transaction(force_rollback=True):
                connection.execute(sql)
                assert set(relations(ask(connection))) == expected, sql
        assert ask(connection)["touched"] is None


def test_what_is_gone_is_known_by_its_oid(database: Database) -> None:
    database.execute(BEFORE)
    with database.connect() as connection, connection.transaction(force_rollback=True):
        row = connection.execute("SELECT 'parent'::regclass::oid::int8").fetchone()
        assert row is not None
        connection.execute("DROP TABLE parent CASCADE")
        assert row[0] in ask(connection)["touched"]


def test_what_stands_in_a_relation(database: Database) -> None:
    database.execute(BEFORE)
    with database.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute("ALTER TABLE parent DROP COLUMN id, ADD COLUMN n int GENERATED ALWAYS AS IDENTITY")
        connection.execute("CREATE TABLE made PARTITION OF ranges FOR VALUES FROM (1) TO (2)")
        found = relations(ask(connection))
        oid = found["ranges"][0]
        assert found["parent"][1:4] == ["public", "parent", "r"]
        assert found["parent"][8] == [
            ["email", 2, 25, "text", -1, False, True, False, False, "'x'::text"],
            ["n", 3, 23, "int4", -1, True, False, False, True, None],
        ]
        assert "parent" in found["reader"][4]
        assert found["made"][5] == [oid]
        assert found["ranges"][7] == [1]


def test_names_are_asked_for_whoever_has_made_the_relation(database: Database) -> None:
    database.execute(BEFORE)
    with database.connect() as connection:
        assert set(relations(ask(connection, "ranges", "nobody's", "é"))) == {"ranges"}


def test_of_functions_only_the_names_are_said(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("CREATE FUNCTION made(int) RETURNS int LANGUAGE sql AS 'SELECT 1'")
        assert ask(connection, "made", "count", "nothing")["functions"] == ["made"]


@pytest.mark.parametrize("operator", ["=", "<>", ">", ">=", "<", "||", "+"])
def test_every_operator_has_its_schema(operator: str) -> None:
    assert not re.search(rf"(?<![=<>(.]){re.escape(operator)}(?![=<>)])\s", INQUIRY)
    assert not re.search(r"(?i)\b(?:IN \(|LIKE|BETWEEN|USING|DISTINCT FROM)", INQUIRY)
