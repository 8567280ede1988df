"""Rows under a key are found in every storage, in partitions and children, each once; and no others are."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from crypto.keyring import FieldKey
from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord
from policy.model import Policy
from proxy.introspect import connector, read_binding
from proxy.sealed_rows import Sealed, count, databases
from tests.policy.samples import policy_of
from tests.postgres import Database
from tests.proxy.catalogs import address

TABLES = """
  texts: {a: {class: random, key: k}, b: {class: random, key: k}, c: {class: random, key: k}}
  '"a ""b"" c"': {'"a.b"': {class: random, key: k, type: date}}
  documents: {j: {class: random, key: k}, jb: {class: random, key: k}}
  parts: {v: {class: random, key: k}}
  others: {v: random}
"""
SCHEMA = """
CREATE TABLE texts (a text, b varchar(99), c char(99));
CREATE TABLE "a ""b"" c" ("a.b" bytea);
CREATE TABLE documents (j json, jb jsonb);
CREATE TABLE parts (id int, v text) PARTITION BY LIST (id);
CREATE TABLE parts1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts2 PARTITION OF parts FOR VALUES IN (2);
CREATE TABLE others (v text);
CREATE TABLE child () INHERITS (others);
"""


def key(number: int, algorithm: str = "aes-256-gcm") -> tuple[KeyRecord, FieldKey]:
    record = KeyRecord(UUID(int=number << 96), KeyType.FEK, "k", number, None, algorithm, KeyState.ACTIVE)
    return record, FieldKey(record.short_id, "k", algorithm, number, KeyState.ACTIVE, bytes(32))


async def found(database: Database, policy: Policy, *keys: KeyRecord) -> list[Sealed]:
    server = address(database.postgres)
    connection = await connector(server)(database.name)
    try:
        return await count(connection, await read_binding(server, database.name, policy), keys)
    finally:
        await connection.close()


async def test_every_storage_and_every_table(database: Database, tmp_path: Path) -> None:
    policy = policy_of(tmp_path, TABLES)
    database.execute(SCHEMA)
    (one, sealing), (two, second) = key(1), key(2, "chacha20-poly1305")
    text, data = sealing.ascii_sealer("text")(b"x").decode(), sealing.sealer("date")(b"x")
    database.execute("INSERT INTO texts VALUES (%s, %s, %s)", [text, text, text])
    other = second.ascii_sealer("text")(b"x").decode()
    database.execute("INSERT INTO texts VALUES (%s, 'plain', NULL)", [other])
    database.execute('INSERT INTO "a ""b"" c" VALUES (%s), (%s), (NULL)', [data, b"plain"])
    database.execute("INSERT INTO documents VALUES (to_json(%s::text), to_jsonb(%s::text))", [text] * 2)
    database.execute("INSERT INTO documents VALUES ('{}', '{}')")
    database.execute("INSERT INTO parts VALUES (1, %s), (2, %s), (2, %s)", [text] * 3)
    database.execute("INSERT INTO others VALUES (%s)", [text])  # of another key: whatever stands there
    here = f" in database {database.name}"
    sealed = {str(place).removesuffix(here) for place in await found(database, policy, one)}
    assert sealed == {
        "1 rows of public.texts.a",
        "1 rows of public.texts.b",
        "1 rows of public.texts.c",
        '1 rows of public."a ""b"" c"."a.b"',
        "1 rows of public.documents.j",
        "1 rows of public.documents.jb",
        "1 rows of public.parts1.v",
        "2 rows of public.parts2.v",
    }
    assert [(s.column, s.rows) for s in await found(database, policy, two)] == [("public.texts.a", 1)]
    both = await found(database, policy, one, two)
    assert [s.rows for s in both if s.column == "public.texts.a"] == [2]


async def test_every_database_of_a_server(database18: Database) -> None:
    connection = await connector(address(database18.postgres))(database18.name)
    try:
        names = await databases(connection)
    finally:
        await connection.close()
    assert database18.name in names
    assert "postgres" in names
    assert "template0" not in names
