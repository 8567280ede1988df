"""Guards: CHECK constraints that let a protected column hold envelopes only; `proxy/guards.py` makes them.

A guard looks at marker, version and shape (docs/envelope.md), which built-in functions can see, so that the
server itself refuses a plaintext that was written past pgveil. It does not tell whether an envelope opens.
"""

from __future__ import annotations

import hashlib

from policy.binding import Binding, BoundField
from policy.catalog import Dependent, Relation

PREFIX = "pgveil_guard_"
NOT_VALID = " NOT VALID"  # as pg_get_constraintdef() ends for a constraint that old rows may violate

_NAME_LIMIT = 63  # bytes, NAMEDATALEN - 1
# `AQ` is the version 1 and the upper half of the suite's number. The shortest envelope, of the empty text by
# AES-SIV, has 23 bytes: 31 characters of base64url. A test compares these with crypto/envelope.py.
_ASCII = "^pgv1:AQ[A-Za-z0-9_-]*$"
_ASCII_LENGTH = 36
_BINARY = "ff505601"
_BINARY_LENGTH = 26

# What pg_get_constraintdef() prints, and PostgreSQL reads: all names are those of pg_catalog.
_TEXT = f"""((({{0}} COLLATE "C") ~ '{_ASCII}'::text) AND (octet_length({{0}}) >= {_ASCII_LENGTH}))"""
_JSON = f"""(({{1}}_typeof({{0}}) = 'string'::text) AND ((({{0}} #>> '{{{{}}}}'::text[]) COLLATE "C") ~ \
'{_ASCII}'::text) AND (octet_length(({{0}} #>> '{{{{}}}}'::text[])) >= {_ASCII_LENGTH}))"""
_BYTEA = f"""((substr({{0}}, 1, 4) = decode('{_BINARY}'::text, 'hex'::text)) AND \
(octet_length({{0}}) >= {_BINARY_LENGTH}))"""
_CONDITIONS = {"bytea": _BYTEA, "json": _JSON, "jsonb": _JSON}


def quote_identifier(name: str) -> str:
    """A name in double quotes, as SQL reads it whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def guard_name(column: str) -> str:
    """The name of a column's guard, within the length of PostgreSQL's names."""
    name = PREFIX + column
    if len(name.encode()) <= _NAME_LIMIT:
        return name
    digest = "_" + hashlib.sha256(column.encode()).hexdigest()[:8]
    kept = name.encode()[: _NAME_LIMIT - len(digest)].decode(errors="ignore")
    return kept + digest


def condition(column: str, storage: str) -> str:
    """The condition of a guard; `storage` is the catalogue name of the column's type."""
    name = quote_identifier(column)
    if storage in ("varchar", "bpchar"):
        name = f"({name})::text"
    return _CONDITIONS.get(storage, _TEXT).format(name, storage)


def is_guard(dependent: Dependent, column: str, storage: str) -> bool:
    """Whether a CHECK constraint is the guard of a column."""
    if not dependent.name.startswith(PREFIX) or dependent.columns != (column,):
        return False
    wanted = f"CHECK ({condition(column, storage)})"
    return _unquoted(dependent.definition.removesuffix(NOT_VALID)) == _unquoted(wanted)


def _unquoted(text: str) -> str:
    """The server puts only those names into quotes that need them."""
    return text.replace('"', "")


def find_guard(relation: Relation, bound: BoundField, column: str) -> Dependent | None:
    """The guard that a protected column has."""
    for dependent in relation.dependents:
        if dependent.kind == "check constraint" and is_guard(dependent, column, bound.storage):
            return dependent
    return None


def is_outdated(dependent: Dependent, column: str) -> bool:
    """Whether a CHECK constraint that is no guard was one, of another release or of another type."""
    return dependent.name.startswith(PREFIX) and dependent.columns == (column,)


def find_outdated(relation: Relation, column: str) -> Dependent | None:
    """A constraint that was the guard of a column, where it has none."""
    for dependent in relation.dependents:
        if dependent.kind == "check constraint" and is_outdated(dependent, column):
            return dependent
    return None


def obstacle(binding: Binding, relation: Relation, bound: BoundField) -> str | None:
    """Why a column cannot have a guard, as a clause; None if it can."""
    if bound.problem is not None:
        return bound.problem
    if relation.kind == "f":
        return "it is of a foreign table, whose constraints the server does not enforce"
    if bound.field is not binding.policy.tables.get((relation.schema, relation.name), {}).get(
        bound.field.column
    ):
        return "the guard of its parent table holds for it"
    return None
