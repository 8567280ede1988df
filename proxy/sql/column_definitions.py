"""Columns as CREATE TABLE and ALTER TABLE define them: a protected one gets its storage type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from policy.binding import BoundField
from policy.model import Field, Mode
from policy.storage import LONGEST, widened
from policy.types import TYPES, LogicalType
from proxy.errors import Refused
from proxy.sql.context import Context, logical_type
from proxy.sql.parse import Node


def define(context: Context, node: Node, fields: Mapping[str, Field]) -> BoundField | None:
    """Give a protected column its storage type; the field as it will be bound."""
    field = fields.get(node.colname)
    if field is None or node.typeName is None:
        return None
    written = logical_type(node.typeName)
    logical = field.type or written
    if logical is None:
        refuse_definition(field, "its type cannot be protected", f"Use one of {', '.join(TYPES)}.")
    if field.type is None:
        _require_kept(field, logical)
        if logical.length is not None:
            return widen(context, node, field, logical)
    if field.mode is Mode.DETERMINISTIC and not logical.deterministic:
        refuse_definition(field, f"type {logical} cannot be deterministic", "Change the policy.")
    storage = logical.storage
    if field.type is not None and storage in ("varchar", "bpchar"):
        storage = "text"
    site = context.cast_site(node.typeName)
    if site is not None and (written is None or written.name != storage or written.modifier >= 0):
        context.type_edits[site.start] = (site.end, storage)
    return BoundField(field, logical, storage, TYPES[storage].oid, 0, 0, None)


def unwritten(field: Field) -> BoundField:
    """A column that comes from a type, from LIKE, or from a parent that does not protect it."""
    logical = field.type or LogicalType("text")
    problem = "its type is not written in the statement"
    return BoundField(field, logical, logical.storage, TYPES[logical.storage].oid, 0, 0, problem)


def widen(context: Context, node: Node, field: Field, logical: LogicalType) -> BoundField:
    """A varchar(n) of which the policy does not say the length: the column remembers it."""
    site = context.cast_site(node.typeName)
    if site is not None and logical.length is not None:
        context.type_edits[site.start] = (site.end, f"varchar({widened(logical.length)})")
    return BoundField(field, logical, "varchar", TYPES["varchar"].oid, 0, 0, None)


def _require_kept(field: Field, written: LogicalType) -> None:
    """Without a type in the policy the column's own is the logical one, so that it may not become another."""
    if written.name == "bpchar":
        refuse_definition(
            field,
            f"{written} would pad ciphertext with blanks",
            f"Write type: {written} in the policy; pgveil then makes it text, and keeps the length.",
        )
    if written.array or written.storage != written.name or (written.length or 0) > LONGEST:
        refuse_definition(
            field,
            f"ciphertext of {written} is kept in {written.storage}, which would then be its type",
            f"Write type: {written} in the policy.",
        )


def refuse_definition(field: Field, problem: str, hint: str) -> NoReturn:
    """Refuse to make a column of a field."""
    raise Refused(f'protected column "{field}" cannot be made like this: {problem}', hint=hint)
