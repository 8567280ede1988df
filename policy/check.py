"""Policy x catalogue -> findings: what leaks, fails or silently stops working once a column is protected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policy import hazards, storage
from policy.binding import TABLE_KINDS, Binding, BoundField, bind
from policy.catalog import SYSTEM_SCHEMAS, Catalog, Column, Relation
from policy.document import suggestion
from policy.hazards import ERROR, WARNING
from policy.model import Field, Location, Policy
from policy.names import qualified


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found about the field at `location` of the policy; `severity`: error, warning, note."""

    severity: str
    location: Location
    message: str

    def __str__(self) -> str:
        return f"{self.location}: {self.severity}: {self.message}"


def check(policy: Policy, catalog: Catalog) -> list[Finding]:
    """Compare a policy with a database; the findings stand in the order of the policy."""
    binding = bind(policy, catalog)
    found = [*_names(policy, catalog), *_columns(binding), *_shared_keys(binding)]
    unique = dict.fromkeys(found)  # a hazard of a whole table is found once for each of its columns
    return sorted(unique, key=lambda finding: (finding.location.line, finding.location.column))


def _names(policy: Policy, catalog: Catalog) -> Iterator[Finding]:
    """Tables and columns that are not there, or that no policy can protect."""
    present = frozenset(_present(policy, catalog))
    for (schema, table), fields in policy.tables.items():
        relation = catalog.lookup(schema, table)
        if relation is not None and _can_be_protected(relation):
            yield from _missing_columns(relation, fields, present)
            continue
        missing = [field for field in fields.values() if field.id not in present]
        for field in missing[:1]:
            yield Finding(ERROR, field.location, _no_table(schema, table, relation, catalog))


def _present(policy: Policy, catalog: Catalog) -> Iterator[str]:
    """The ids of the fields that a column holds, under any of their names."""
    for field in policy.fields():
        relation = catalog.lookup(field.schema, field.table)
        if relation is not None and _can_be_protected(relation) and relation.column(field.column) is not None:
            yield field.id


def _can_be_protected(relation: Relation) -> bool:
    return relation.kind in TABLE_KINDS and not relation.system


def _missing_columns(
    relation: Relation, fields: Mapping[str, Field], present: frozenset[str]
) -> Iterator[Finding]:
    names = [column.name for column in relation.columns]
    for name, field in fields.items():
        if name not in names and field.id not in present:
            yield Finding(ERROR, field.location, f"column {field} does not exist{suggestion(name, names)}")


def _no_table(schema: str, table: str, relation: Relation | None, catalog: Catalog) -> str:
    name = qualified(schema, table)
    if schema in SYSTEM_SCHEMAS:
        return f"{name} is the server's own and cannot be protected"
    if relation is not None:
        kind = "a materialized view" if relation.kind == "m" else "a view"
        return f"{name} is {kind}: name the table that it reads"
    for elsewhere in catalog.named(table):
        if not elsewhere.system:
            return f"table {name} does not exist (did you mean {qualified(elsewhere.schema, table)!r}?)"
    tables = {other.name for other in catalog.relations.values() if other.schema == schema}
    return f"table {name} does not exist{suggestion(table, tables)}"


def _columns(binding: Binding) -> Iterator[Finding]:
    """What is found about each protected column, those of partitions and child tables too."""
    for oid, bound_columns in binding.columns.items():
        relation = binding.catalog.relations[oid]
        for name, bound in bound_columns.items():
            column = relation.column(name)
            assert column is not None  # bound columns exist
            subject = qualified(relation.schema, relation.name, name)
            location = bound.field.location
            if bound.problem is not None:
                # While plaintext is allowed a migration is under way, and the column is to be changed by it.
                severity = WARNING if bound.field.plaintext_allowed else ERROR
                yield Finding(severity, location, f"{subject}: {bound.problem}")
            for severity, message in (*_column(bound, column), *hazards.find(binding, relation, bound, name)):
                yield Finding(severity, location, f"{subject}: {message}")


def _column(bound: BoundField, column: Column) -> Iterator[tuple[str, str]]:
    if bound.problem is None and (too_short := _too_short(bound, column)) is not None:
        yield too_short
    if column.generated:
        yield ERROR, "it is a generated column, which the server computes itself and stores in plaintext"
    elif column.identity:
        yield ERROR, "it is an identity column, whose values the server makes itself"
    elif (
        column.has_default
        and not (column.default or "").startswith("NULL")
        and not storage.is_sealed(column.default)
    ):
        yield ERROR, "it has a DEFAULT, which the server would store in plaintext: drop the default"


def _too_short(bound: BoundField, column: Column) -> tuple[str, str] | None:
    limit = storage.length_limit(column)
    if limit is None:
        return None
    spelled, logical = storage.spelled(column), bound.type
    needed = storage.needed_length(logical, bound.field.algorithm)
    if needed is None:
        fits = storage.plaintext_bytes(limit, bound.field.algorithm)
        return (
            WARNING,
            f"it is of type {spelled}, where ciphertext of only {fits} bytes fits: change it to text",
        )
    if needed <= limit:
        return None
    return ERROR, (
        f"it is of type {spelled}, and ciphertext of {logical} has up to {needed} characters: "
        f"change the column to text (no row is rewritten) and write type: {logical} in the policy"
    )


def _shared_keys(binding: Binding) -> Iterator[Finding]:
    """Fields of one key are compared as ciphertext, so their values must have one canonical form."""
    first: dict[str, BoundField] = {}
    for by_name in binding.columns.values():
        for bound in by_name.values():
            other = first.setdefault(bound.field.key_name, bound)
            if bound.problem is None and other.problem is None and bound.type.family != other.type.family:
                message = f"the key {bound.field.key_name!r} is shared by columns of type"
                yield Finding(ERROR, bound.field.location, f"{message} {other.type} and of type {bound.type}")
