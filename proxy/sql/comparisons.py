"""Equality of values: what the server can decide on ciphertexts, and what it has no operator for.

Where PostgreSQL has no operator the error is its own. Only types that are certain count there: a string with
no cast, and a parameter, take the type of what they meet.
"""

from __future__ import annotations

from dataclasses import replace

from policy.conversions import common_type, comparable, sql_name
from policy.types import LogicalType
from proxy.errors import Refused
from proxy.sql.plan import Use
from proxy.sql.roles import Roles
from proxy.sql.unify import fit
from proxy.sql.value import HINTS, NULL, Open, Value, refuse, require_deterministic, require_plain

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
    known = left if left.field is not None else right
    assert known.field is not None
    if known.field.type.name == "bpchar" and left.sources and right.sources:
        refuse(known.field, f"a comparison of other values in {construct}", HINTS["value"])
    for value in (left, right):
        _require_own_spaces(value, construct)
        fit(value, known.field, roles, construct, array=known.array, use=Use.COMPARED, alone=alone)


def _require_own_spaces(value: Value, construct: str) -> None:
    """Trailing spaces count in text, and do not in char(n): ciphertexts know but the column's own rule."""
    if value.field is None or value.type is None or value.sources:
        return
    if (value.type.name == "bpchar") != (value.field.type.name == "bpchar"):
        refuse(value.field, f"a cast in {construct}", HINTS["value"])


def _compare_rows(left: Value, right: Value, roles: Roles, construct: str, operator: str) -> None:
    if left.row is None or right.row is None or left.array != right.array or len(left.row) != len(right.row):
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
    if array.opens and all(map(_is_bare_element, array.opens)):
        _require_operator(_type_of_field(value), LogicalType("text"), operator)
    for part in (value, array):
        _require_own_spaces(part, construct)
        roles.use(part, Use.COMPARED, construct)
    if value.field is not None:
        fit(array, value.field, roles, construct, array=True, use=Use.COMPARED)
    elif array.field is not None:
        fit(value, array.field, roles, construct, use=Use.COMPARED)
    else:
        require_plain(value, construct)
        require_plain(array, construct)


def meet_in_list(roles: Roles, values: list[Value]) -> None:
    """Several constants of IN become one array, of the type that all have in common."""
    typed = [value for value in values if not value.untyped]
    types = [value.type or value.field.type for value in typed if value.field is not None]
    common = common_type(types) if types else None
    if common is None:
        return
    if len(values) > 2:
        for value in values[1:]:
            roles.meet(value, common)
    elif common.name == "float4" and len(types) > 1:  # it may stand for many, which are read otherwise
        assert values[0].field is not None
        refuse(values[0].field, "IN with numbers", "Write the numbers as strings.")


def nullif(left: Value, right: Value, roles: Roles) -> Value:
    """The first of two values that were compared, of the type that it was compared as."""
    if left.null:
        return right if right.opens else NULL
    if left.opens:
        return roles.of(left.opens[0]) or left
    _require_left_type(left, right, roles)
    if left.untyped and right.field is not None and not right.untyped:
        kind = replace(right.type or right.field.type, modifier=-1)
        roles.meet(left, kind)
        left = replace(left, type=kind, untyped=False)
    return _as_compared(left)


def _require_left_type(left: Value, right: Value, roles: Roles) -> None:
    """An integer that is compared with another number becomes one of that type, and comes back as such."""
    if left.field is None or left.untyped or right.field is None:
        return
    if right.untyped:  # a parameter may be declared with a type
        if left.field.type.family in ("int", "float4"):
            roles.show(right, "NULLIF")
        return
    roles.by_types = True
    types = [(value.type or value.field.type).element for value in (left, right) if value.field is not None]
    common = common_type(types)
    spaces = types[0].name == "bpchar" != types[1].name
    if common is not None and (common.family != types[0].family or spaces):
        refuse(left.field, f"NULLIF of a {types[0]} and a {types[1]}", HINTS["value"])


def _as_compared(value: Value) -> Value:
    """Two varchars are compared as text, and one comes back as text."""
    if value.field is None or value.array:
        return value
    kind = value.type or value.field.type
    if kind.array or kind.name != "varchar":
        return value
    return replace(value, type=LogicalType("text"))


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


def _is_bare_element(item: Open) -> bool:
    """A string in ARRAY[...]: if there is nothing else in it, it is an array of text."""
    return item.levels < 0 and not (item.parameter or item.casts) and item.type is None


def _type_of_element(item: Open) -> LogicalType | None:
    """The type of the elements of an array, or of what stands in ARRAY[...]; None if it is not certain."""
    if not item.casts:
        return item.type
    outermost = item.casts[-1].type
    if outermost is None or outermost.array:
        return outermost and outermost.element
    return outermost if item.levels < 0 else None
