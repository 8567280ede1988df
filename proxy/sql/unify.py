"""How values meet: alternatives of one column, a value and its field, a cast around a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from policy.binding import BoundField
from policy.conversions import common_type, sql_name
from policy.types import LogicalType
from proxy.errors import Refused
from proxy.sql.documents import alternatives, cast_document
from proxy.sql.plan import Use
from proxy.sql.roles import Roles
from proxy.sql.value import (
    HINTS,
    NULL,
    PLAIN,
    CastSite,
    Open,
    Value,
    refuse,
    require_plain,
    same_key,
)


def unify(values: Sequence[Value], roles: Roles, construct: str) -> Value:
    """The common value of alternatives (CASE, COALESCE, UNION, rows of VALUES)."""
    holders = [value for value in values if value.protected]
    if not holders:
        if all(value.opens or value.wholes or value.null for value in values):
            opens, wholes = tuple(item for value in values for item in value.opens), _wholes(values)
            return Value(opens=opens, wholes=wholes) if opens or wholes else NULL
        return PLAIN
    if any(value.json for value in holders):
        return alternatives(values, construct)
    first = holders[0]
    if first.field is None:
        return _unify_rows(values, roles, construct)
    for value in values:
        fit(value, first.field, roles, construct, array=first.array)
    kind = _common_type(values, holders, construct)
    untyped = all(value.untyped for value in holders)
    sources = tuple(item for value in holders for item in value.sources)
    if untyped and len({bool(item.parameter) for item in sources}) > 1:
        _require_text(first.field, construct)
    for value in holders if not untyped else ():
        roles.meet(value, replace(kind, modifier=-1))
    return replace(
        first,
        type=None if kind == first.field.type else kind,
        untyped=untyped,
        sources=sources,
        blended=any(value.blended or not value.sources for value in holders),
    )


def _wholes(values: Sequence[Value]) -> tuple[Open, ...]:
    """Alternatives of which one is ARRAY[...]: each is an array, as one value."""
    if not any(value.wholes for value in values):
        return ()
    return tuple(item for value in values for item in value.wholes or value.opens)


def _require_text(field: BoundField, construct: str) -> None:
    """Beside strings of no type, a parameter may be declared with one, which they then have."""
    if field.type.family != "text":
        refuse(field, f"parameters and other values of no type in {construct}", HINTS["type"])


def _common_type(values: Sequence[Value], holders: Sequence[Value], construct: str) -> LogicalType:
    """The type of alternatives; limits only where all have the same. What has no type has no say in it."""
    typed = [value for value in holders if not value.untyped] or holders
    types = [value.type or value.field.type for value in typed if value.field is not None]
    if len(typed) == len(values) and len(set(types)) == 1:
        return types[0]
    common = common_type(types)
    if common is None:
        names = " and ".join(dict.fromkeys(sql_name(one) for one in types))
        raise Refused(f"{construct} types {names} cannot be matched", sqlstate="42804")
    return common


def left(value: Value) -> Value:
    """A value outside the query that gives it: what was a string of no type is text."""
    if value.row is not None:
        return replace(value, row=tuple((name, left(part)) for name, part in value.row))
    opens = tuple(replace(item, left=True) for item in value.opens)
    wholes = tuple(replace(item, left=True) for item in value.wholes)
    sources = tuple(replace(item, left=True) for item in value.sources)
    value = replace(value, opens=opens, wholes=wholes, sources=sources)
    if value.field is None or not value.untyped or value.field.type.family != "text":
        return value
    text = LogicalType("text")
    return replace(value, type=None if value.field.type == text else text, untyped=False)


def without_limits(value: Value) -> Value:
    """A field's value as a function gives it back: of its type, with no limits."""
    if value.field is None:
        return value
    kind = replace(value.type or value.field.type, modifier=-1)
    return replace(value, type=None if kind == value.field.type else kind)


def _unify_rows(values: Sequence[Value], roles: Roles, construct: str) -> Value:
    rows = [value.row for value in values if not value.null]
    width = len(rows[0] or ())
    if any(row is None or len(row) != width for row in rows) or any(value.array for value in values):
        holder = next(iter(next(value for value in values if value.protected).fields))
        refuse(holder, f"a whole row in {construct}", "Name the columns.")
    known = [row for row in rows if row is not None]
    return Value(
        row=tuple(
            (known[0][i][0], unify([row[i][1] for row in known], roles, construct)) for i in range(width)
        )
    )


def fit(
    value: Value,
    field: BoundField,
    roles: Roles,
    construct: str,
    *,
    array: bool = False,
    use: Use = Use.NONE,
    alone: bool = False,
) -> None:
    """Make a value one of the field's: opens are given the role, its own column is let through.

    `alone`: the value stands for itself there, and is no part of another expression.
    """
    if value.null:
        return
    if value.field is not None:
        if not same_key(value.field, field) or value.array != array:
            refuse(field, f"a value of another field in {construct}", HINTS["value"])
        roles.use(value, use, construct)
        return
    if value.wholes and field.type.array and not array:
        for item in value.wholes:
            roles.assign(item, field, array=False, construct=construct, use=use, alone=alone)
        return
    if value.opens:
        for item in value.opens:
            roles.assign(item, field, array=array, construct=construct, use=use, alone=alone)
        return
    refuse(field, f"an expression in {construct}", HINTS["value"])


def with_cast(value: Value, site: CastSite, roles: Roles) -> Value:
    """A cast around a value: kept with an open one, checked and rewritten on a field's own."""
    if value.null or not (value.opens or value.wholes or value.protected):
        return value
    if value.opens or value.wholes:
        opens = tuple(replace(o, casts=(*o.casts, site)) for o in value.opens)
        wholes = tuple(replace(o, casts=(*o.casts, site)) for o in value.wholes)
        return replace(value, opens=opens, wholes=wholes)
    if value.json is not None:
        return cast_document(value, site)
    if value.records is not None and site.type is not None and site.type.name in ("json", "jsonb"):
        return value
    if value.field is None:
        require_plain(value, "a cast of a row or of a JSON document")
        return value
    if site.start not in roles.casts:  # else it was judged when the value got its role
        roles.cast(site, value.field, "a cast")
    assert site.type is not None
    kind = site.type if value.field.type.array else site.type.element
    sources = value.sources
    if value.blended or not sources:
        _require_same_values(value, value.field, kind)
    else:
        sources = tuple(replace(item, casts=(*item.casts, site)) for item in sources)
    kind_or_own = None if kind == value.field.type else kind
    return replace(value, type=kind_or_own, untyped=False, sources=sources)


def _require_same_values(value: Value, field: BoundField, target: LogicalType) -> None:
    """Refuse a cast that would change a value, or be an error for some: the server casts but ciphertext."""
    own = value.type or field.type
    limited = bool(value.sources) and target.modifier >= 0
    if limited or target.row.typlen < own.row.typlen:
        refuse(field, f"a cast to {target}", HINTS["function"])
