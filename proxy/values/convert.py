"""Parameters that the client declared with another type than the field's."""

from __future__ import annotations

from policy.types import LogicalType
from proxy.errors import InvalidValue
from proxy.values.settings import Settings
from proxy.values.table import codec

_TEXT_LIKE = {0, 25, 705, 1042, 1043}


def convert(raw: bytes, fmt: int, declared_oid: int, type: LogicalType, settings: Settings) -> bytes:  # noqa: A002
    """Canonical bytes of a parameter of type `declared_oid`, format 0 (text) or 1 (binary)."""
    target = codec(type)
    if fmt == 0 and (declared_oid in _TEXT_LIKE or declared_oid == type.oid):
        return target.from_text(raw, settings)
    if declared_oid in (0, type.oid):
        return target.from_binary(raw, settings)
    if declared_oid in _TEXT_LIKE:
        return target.from_text(raw, settings)
    raise InvalidValue(f"field is of type {type} but the parameter is of another type", sqlstate="42804")
