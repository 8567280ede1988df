"""The keystore in a table of the upstream: <schema>.encryption_keys, by default in the schema pgveil.

Every name in the SQL is qualified, and search_path holds the system catalogue only, so that nobody's own
objects can stand in. Changes are made under a lock of the table that lets readers through; unique indexes
hold what must be unique in any case. This is crypto's only door to asyncpg.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from crypto.errors import KeystoreError, KeystoreUnavailable
from crypto.keyset import KeyState, KeyType
from crypto.keystore import Change, KeyRecord, Records, merge
from crypto.keystore_listener import CHANNEL, NOTIFY, listen
from crypto.providers import Provider

CONNECT_TIMEOUT = 10.0  # seconds
STATEMENT_TIMEOUT = 30.0  # seconds, waiting for the lock included

_COLUMNS = (
    "id, key_type, key_id, version, parent_id, encrypted_key, key_hash, algorithm, state, created_at,"
    " expires_at, rotation_count, metadata"
)

# A number that is another one after a change of the table; where notifications do not arrive it is polled.
_MARK = "SELECT pg_catalog.count(*), pg_catalog.max(xmin::text::bigint) FROM {table}"

# The lock keeps two processes that start together from both creating the schema; any number will do.
_CREATE_LOCK = "SELECT pg_catalog.pg_advisory_xact_lock(8103521190443245561)"
_CREATE_SCHEMA = "CREATE SCHEMA IF NOT EXISTS {schema}"
_CREATE_TABLE = """
CREATE TABLE {table} (
    id uuid PRIMARY KEY,
    key_type text NOT NULL CHECK (key_type IN ('master', 'dek', 'fek')),
    key_id text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    parent_id uuid REFERENCES {table} (id),
    encrypted_key bytea,
    key_hash bytea,
    algorithm text NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'active', 'retiring', 'destroyed')),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    expires_at timestamptz,
    rotation_count integer NOT NULL DEFAULT 0,
    metadata jsonb NOT NULL DEFAULT '{{}}',
    UNIQUE (key_type, key_id, version)
);
-- Envelopes name a key by the first four bytes of its id.
CREATE UNIQUE INDEX encryption_keys_short_id ON {table} (pg_catalog.left(id::text, 8));
CREATE UNIQUE INDEX encryption_keys_one_active ON {table} (key_type, key_id, algorithm)
    WHERE state = 'active';
COMMENT ON TABLE {table} IS 'Wrapped keys of pgveil. Without them no protected value can be read: back up.';
"""
_EXISTS = """
SELECT true FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = 'encryption_keys'
"""
_LOCK = "LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"
_READ = f"SELECT {_COLUMNS} FROM {{table}}"  # noqa: S608  no value is put into it
_WRITE = f"""
INSERT INTO {{table}} AS k ({_COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (id) DO UPDATE SET
    version = EXCLUDED.version, parent_id = EXCLUDED.parent_id,
    encrypted_key = EXCLUDED.encrypted_key, key_hash = EXCLUDED.key_hash,
    state = EXCLUDED.state, expires_at = EXCLUDED.expires_at, rotation_count = EXCLUDED.rotation_count,
    metadata = EXCLUDED.metadata
"""  # noqa: S608
# Rows are locked in the order of their ids: two processes that count the same keys never wait for each other.
_COUNT = """
WITH counted AS (
    SELECT k.id, c.number
    FROM {table} k JOIN ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::bigint[])) AS c (id, number)
        ON k.id = c.id
    ORDER BY k.id FOR UPDATE OF k
)
UPDATE {table} k SET metadata = pg_catalog.jsonb_set(k.metadata, '{{encryptions}}', pg_catalog.to_jsonb(
    GREATEST(COALESCE((k.metadata ->> 'encryptions')::bigint, 0) + counted.number, 0)))
