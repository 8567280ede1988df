"""Which types PostgreSQL assigns to which, and which it compares with `=`. Limits do not matter to either.

Source: pg_cast.dat (castcontext 'i' and 'a'), pg_operator.dat; documentation 10.2 and 10.4.
"""

from __future__ import annotations

from collections.abc import Sequence

from policy.types import LogicalType

STRINGS = frozenset({"text", "varchar", "bpchar"})
_NUMBERS = frozenset({"int2", "int4", "int8", "float4", "float8", "numeric"})
_MOMENTS = frozenset({"date", "timestamp", "timestamptz"})
_DURATIONS = frozenset({"time", "interval"})
_JSON = frozenset({"json", "jsonb"})

_PREFERRED = frozenset({"text", "float8", "timestamptz", "interval", "bool", "inet"})
_CATEGORIES = {"S": STRINGS, "N": _NUMBERS, "D": _MOMENTS | {"time"}}
_NUMBERS_UP = ("int2", "int4", "int8", "numeric", "float4", "float8")  # each becomes those after it
_IMPLICIT: dict[str, frozenset[str]] = {
    **dict.fromkeys(STRINGS, STRINGS),
    **{name: frozenset(_NUMBERS_UP[i + 1 :]) for i, name in enumerate(_NUMBERS_UP)},
    "date": frozenset({"timestamp", "timestamptz"}),
    "timestamp": frozenset({"timestamptz"}),
    "time": frozenset({"interval"}),
}

_HELD_STRINGS = ("text", "varchar")  # char(n) is padded
_INTEGERS = ("int2", "int4", "int8")  # each holds those before it

_NAMES = {
    "varchar": "character varying",
    "bpchar": "character",
    "bool": "boolean",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "time": "time without time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
}


def assignable(source: LogicalType, target: LogicalType) -> bool:
    """Whether a value of one type goes into a column of the other without an explicit cast."""
    if target.name in STRINGS and not target.array:
        return True
    if source.array != target.array:
        return False
    if source.name in ("timestamp", "timestamptz") and target.name == "time":
        return True
    return source.name == target.name or target.name in STRINGS or _together(source, target, _JSON)


def holds(wide: LogicalType, narrow: LogicalType) -> bool:
    """Whether every value of the second type is one of the first, and the same bytes there."""
    if wide == narrow:
        return True
    if wide.array != narrow.array:
        return False
    if wide.name in _HELD_STRINGS and narrow.name in _HELD_STRINGS:
        return wide.length is None or (narrow.length is not None and narrow.length <= wide.length)
    names = (narrow.name, wide.name)
    return all(name in _INTEGERS for name in names) and _INTEGERS.index(names[0]) <= _INTEGERS.index(names[1])


def implicit(source: LogicalType, target: LogicalType) -> bool:
    """Whether a value of one type becomes one of the other wherever that is needed."""
    if source.array != target.array:
        return False
    return source.name == target.name or target.name in _IMPLICIT.get(source.name, ())


def common_type(types: Sequence[LogicalType]) -> LogicalType | None:
    """The type of alternatives, without limits (documentation, 10.5); None where PostgreSQL has an error."""
    chosen = types[0]
    for other in types[1:]:
        if other.array != chosen.array or (not chosen.array and _category(other) != _category(chosen)):
            return None
        preferred = not chosen.array and chosen.name in _PREFERRED
        if not preferred and implicit(chosen, other) and not implicit(other, chosen):
            chosen = other
    if not all(implicit(one, chosen) for one in types):
        return None
    return LogicalType(chosen.name, array=chosen.array)


def _category(logical: LogicalType) -> str:
    return next((name for name, types in _CATEGORIES.items() if logical.name in types), logical.name)


def comparable(one: LogicalType, other: LogicalType) -> bool:
    """Whether there is an operator `=` between two types."""
    if one.array or other.array:
        return one.array == other.array and one.name == other.name != "json"
    return one.name == other.name != "json" or _together(one, other, STRINGS)


def _together(one: LogicalType, other: LogicalType, more: frozenset[str]) -> bool:
    """Whether both belong to one group of types that turn into each other."""
    return any({one.name, other.name} <= group for group in (_NUMBERS, _MOMENTS, _DURATIONS, more))


def sql_name(logical: LogicalType) -> str:
    """The type as PostgreSQL's messages call it."""
    return _NAMES.get(logical.name, logical.name) + ("[]" if logical.array else "")
