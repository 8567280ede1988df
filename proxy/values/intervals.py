"""interval: canonical bytes are PostgreSQL's binary format.

Sixteen bytes, big-endian: microseconds (8), days (4), months (4). The parts stay apart: 1 day and 24 hours
are equal to PostgreSQL and yet print differently, so an interval is not fit for equality by bytes. From
PostgreSQL 17 on, all three at their largest are infinity, at their smallest -infinity. Source: PostgreSQL's
timestamp.c.
"""

from __future__ import annotations

import struct

from proxy.errors import InvalidValue
from proxy.values.codec import Codec, bad_binary
from proxy.values.interval_input import read_interval
from proxy.values.interval_output import STYLES, Parts
from proxy.values.settings import Settings
from proxy.values.spaces import strip

_WIRE = struct.Struct(">qii")
_INFINITY = _WIRE.pack(2**63 - 1, 2**31 - 1, 2**31 - 1)
_MINUS_INFINITY = _WIRE.pack(-(2**63), -(2**31), -(2**31))
_WORDS = {b"infinity": _INFINITY, b"+infinity": _INFINITY, b"-infinity": _MINUS_INFINITY}


class IntervalCodec(Codec):
    """An interval without limits on its fields."""

    binary_is_canonical = True

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        if (infinite := _WORDS.get(strip(raw).lower())) is not None:
            return infinite
        return self.from_parts(*read_interval(raw, settings))

    def from_binary(self, raw: bytes, settings: Settings) -> bytes:
        if len(raw) != _WIRE.size:
            raise bad_binary()
        return raw

    def to_text(self, canonical: bytes, settings: Settings) -> bytes:
        if canonical in (_INFINITY, _MINUS_INFINITY):
            return b"infinity" if canonical == _INFINITY else b"-infinity"
        spell = STYLES.get(settings.interval_style)
        if spell is None:
            raise InvalidValue("the session's IntervalStyle is not known to pgveil", sqlstate="0A000")
        microseconds, days, months = _WIRE.unpack(canonical)
        return spell(Parts.of(months, days, microseconds)).encode()

    def to_binary(self, canonical: bytes, settings: Settings) -> bytes:
        return canonical

    def from_parts(self, months: int, days: int, microseconds: int) -> bytes:
        """Canonical bytes of the three parts, each within its range."""
        return _WIRE.pack(microseconds, days, months)


def to_parts(canonical: bytes) -> tuple[int, int, int]:
    """Months, days and microseconds of canonical bytes."""
    microseconds, days, months = _WIRE.unpack(canonical)
    return months, days, microseconds
