"""The table by which a database remembers the keys that it was written with: <schema>.key_fingerprints.

It stands in the maintenance login's database, and tells nothing of the keys. `pgveil keys init` makes it
where it may; pgveil works without. What it shows is said before anything is written (crypto/acquaintance.py).

A key is in the keystore before it is in this table: what is compared was read from the table first.

Every name in the SQL is qualified: nobody's own objects can stand in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from crypto.acquaintance import Comparison, Known, compare, remember
from crypto.errors import CryptoError, KeystoreError, KeystoreUnavailable, ProviderUnavailable
from crypto.keyset import KeyType
from crypto.keystore import KeyRecord
from crypto.manager import KeyManager
from policy.guard import quote_identifier
from proxy.introspect import CONNECTION_ERRORS

if TYPE_CHECKING:
    from proxy.introspect import Connect, Connection

TABLE = "key_fingerprints"
LOOK_INTERVAL = 1.0  # seconds between two looks whether keys were made
_LISTED = 3  # keys that a message names

_STATE = """
SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2
"""
_HAS_SCHEMA = "SELECT true FROM pg_catalog.pg_namespace WHERE nspname = $1"
_CREATE_SCHEMA = "CREATE SCHEMA {schema}"
_CREATE = """
CREATE TABLE {table} (
    key_id uuid PRIMARY KEY,
    name text NOT NULL,
    version integer NOT NULL,
    fingerprint text NOT NULL,
    canary text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE {table} IS 'The keys of pgveil that this database was written with. No key is in it.';
"""
_READ = "SELECT key_id, name, version, fingerprint, canary FROM {table}"
_ENTER = "INSERT INTO {table} VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key_id) DO NOTHING"

_log = logging.getLogger("pgveil.keys")


class Unreadable(Exception):
    """The table cannot be read, written or made; the message says where, `reason` why."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.reason = reason


class KeyFingerprints:
    """The table of one database, reached as the maintenance login."""

    def __init__(self, connect: Connect, database: str, schema: str) -> None:
        self._connect = connect
        self._database = database
        self._schema = schema
        self._names = {
            "schema": quote_identifier(schema),
            "table": f"{quote_identifier(schema)}.{quote_identifier(TABLE)}",
        }

    def __str__(self) -> str:
        return f"table {self._schema}.{TABLE} of database {self._database}"

    async def create(self) -> None:
        """Make the table, unless it is there. Raises Unreadable."""
        async with _Session(self._connect, self._database) as connection, connection.transaction():
            if await connection.fetchrow(_STATE, self._schema, TABLE) is None:
                if not await connection.fetchval(_HAS_SCHEMA, self._schema):
                    await connection.execute(_CREATE_SCHEMA.format(**self._names))
                await connection.execute(_CREATE.format(**self._names))

    async def read(self) -> tuple[Known, ...] | None:
        """What the database remembers; None where it has no such table. Raises Unreadable."""
        async with _Session(self._connect, self._database) as connection:
            state = await connection.fetchrow(_STATE, self._schema, TABLE)
            if state is None:
                return None
            if not state[0]:
                raise Unreadable(f"{self} cannot be read", "permission denied")
            rows = await connection.fetch(_READ.format(**self._names))
        return tuple(Known(UUID(bytes=id_.bytes), *rest) for id_, *rest in rows)

    async def enter(self, records: Iterable[KeyRecord]) -> None:
        """Remember keys; those that are known stay as they are. Raises Unreadable."""
        new = [known for record in records if (known := remember(record)) is not None]
        if not new:
            return
        async with _Session(self._connect, self._database) as connection:
            await connection.executemany(
                _ENTER.format(**self._names),
                [(known.id, known.name, known.version, known.fingerprint, known.canary) for known in new],
            )

    def refusal(self, found: Comparison, keystore: str) -> KeystoreError | None:
        """Why nothing may be written with this keystore, and the way out; None if it fits."""
        if found.missing:
            what = f"lacks {_listed(found.missing)}, which database {self._database} was written with"
            line = f"{keystore}: {what}: it is another keystore, or an older copy of its own"
        elif found.strange:
            what = f"{_listed(found.strange)} is not the key that database {self._database} was written with"
            line = f"{keystore}: {what}: it is the keystore of another database"
        else:
            return None
        return KeystoreError(
            f"{line}\nHINT: Put the keystore of this database in place, or import an export of it (pgveil"
            " keys import). If these keys are given up for good, delete their rows from"
            f" {self._schema}.{TABLE}."
        )

    def warning(self, found: Comparison, keystore: str) -> str | None:
        """What may be as it should be, and may not."""
        if not found.unknown:
            return None
        if not found.known:
            return f"database {self._database} remembers no key of {keystore}: is it the right one, or new?"
        return (
            f"database {self._database} does not remember {_listed(found.unknown)} of {keystore}: it was"
            " restored from an older dump, or they were made while no pgveil ran (pgveil keys init enters"
            " them)"
        )


async def look(table: KeyFingerprints, keys: KeyManager) -> Comparison | None:
    """Keystore and database as they are now; None where this remembers nothing, or that cannot be read now.

    Raises Unreadable, KeystoreError, ProviderError.
    """
    remembered = await table.read()
    if remembered is None:
        return None
    try:
        await keys.refresh()
    except (KeystoreUnavailable, ProviderUnavailable):
        if not keys.records:
            return None
    return compare(keys.records, keys.keyring, remembered)


async def examine(table: KeyFingerprints, keys: KeyManager) -> str | None:
    """What is to be warned of before pgveil starts. Raises KeystoreError where it must not start."""
    try:
        found = await look(table, keys)
    except Unreadable as error:
        return str(error)
    if found is None:
        return None
    if (refusal := table.refusal(found, keys.keystore.location)) is not None:
        raise refusal
    return table.warning(found, keys.keystore.location)


async def keep(table: KeyFingerprints, keys: KeyManager) -> None:
    """For ever: enter keys that are made while this process runs, and say if the database changes underneath.

    Both whenever the keys were read; what fails is tried again then.
    """
    seen = keys.records
    entered = {record.id for record in seen}  # those from before are for `pgveil keys init` to enter
    told: str | None = None
    while True:
        await asyncio.sleep(LOOK_INTERVAL)
        if (records := keys.records) is seen:
            continue
        if not seen:  # the first that were read: the keystore did not answer before
            entered = {record.id for record in records}
        seen = records
        new = [r for r in records if r.key_type is KeyType.FEK and r.id not in entered]
        try:
            if (remembered := await table.read()) is None:
                continue
            await table.enter(new)
            entered |= {record.id for record in new}
            told = await _tell(table, keys, remembered, told)
        except (Unreadable, CryptoError) as error:
            _log.debug("%s", error)


async def _tell(
    table: KeyFingerprints, keys: KeyManager, remembered: tuple[Known, ...], told: str | None
) -> str | None:
    """Log what is wrong, once; returns it."""
    keystore = keys.keystore.location
    found = table.refusal(compare(keys.records, keys.keyring, remembered), keystore)
    if found is not None and str(found) != told:
        await keys.refresh()  # perhaps another process has just made the key
        found = table.refusal(compare(keys.records, keys.keyring, remembered), keystore)
        if found is not None and str(found) != told:
            _log.error("%s", found)
    return None if found is None else str(found)


def _listed(keys: tuple[Known, ...] | tuple[KeyRecord, ...]) -> str:
    """Some of the keys by name, and how many more there are."""
    names = ", ".join(str(key) for key in keys[:_LISTED])
    return names if len(keys) <= _LISTED else f"{names} and {len(keys) - _LISTED} more"


class _Session:
    """A connection for one operation; what goes wrong with it becomes Unreadable."""

    def __init__(self, connect: Connect, database: str) -> None:
        self._connect = connect
        self._database = database
        self._connection: Connection | None = None

    async def __aenter__(self) -> Connection:
        try:
            self._connection = await self._connect(self._database)
        except CONNECTION_ERRORS as error:
            raise Unreadable(f"database {self._database}", _first_line(error)) from None
        return self._connection

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        assert self._connection is not None
        self._connection.terminate()
        if isinstance(error, CONNECTION_ERRORS):
            raise Unreadable(f"database {self._database}", _first_line(error)) from None


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
