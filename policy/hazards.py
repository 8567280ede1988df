"""What the server itself does with a protected column: indexes, constraints, triggers, and so on.

They see ciphertext. Each kind of dependent has one function that says what comes of it, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from policy.binding import Binding, BoundField
from policy.catalog import Dependent, Relation
from policy.model import Mode
from policy.names import qualified

ERROR, WARNING = "error", "warning"
Hazard = tuple[str, str]  # severity, and what is wrong

_INDEX_METHOD = re.compile(r" USING (\w+) ")
_EQUALITY_METHODS = ("btree", "hash")


def find(binding: Binding, relation: Relation, bound: BoundField, column: str) -> Iterator[Hazard]:
    """The hazards of one protected column, as (severity, clause that follows the column's name)."""
    for dependent in relation.dependents:
        if column in dependent.columns or not dependent.columns:
            yield from _KINDS[dependent.kind](binding, dependent, bound, column)


def _unique_index(binding: Binding, index: Dependent, bound: BoundField, column: str) -> Iterator[Hazard]:
    if column in index.keys and bound.field.mode is Mode.RANDOMIZED:
        yield (
            ERROR,
            (
                f"the {index.kind} {index.name} would no longer find duplicates, as equal values get different "
                "ciphertexts: use a deterministic class, or drop it"
            ),
        )
    elif _computes_on(index, column):
        yield ERROR, f"the {index.kind} {index.name} computes on it, and would see ciphertext: drop it"


def _index(binding: Binding, index: Dependent, bound: BoundField, column: str) -> Iterator[Hazard]:
    method = _INDEX_METHOD.search(index.definition)
    if column in index.keys and bound.field.mode is Mode.RANDOMIZED:
        yield WARNING, f"the index {index.name} is of no use on randomized ciphertext"
    elif _computes_on(index, column):
        yield WARNING, f"the index {index.name} computes on it, and sees ciphertext"
    elif method is not None and method[1] not in _EQUALITY_METHODS:
        yield WARNING, f"the index {index.name} is of no use: {method[1]} does not serve equality"


def _computes_on(index: Dependent, column: str) -> bool:
    """Whether an index has the column in an expression or its predicate, other than to test it for NULL."""
    _, _, predicate = index.definition.partition(" WHERE ")
    text = predicate if column in index.keys else index.definition
    name = rf'(?<![\w"])"?{re.escape(column)}"?(?![\w"])'
    return len(re.findall(name, text)) > len(re.findall(name + r" IS (?:NOT )?NULL", text))


def _exclusion(binding: Binding, found: Dependent, bound: BoundField, column: str) -> Iterator[Hazard]:
    yield ERROR, f"the exclusion constraint {found.name} would compare ciphertext: drop it"


def _foreign_key(binding: Binding, found: Dependent, bound: BoundField, column: str) -> Iterator[Hazard]:
    if bound.field.mode is Mode.RANDOMIZED:
        yield (
            ERROR,
            (
                f"the foreign key {found.name} cannot hold, since equal values get different ciphertexts: "
                "use a deterministic class, or drop it"
            ),
        )
        return
    other = binding.catalog.relations.get(found.references)
    for own, name in zip(found.columns, found.referenced, strict=False):
        if own != column or other is None:
            continue
        paired = binding.of(other).get(name)
        if paired is None or not _comparable(bound, paired):
            yield (
                ERROR,
                (
                    f"the foreign key {found.name} pairs it with {qualified(other.schema, other.name, name)}: "
                    "both must have the same key: and type"
                ),
            )


def _comparable(one: BoundField, other: BoundField) -> bool:
    """Whether equal values of both have equal ciphertexts."""
    same_key = (one.field.key_name, one.field.algorithm) == (other.field.key_name, other.field.algorithm)
    return same_key and one.type.family == other.type.family and one.storage_oid == other.storage_oid


def _check_constraint(binding: Binding, found: Dependent, bound: BoundField, column: str) -> Iterator[Hazard]:
    if _computes_on(found, column):
        yield ERROR, f"the check constraint {found.name} would see ciphertext: drop it"


def _generated_column(binding: Binding, found: Dependent, bound: BoundField, column: str) -> Iterator[Hazard]:
    yield ERROR, f"the generated column {found.name} is computed from it, and would see ciphertext"


def _partition_key(binding: Binding, found: Dependent, bound: BoundField, column: str) -> Iterator[Hazard]:
    yield ERROR, "the table is partitioned by it, and the server would choose partitions by ciphertext"


def _row_policy(binding: Binding, found: Dependent, bound: BoundField, column: str) -> Iterator[Hazard]:
    yield ERROR, f"the row security policy {found.name} would see ciphertext"


def _trigger(binding: Binding, found: Dependent, bound: BoundField, column: str) -> Iterator[Hazard]:
    yield WARNING, f"the {found.kind} {found.name} on its table sees ciphertext, and may copy or refuse it"


_KINDS: Mapping[str, Callable[[Binding, Dependent, BoundField, str], Iterator[Hazard]]] = {
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
