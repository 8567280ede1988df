"""What the server itself does with a protected column: indexes, constraints, triggers, and so on.

They see ciphertext. Each kind of dependent has one function that says what comes of it, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from policy.binding import Binding, BoundField
from policy.catalog import Dependent, Relation
from policy.guard import is_guard, is_outdated
from policy.model import Mode
from policy.names import qualified
from policy.server_code import row_columns

ERROR, WARNING = "error", "warning"
Hazard = tuple[str, str]  # severity, and a clause that follows the column's name

_INDEX_METHOD = re.compile(r" USING (\w+) ")
_FUNCTION = re.compile(r'EXECUTE (?:FUNCTION|PROCEDURE) (?:.*\.)?"?([^".(]+)"?\(')
_EQUALITY_METHODS = ("btree", "hash")
_UNEQUAL = "as equal values get different ciphertexts: use a deterministic class, or drop it"


def find(binding: Binding, relation: Relation, bound: BoundField, column: str) -> Iterator[Hazard]:
    """The hazards of one protected column."""
    for dependent in relation.dependents:
        if column in dependent.columns or not dependent.columns:
            hazard = _KINDS[dependent.kind](binding, dependent, bound, column)
            if hazard is not None:
                yield hazard


def _unique_index(binding: Binding, index: Dependent, bound: BoundField, column: str) -> Hazard | None:
    if column in index.keys and bound.field.mode is Mode.RANDOMIZED:
        return ERROR, f"the {index.kind} {index.name} would no longer find duplicates, {_UNEQUAL}"
    if _computes_on(index, column):
        return ERROR, f"the {index.kind} {index.name} computes on it, and would see ciphertext: drop it"
    return None


def _index(binding: Binding, index: Dependent, bound: BoundField, column: str) -> Hazard | None:
    method = _INDEX_METHOD.search(index.definition)
    if column in index.keys and bound.field.mode is Mode.RANDOMIZED:
        return WARNING, f"the index {index.name} is of no use on randomized ciphertext"
    if _computes_on(index, column):
        return WARNING, f"the index {index.name} computes on it, and sees ciphertext"
    if method is not None and method[1] not in _EQUALITY_METHODS:
        return WARNING, f"the index {index.name} is of no use: {method[1]} does not serve equality"
    return None


def _computes_on(dependent: Dependent, column: str) -> bool:
    """Whether an expression or a predicate has the column, other than to test it for NULL."""
    _, _, predicate = dependent.definition.partition(" WHERE ")
    text = predicate if column in dependent.keys else dependent.definition
    name = rf'(?<![\w"])"?{re.escape(column)}"?(?![\w"])'
    return len(re.findall(name, text)) > len(re.findall(name + r" IS (?:NOT )?NULL", text))


def _exclusion(binding: Binding, found: Dependent, bound: BoundField, column: str) -> Hazard:
    return ERROR, f"the exclusion constraint {found.name} would compare ciphertext: drop it"


def _foreign_key(binding: Binding, found: Dependent, bound: BoundField, column: str) -> Hazard | None:
    if bound.field.mode is Mode.RANDOMIZED:
        return ERROR, f"the foreign key {found.name} cannot hold, {_UNEQUAL}"
    other = binding.catalog.relations.get(found.references)
    if other is None:
        return None
    paired_name = dict(zip(found.columns, found.referenced, strict=True))[column]
    paired = binding.of(other).get(paired_name)
    if paired is not None and _comparable(bound, paired):
        return None
    name = qualified(other.schema, other.name, paired_name)
    return ERROR, f"the foreign key {found.name} pairs it with {name}: both need the same key: and type"


def _comparable(one: BoundField, other: BoundField) -> bool:
    """Whether equal values of both have equal ciphertexts."""
    same_key = (one.field.key_name, one.field.algorithm) == (other.field.key_name, other.field.algorithm)
    return same_key and one.type.family == other.type.family


def _check_constraint(binding: Binding, found: Dependent, bound: BoundField, column: str) -> Hazard | None:
    if is_guard(found, column, bound.storage):
        return None
    if is_outdated(found, column):
        return (
            WARNING,
            f"the guard {found.name} has another form than this release's: see pgveil guard install",
        )
    if _computes_on(found, column):
        return ERROR, f"the check constraint {found.name} would see ciphertext: drop it"
    return None


def _generated_column(binding: Binding, found: Dependent, bound: BoundField, column: str) -> Hazard:
    return ERROR, f"the generated column {found.name} is computed from it, and would see ciphertext"


def _partition_key(binding: Binding, found: Dependent, bound: BoundField, column: str) -> Hazard:
    return ERROR, "the table is partitioned by it, and the server would choose partitions by ciphertext"


def _row_policy(binding: Binding, found: Dependent, bound: BoundField, column: str) -> Hazard:
    return ERROR, f"the row security policy {found.name} would see ciphertext"


def _trigger(binding: Binding, found: Dependent, bound: BoundField, column: str) -> Hazard:
    function = _FUNCTION.search(found.definition)
    bodies = binding.catalog.trigger_code.get(function[1], ()) if function is not None else ()
    used = [written for body in bodies for name, written in row_columns(body) if name == column]
    if any(used):
        return ERROR, f"the trigger {found.name} writes it, and would spoil the ciphertext"
    if used:
        return WARNING, f"the trigger {found.name} reads it, and sees ciphertext"
    return WARNING, f"the {found.kind} {found.name} on its table sees ciphertext, and may copy or refuse it"


_KINDS: Mapping[str, Callable[[Binding, Dependent, BoundField, str], Hazard | None]] = {
    "primary key": _unique_index,
    "unique index": _unique_index,
    "index": _index,
    "exclusion constraint": _exclusion,
    "foreign key": _foreign_key,
    "check constraint": _check_constraint,
    "generated column": _generated_column,
    "partition key": _partition_key,
    "row security policy": _row_policy,
    "trigger": _trigger,
    "rule": _trigger,
}
