"""Makes and takes away the guards of tables, with the rights of their owner; policy/guard.py has their form.

Each table is one transaction. The lock that ALTER TABLE needs is waited for briefly, a few times, so that
nobody waits long behind it; rows are looked at under locks that let everybody read and write.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg

from policy.binding import Binding, BoundField
from policy.catalog import Dependent, Relation
from policy.guard import (
    NOT_VALID,
    condition,
    find_guard,
    find_outdated,
    guard_name,
    obstacle,
    quote_identifier,
)
from policy.names import qualified
from proxy import introspect

if TYPE_CHECKING:
    from proxy.introspect import Connection

_SESSION = (
    "SET search_path TO ''; SET row_security TO off; SET lock_timeout TO '2s'; SET statement_timeout TO 0"
)
_ATTEMPTS = 5
_PAUSE = 1.0  # seconds between attempts, for those who wait behind this one

GUARDED, NOT_VALIDATED, OUTDATED = "guarded", "not validated", "guard of another form"
MISSING, IMPOSSIBLE = "no guard", "cannot be guarded"


@dataclass(frozen=True, slots=True)
class Guarded:
    """A protected column and its guard, or one that is `outdated`. `obstacle`: why it cannot have one."""

    relation: Relation
    column: str
    bound: BoundField
    guard: Dependent | None
    outdated: Dependent | None
    obstacle: str | None

    @property
    def state(self) -> str:
        if self.guard is not None:
            return NOT_VALIDATED if self.guard.definition.endswith(NOT_VALID) else GUARDED
        if self.outdated is not None:
            return OUTDATED
        return IMPOSSIBLE if self.obstacle is not None else MISSING

    @property
    def present(self) -> Dependent | None:
        return self.guard or self.outdated

    def __str__(self) -> str:
        return qualified(self.relation.schema, self.relation.name, self.column)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done for a column, as a clause; `failed`: it is not as it was to be."""

    subject: str
    message: str
    failed: bool = False


def guarded_columns(binding: Binding) -> list[Guarded]:
    """Every column that the policy names and the database has, in the order of the policy."""
    found = []
    for (schema, table), fields in binding.policy.tables.items():
        relation = binding.catalog.lookup(schema, table)
        bound_columns = binding.of(relation) if relation is not None else {}
        for name in fields:
            if relation is not None and (bound := bound_columns.get(name)) is not None:
                guard = find_guard(relation, bound, name)
                outdated = find_outdated(relation, name) if guard is None else None
                why_not = obstacle(binding, relation, bound)
                found.append(Guarded(relation, name, bound, guard, outdated, why_not))
    return found


def _tables(columns: Iterable[Guarded]) -> list[list[Guarded]]:
    by_table: dict[int, list[Guarded]] = {}
    for column in columns:
        by_table.setdefault(column.relation.oid, []).append(column)
    return list(by_table.values())


