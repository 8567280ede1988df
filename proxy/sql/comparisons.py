"""Equality of values: what the server can decide on ciphertexts, and what it has no operator for.

Where PostgreSQL has no operator the error is its own. Only types that are certain count there: a string with
no cast, and a parameter, take the type of what they meet.
"""

from __future__ import annotations

from policy.conversions import comparable, sql_name
from policy.types import LogicalType
from proxy.errors import Refused
from proxy.sql.value import Open, Roles, Value, fit, require_deterministic, require_plain, unify

_HINT = "No operator matches the given name and argument types. You might need to add explicit type casts."


def compare(
    left: Value, right: Value, roles: Roles, construct: str, *, operator: str = "=", alone: bool = False
) -> None:
    """Equality of two values. Raises Refused unless the server can decide it on ciphertexts.

    `alone`: one of them is a value that stands for itself there, and is no part of another expression.
    """
    if left.row is not None or right.row is not None:
        _compare_rows(left, right, roles, construct, operator)
        return
    if not (left.protected or right.protected):
        return
    require_deterministic(left, construct)
    require_deterministic(right, construct)
    for item in right.opens:
        _require_operator(_type_of_field(left), _type_of_open(item), operator)
    for item in left.opens:
        _require_operator(_type_of_open(item), _type_of_field(right), operator)
    unify([left, right], roles, construct, compared=True, alone=alone)


def _compare_rows(left: Value, right: Value, roles: Roles, construct: str, operator: str) -> None:
    if left.row is None or right.row is None or len(left.row) != len(right.row):
        for value in (left, right):
            require_plain(value, f"{construct} of a whole row", "Name the columns.")
        return
    for (_, one), (_, other) in zip(left.row, right.row, strict=True):
        compare(one, other, roles, construct, operator=operator)


def compare_elements(value: Value, array: Value, roles: Roles, construct: str, operator: str = "=") -> None:
    """`value = ANY(array)`: the array's elements are compared with the value."""
    if not (value.protected or array.protected):
        return
    require_deterministic(value, construct)
    require_deterministic(array, construct)
    for item in array.opens:
        _require_operator(_type_of_field(value), _type_of_element(item), operator)
    if value.field is not None:
        fit(array, value.field, roles, construct, array=True, compared=True)
    elif array.field is not None:
        fit(value, array.field, roles, construct, compared=True)
    else:
        require_plain(value, construct)
        require_plain(array, construct)


# --- operators -------------------------------------------------------------------------------------------


def _require_operator(left: LogicalType | None, right: LogicalType | None, operator: str) -> None:
    """Raise 42883 where both types are certain, and are not compared with each other."""
    if left is not None and right is not None and not comparable(left, right):
        message = f"operator does not exist: {sql_name(left)} {operator} {sql_name(right)}"
        raise Refused(message, sqlstate="42883", hint=_HINT)


def _type_of_field(value: Value) -> LogicalType | None:
    return None if value.field is None or value.array else value.type or value.field.type


def _type_of_open(item: Open) -> LogicalType | None:
    """The type of a value that stands for itself, if it is certain."""
    if item.levels == 0:
        return item.casts[-1].type if item.casts else item.type
    return _type_of_element(item) if item.levels > 0 else None


def _type_of_element(item: Open) -> LogicalType | None:
    """The type of the elements of an array, or of what stands in ARRAY[...]; None if it is not certain."""
    if not item.casts:
        return item.type
    outermost = item.casts[-1].type
    if outermost is None or outermost.array:
        return outermost and outermost.element
    return outermost if item.levels < 0 else None
