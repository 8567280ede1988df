"""Counts the rows that one key has sealed: every envelope of a key begins with one constant prefix.

It looks into the columns that the policy binds to the key's fields, in their tables, partitions and children.
Copies elsewhere (a column that is not in the policy, a materialized view, a backup) are not found.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crypto.envelope import MAGIC, header, to_ascii
from crypto.keystore import KeyRecord
from policy.binding import Binding, BoundField
from policy.catalog import Relation
from policy.guard import quote_identifier
from policy.names import qualified
from proxy import guards

if TYPE_CHECKING:
    from proxy.introspect import Connection

DATABASES = """
SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname
"""

# What a key has sealed begins with one constant prefix of 9 bytes, or 13 characters (docs/envelope.md).
_COUNT = "SELECT pg_catalog.count(*) FROM ONLY {table} WHERE "
_TEXT = _COUNT + "pg_catalog.left({column}::pg_catalog.text, 13) = ANY ($1::pg_catalog.text[])"
_JSON = _COUNT + "pg_catalog.left({column} #>> '{{}}', 13) = ANY ($1::pg_catalog.text[])"
_BYTEA = _COUNT + "pg_catalog.substr({column}, 1, 9) = ANY ($1::pg_catalog.bytea[])"
_QUERIES = {"bytea": _BYTEA, "json": _JSON, "jsonb": _JSON}


@dataclass(frozen=True, slots=True)
class Sealed:
    """So many rows of a column hold what a key has sealed."""

    database: str
    column: str
    rows: int

    def __str__(self) -> str:
        return f"{self.rows} rows of {self.column} in database {self.database}"


async def databases(connection: Connection) -> list[str]:
    """Every database of the server that can hold rows."""
    return [name for (name,) in await connection.fetch(DATABASES)]


async def count(connection: Connection, binding: Binding, keys: Sequence[KeyRecord]) -> list[Sealed]:
    """Where rows are that these keys have sealed, in the database of the connection.

    It sees every row, or raises: row security that would hide some is an error.
    """
    await guards.prepare(connection)
    binary = [MAGIC + header(key.algorithm, key.short_id) for key in keys]
    ascii_ = [to_ascii(prefix).decode() for prefix in binary]
    found = []
    for relation, name, bound in _columns(binding, {key.name for key in keys}):
        query = _QUERIES.get(bound.storage, _TEXT).format(
            table=f"{quote_identifier(relation.schema)}.{quote_identifier(relation.name)}",
            column=quote_identifier(name),
        )
        prefixes = binary if bound.storage == "bytea" else ascii_
        if rows := await connection.fetchval(query, prefixes):
            column = qualified(relation.schema, relation.name, name)
            found.append(Sealed(binding.catalog.database, column, rows))
    return found


def _columns(binding: Binding, names: Container[str]) -> Iterator[tuple[Relation, str, BoundField]]:
    """Each column that may hold what keys of these names have sealed."""
    for oid, columns in binding.columns.items():
        relation = binding.catalog.relations[oid]
        if relation.kind != "p":  # its rows are those of its partitions, which are bound as it is
            for name, bound in columns.items():
                if bound.field.key_name in names:
                    yield relation, name, bound