class Mason:
    """Installs and removes guards over one connection; with `dry_run` it only says what it would run."""

    def __init__(self, connection: Connection, *, dry_run: bool = False) -> None:
        self._connection = connection
        self._dry_run = dry_run
        self.statements: list[str] = []

    async def install(
        self, columns: Iterable[Guarded], *, not_valid: bool = False, validate: bool = False
    ) -> list[Outcome]:
        """Give each column its guard.

        A column that holds plaintext gets one only with `not_valid`. One with plaintext: allow is validated
        only if `validate` asks for it.
        """
        outcomes = []
        for table in _tables(columns):
            impossible = [column for column in table if column.obstacle is not None]
            outcomes += [Outcome(str(c), f"{IMPOSSIBLE}: {c.obstacle}", failed=True) for c in impossible]
            possible = [column for column in table if column.obstacle is None]
            try:
                outcomes += await self._install(possible, not_valid=not_valid, validate=validate)
            except introspect.CONNECTION_ERRORS as error:
                outcomes += [Outcome(str(column), _reason(error), failed=True) for column in possible]
        return outcomes

    async def _install(self, table: list[Guarded], *, not_valid: bool, validate: bool) -> list[Outcome]:
        outcomes, wanted = [], []
        for column in table:
            if column.guard is None and not not_valid and await self._holds_plaintext(column):
                outcomes.append(Outcome(str(column), _PLAINTEXT, failed=True))
            else:
                wanted.append(column)
        added = [action for column in wanted if column.guard is None for action in _replace(column)]
        if added:
            await self._alter(table[0].relation, added)
        validated = [await self._validate(c, not_valid=not_valid, asked=validate) for c in wanted]
        return outcomes + validated

    async def _validate(self, column: Guarded, *, not_valid: bool, asked: bool) -> Outcome:
        if column.state == GUARDED:
            return Outcome(str(column), "guarded already")
        if not_valid or (column.bound.field.plaintext_allowed and not asked):
            return Outcome(str(column), "guarded; rows from before are not validated")
        if column.guard is not None and await self._holds_plaintext(column):
            return Outcome(str(column), _PLAINTEXT, failed=True)
        name = quote_identifier(column.guard.name if column.guard else guard_name(column.column))
        await self._alter(column.relation, [f"VALIDATE CONSTRAINT {name}"])
        return Outcome(str(column), "guarded, and every row validated")

    async def remove(self, columns: Iterable[Guarded]) -> list[Outcome]:
        """Take the guards away."""
        outcomes = []
        for table in _tables(columns):
            present = [column for column in table if column.present is not None]
            outcomes += [Outcome(str(column), MISSING) for column in table if column.present is None]
            actions = [_drop(column.present) for column in present if column.present is not None]
            try:
                if actions:
                    await self._alter(table[0].relation, actions)
                outcomes += [Outcome(str(column), "guard removed") for column in present]
            except introspect.CONNECTION_ERRORS as error:
                outcomes += [Outcome(str(column), _reason(error), failed=True) for column in present]
        return outcomes

    async def _holds_plaintext(self, column: Guarded) -> bool:
        """Whether a row holds something that is no envelope; reads until it finds one."""
        name = quote_identifier(column.column)
        test = f"{name} IS NOT NULL AND ({condition(column.column, column.bound.storage)}) IS NOT TRUE"
        query = f"SELECT EXISTS (SELECT FROM {_table(column.relation)} WHERE {test})"  # noqa: S608
        return bool(await self._connection.fetchval(query))

    async def _alter(self, relation: Relation, actions: Sequence[str]) -> None:
        """One ALTER TABLE, tried again where its lock is not to be had at once."""
        statement = f"ALTER TABLE {_table(relation)} {', '.join(actions)}"
        self.statements.append(statement)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                if not self._dry_run:
                    await self._connection.execute(statement)
                return
            except asyncpg.LockNotAvailableError:
                if attempt == _ATTEMPTS:
                    raise
            await asyncio.sleep(_PAUSE)


_PLAINTEXT = (
    "rows hold plaintext, which a guard would keep from being updated: encrypt them, or use --not-valid"
)


def _replace(column: Guarded) -> list[str]:
    """Add a guard, in the place of an outdated one."""
    name = quote_identifier(guard_name(column.column))
    added = f"ADD CONSTRAINT {name} CHECK ({condition(column.column, column.bound.storage)}){NOT_VALID}"
    return [_drop(column.outdated), added] if column.outdated is not None else [added]


def _drop(guard: Dependent) -> str:
    return f"DROP CONSTRAINT {quote_identifier(guard.name)}"


def _table(relation: Relation) -> str:
    return f"{quote_identifier(relation.schema)}.{quote_identifier(relation.name)}"


def _reason(error: BaseException) -> str:
    """What the server said, in a line; nothing of a row is in such an error."""
    if isinstance(error, asyncpg.LockNotAvailableError):
        return "the table is in use: its lock was not to be had; try again later"
    text = str(error).partition("\n")[0]
    denied = isinstance(error, asyncpg.InsufficientPrivilegeError)
    owner = " (use --login with the table's owner)" if denied else ""
    return f"the server refused: {re.sub(r'[^ -~]+', ' ', text)}{owner}"


async def prepare(connection: Connection) -> None:
    """Set up a session that alters tables: no search_path, and no lock that is waited for long."""
    await connection.execute(_SESSION)
