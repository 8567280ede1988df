"""Counts the rows that one key has sealed: every envelope of a key begins with one constant prefix.

It looks into the columns that the policy binds to the key's fields, in their tables, partitions and children.
Copies elsewhere (a column that is not in the policy, a materialized view, a backup) are not found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crypto.envelope import MAGIC, header, to_ascii
from crypto.keystore import KeyRecord
from policy.binding import Binding
from policy.guard import quote_identifier
from policy.names import qualified
from proxy import guards

if TYPE_CHECKING:
    from proxy.introspect import Connection

DATABASES = """
SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname
"""


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
    found = []
    for column, query in queries(binding, keys):
        if rows := await connection.fetchval(query):
            found.append(Sealed(binding.catalog.database, column, rows))
    return found


def queries(binding: Binding, keys: Sequence[KeyRecord]) -> Iterable[tuple[str, str]]:
    """A column's name, and what counts its rows; for each column that may hold what the keys have sealed."""
    names = {key.name for key in keys}
    for oid, columns in binding.columns.items():
        relation = binding.catalog.relations[oid]
        if relation.kind == "p":  # its rows are those of its partitions, which are bound as it is
            continue
        table = f"{quote_identifier(relation.schema)}.{quote_identifier(relation.name)}"
        for name, bound in columns.items():
            if bound.field.key_name in names:
                test = " OR ".join(_condition(name, bound.storage, key) for key in keys)
                yield (
                    qualified(relation.schema, relation.name, name),
                    f"SELECT pg_catalog.count(*) FROM ONLY {table} WHERE {test}",  # noqa: S608
                )


def _condition(column: str, storage: str, key: KeyRecord) -> str:
    """Whether a stored value begins as the key's envelopes do."""
    prefix, name = MAGIC + header(key.algorithm, key.short_id), quote_identifier(column)
    if storage == "bytea":
        start = f"pg_catalog.substr({name}, 1, {len(prefix)})"
        return f"{start} = pg_catalog.decode('{prefix.hex()}', 'hex')"
    text = f"({name} #>> '{{}}')" if storage in ("json", "jsonb") else f"{name}::pg_catalog.text"
    return f"pg_catalog.starts_with({text}, '{to_ascii(prefix).decode()}')"
