"""The types that literals have by their spelling (PostgreSQL documentation, 4.1.2)."""

from __future__ import annotations

from policy.types import TYPES
from proxy.sql.array_literal import NUMBER
from proxy.sql.plan import Slot


def declared_type(slot: Slot, token: bytes, raw: bytes) -> int:
    """The type that a literal has by its spelling, and an array by its elements; 0: a string has none."""
    if slot.elements is not None:
        return _array_type(slot.kind, raw)
    if slot.fixed is not None:
        return TYPES["bool"].oid
    return _number_type(raw) if token[:1].isdigit() or token[:1] == b"." else 0


def _array_type(kind: str, raw: bytes) -> int:
    if kind != NUMBER:
        return TYPES[kind].array_oid if kind else 0
    oids = {_number_type(item) for item in raw.strip(b"{}").split(b",") if item != b"null"}
    return next(TYPES[name].array_oid for name in ("numeric", "int8", "int4") if TYPES[name].oid in oids)


def _number_type(number: bytes) -> int:
    """The type that PostgreSQL gives a number written without quotes (documentation, 4.1.2.6)."""
    digits = number.removeprefix(b"-")
    if not digits.isdigit():
        return TYPES["numeric"].oid
    return TYPES["int4" if int(digits) < 1 << 31 else "int8" if int(digits) < 1 << 63 else "numeric"].oid