FROM counted WHERE k.id = counted.id
RETURNING k.id, (k.metadata ->> 'encryptions')::bigint
"""  # noqa: E501
# One process at a time looks after the keys of this schema: for as long as its transaction is open.
_ALONE = "SELECT pg_catalog.pg_try_advisory_xact_lock(810352119, pg_catalog.hashtext($1))"


class TableKeystore:
    """A keystore that every proxy of one upstream shares. See `keystore.Keystore` for the methods.

    `url` is a PostgreSQL connection URI without a password; libpq's password file supplies one. `tls`, if
    there is one, goes before what the URL says of TLS. A connection lasts for one operation: they are rare,
    and an idle one would only be another thing that breaks. Only who asks for `changes` keeps one.
    """

    def __init__(self, url: str, schema: str = "pgveil", *, tls: ssl.SSLContext | None = None) -> None:
        self._url = url
        self._tls = tls
        self._schema = schema
        self._names = {"schema": _quoted(schema), "table": f"{_quoted(schema)}.encryption_keys"}

    def __repr__(self) -> str:
        return f"<TableKeystore {self.location}>"

    @property
    def location(self) -> str:
        return f"table {self._schema}.encryption_keys"

    async def create(self) -> None:
        async with self._connected() as connection, connection.transaction():
            await connection.execute(_CREATE_LOCK)
            # Asked first: IF NOT EXISTS needs the right to create even where there is nothing to create.
            if await connection.fetchval(_EXISTS, self._schema):
                return
            await connection.execute(_CREATE_SCHEMA.format(**self._names))
            await connection.execute(_CREATE_TABLE.format(**self._names))

    async def read(self) -> Records:
        async with self._connected() as connection:
            return await self._read(connection)

    async def update(self, change: Change) -> Records:
        async with self._connected() as connection, connection.transaction():
            await connection.execute(_LOCK.format(**self._names))
            records = await self._read(connection)
            changed = tuple(await change(records))
            if changed:
                # In the order given: a version retires before the next one becomes active.
                await connection.executemany(_WRITE.format(**self._names), map(_to_row, changed))
                await connection.execute(NOTIFY, CHANNEL, self._schema)
            return merge(records, changed)

    async def admit(self, provider: Provider) -> None:
        """Nothing to do: a table is not sealed."""

    async def dismiss_others(self, provider: Provider) -> None:
        """Nothing to do: a table is not sealed."""

    def changes(self) -> AsyncGenerator[None]:
        return listen(self._connect, self._schema, _MARK.format(**self._names))

    async def count(self, encryptions: Mapping[UUID, int]) -> Mapping[UUID, int]:
        async with self._connected() as connection:
            rows = await connection.fetch(
                _COUNT.format(**self._names), list(encryptions), list(encryptions.values())
            )
        return {UUID(bytes=id_.bytes): total for id_, total in rows}

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[bool]:
        # A transaction's lock, not a session's: a pooler may stand in between.
        async with self._connected() as connection, connection.transaction():
            yield await connection.fetchval(_ALONE, self._schema)

    async def close(self) -> None:
        """Nothing to close: no connection is kept."""

    async def _read(self, connection: Any) -> Records:
        rows = await connection.fetch(_READ.format(**self._names))
        try:
            return tuple(_from_row(row) for row in rows)
        except ValueError:
            raise KeystoreError(f"{self.location}: holds a record that this version does not know") from None

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        """A connection for one operation; what goes wrong with it becomes one clear error."""
        try:
            connection = await self._connect()
            try:
                yield connection
            finally:
                await connection.close(timeout=CONNECT_TIMEOUT)
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
            raise KeystoreError(f"{self.location}: does not exist: run pgveil keys init") from None
        except asyncpg.InsufficientPrivilegeError as error:
            raise KeystoreError(f"{self.location}: {error.args[0]}") from None
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise KeystoreUnavailable(f"{self.location}: {_first_line(error)}") from None

    async def _connect(self) -> Any:
        return await asyncpg.connect(
            self._url,
            ssl=self._tls,
            timeout=CONNECT_TIMEOUT,
            command_timeout=STATEMENT_TIMEOUT,
            statement_cache_size=0,  # a pooler may stand in between
            server_settings={"search_path": "pg_catalog, pg_temp", "application_name": "pgveil keystore"},
        )


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _first_line(error: Exception) -> str:
    """What an error says, in one line: never its detail, which could repeat a row."""
    return str(error).partition("\n")[0] or type(error).__name__


def _to_row(record: KeyRecord) -> tuple[Any, ...]:
    return (
        record.id,
        record.key_type.value,
        record.name,
        record.version,
        record.parent_id,
        record.encrypted_key,
        record.key_hash,
        record.algorithm,
        record.state.value,
        record.created_at,
        record.expires_at,
        record.rotation_count,
        json.dumps(dict(record.metadata)),
    )


def _from_row(row: Mapping[str, Any]) -> KeyRecord:
    return KeyRecord(
        id=UUID(bytes=row["id"].bytes),  # asyncpg's own class of UUID equals, but prints otherwise
        key_type=KeyType(row["key_type"]),
        name=row["key_id"],
        version=row["version"],
        parent_id=row["parent_id"] and UUID(bytes=row["parent_id"].bytes),
        algorithm=row["algorithm"],
        state=KeyState(row["state"]),
        encrypted_key=row["encrypted_key"],
        key_hash=row["key_hash"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        rotation_count=row["rotation_count"],
        metadata=json.loads(row["metadata"]),
    )
