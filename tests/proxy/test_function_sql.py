"""The signatures of functions, as the server has them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from policy.catalog import Parameter, Signature
from tests.policy.samples import policy_of
from tests.postgres import Database
from tests.proxy.catalogs import read, relation

SCHEMA = """
CREATE TABLE users (email text);
CREATE TYPE pair AS (one text, gone int, other text);
ALTER TYPE pair DROP ATTRIBUTE gone;
CREATE SCHEMA other;
CREATE FUNCTION named(a text, OUT b int, VARIADIC c text[]) LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION other.named(int, pairs pair[], one pair) RETURNS TABLE (x int, y text) LANGUAGE sql AS
  'SELECT 1, ''''';
CREATE FUNCTION unnamed(text) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION all_users() RETURNS SETOF users LANGUAGE sql AS 'SELECT * FROM users';
CREATE FUNCTION users_array(n int) RETURNS users[] LANGUAGE sql AS 'SELECT array_agg(u) FROM users u';
"""


def test_signatures(database: Database, tmp_path: Path) -> None:
    database.execute(SCHEMA)
    policy = policy_of(tmp_path, "  users: {email: equal}\nfunctions: {named: {args: {a: users.email}}}\n")
    catalog = asyncio.run(read(database, policy))
    users = relation(catalog, "users").oid
    pair = ("one", "other")
    assert catalog.signatures == {
        "named": (
            Signature(
                "other",
                "named",
                (Parameter(""), Parameter("pairs", pair, array=True), Parameter("one", pair)),
                columns=("x", "y"),
            ),
            Signature("public", "named", (Parameter("a"), Parameter("c", array=True)), columns=("b",)),
        ),
        "all_users": (Signature("public", "all_users", (), users),),
        "users_array": (Signature("public", "users_array", (Parameter("n"),), users, array=True),),
    }
