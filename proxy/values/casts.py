"""PostgreSQL's assignment casts between the types that pgveil knows: one row a pair of types.

A cast takes canonical bytes of one type to those of another, through the target's codec, which rounds to the
target's limits and refuses what they do not hold. Source: pg_cast.dat, rows with castcontext 'i' and 'a';
documentation 10.4 (every type has an assignment cast to the string types).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

from proxy.errors import InvalidValue
from proxy.values import dates, inet, integers, intervals, timestamps
from proxy.values.codec import Codec
from proxy.values.dates import DateCodec
from proxy.values.floats import FloatCodec
from proxy.values.gregorian import DAY
from proxy.values.integers import IntegerCodec
from proxy.values.intervals import IntervalCodec
from proxy.values.settings import Settings
from proxy.values.times import TimeCodec
from proxy.values.times import to_number as time_number
from proxy.values.timestamps import TimestampCodec

Cast = Callable[[bytes, Codec, Codec, Settings], bytes]  # value, its codec, the target's codec, settings

STRINGS = ("text", "varchar", "bpchar")
_INTEGERS = ("int2", "int4", "int8")
_FLOATS = ("float4", "float8")


def _integer_to_integer(value: bytes, source: Codec, target: Codec, settings: Settings) -> bytes:
    assert isinstance(target, IntegerCodec)
    return target.from_number(integers.to_number(value))


def _through_text(value: bytes, source: Codec, target: Codec, settings: Settings) -> bytes:
    return target.from_text(source.to_text(value, settings), settings)


def _float_to_integer(value: bytes, source: Codec, target: Codec, settings: Settings) -> bytes:
    """Half to even, as C's rint."""
    assert isinstance(source, FloatCodec)
    assert isinstance(target, IntegerCodec)
    number = source.to_number(value)
    if not math.isfinite(number):
        raise InvalidValue(f"{target.name} out of range", sqlstate="22003")
    return target.from_number(round(number))


def _float_to_float(value: bytes, source: Codec, target: Codec, settings: Settings) -> bytes:
    assert isinstance(source, FloatCodec)
    assert isinstance(target, FloatCodec)
    number = source.to_number(value)
    nearest = target.nearest(number)
    if (math.isinf(nearest) and math.isfinite(number)) or (number and not nearest):
        raise target.overflow()
    return target.from_number(nearest)


def _float_to_numeric(value: bytes, source: Codec, target: Codec, settings: Settings) -> bytes:
    """By way of as many decimal digits as the float is sure of: 6 or 15."""
    assert isinstance(source, FloatCodec)
    digits = 6 if len(value) == 4 else 15
    return target.from_text(f"{source.to_number(value):.{digits}g}".encode(), settings)


def _numeric_to_integer(value: bytes, source: Codec, target: Codec, settings: Settings) -> bytes:
    """Half away from zero."""
    assert isinstance(target, IntegerCodec)
    number = Decimal(value.decode())
    if not number.is_finite():
        kind = "NaN" if number.is_nan() else "infinity"
        raise InvalidValue(f"cannot convert {kind} to {target.name}", sqlstate="0A000")
    return target.from_number(int(number.to_integral_value(ROUND_HALF_UP)))


def _date_to_timestamp(value: bytes, source: Codec, target: Codec, settings: Settings) -> bytes:
    """Midnight: in the session's zone for a timestamptz."""
    assert isinstance(target, TimestampCodec)
    days = dates.to_number(value)
    if days in (dates.INFINITY, dates.MINUS_INFINITY):
        return target.from_number(timestamps.INFINITY if days > 0 else timestamps.MINUS_INFINITY)
    return target.from_number(target.from_local(days * DAY, settings))


def _timestamp_to_date(value: bytes, source: Codec, target: Codec, settings: Settings) -> bytes:
    assert isinstance(source, TimestampCodec)
    assert isinstance(target, DateCodec)
    number = timestamps.to_number(value)
    if number in (timestamps.INFINITY, timestamps.MINUS_INFINITY):
        return target.from_number(dates.INFINITY if number > 0 else dates.MINUS_INFINITY)
    return target.from_number(source.to_local(number, settings) // DAY)


def _timestamp_to_timestamp(value: bytes, source: Codec, target: Codec, settings: Settings) -> bytes:
    """With or without a zone: local times are the session's."""
    assert isinstance(source, TimestampCodec)
    assert isinstance(target, TimestampCodec)
    number = timestamps.to_number(value)
    if number in (timestamps.INFINITY, timestamps.MINUS_INFINITY):
        return target.from_number(number)
    return target.from_number(target.from_local(source.to_local(number, settings), settings))


def _timestamp_to_time(value: bytes, source: Codec, target: Codec, settings: Settings) -> bytes:
    assert isinstance(source, TimestampCodec)
    assert isinstance(target, TimeCodec)
    number = timestamps.to_number(value)
    if number in (timestamps.INFINITY, timestamps.MINUS_INFINITY):  # NULL in PostgreSQL
        raise InvalidValue("cannot convert an infinite timestamp to time", sqlstate="22008")
    return target.from_number(source.to_local(number, settings) % DAY)


def _interval_to_time(value: bytes, source: Codec, target: Codec, settings: Settings) -> bytes:
    assert isinstance(target, TimeCodec)
    return target.from_number(intervals.to_parts(value)[2] % DAY)


def _time_to_interval(value: bytes, source: Codec, target: Codec, settings: Settings) -> bytes:
    assert isinstance(target, IntervalCodec)
    return target.from_parts(0, 0, time_number(value))


def _bool_to_string(value: bytes, source: Codec, target: Codec, settings: Settings) -> bytes:
    return target.from_text(b"false" if value == b"\0" else b"true", settings)


def _inet_to_string(value: bytes, source: Codec, target: Codec, settings: Settings) -> bytes:
    """With the netmask even where it is all bits."""
    return target.from_text(b"%s/%d" % (inet.spell_host(value), value[1]), settings)


_PAIRS: dict[tuple[str, str], Cast] = {
    **{(a, b): _integer_to_integer for a in _INTEGERS for b in _INTEGERS},
    **{(a, b): _through_text for a in _INTEGERS for b in (*_FLOATS, "numeric")},
    **{(a, b): _float_to_integer for a in _FLOATS for b in _INTEGERS},
    **{(a, b): _float_to_float for a in _FLOATS for b in _FLOATS},
    **{(a, "numeric"): _float_to_numeric for a in _FLOATS},
    **{("numeric", b): _numeric_to_integer for b in _INTEGERS},
    **{("numeric", b): _through_text for b in (*_FLOATS, "numeric")},
    **{("date", b): _date_to_timestamp for b in ("timestamp", "timestamptz")},
    **{(a, "date"): _timestamp_to_date for a in ("timestamp", "timestamptz")},
    **{(a, "time"): _timestamp_to_time for a in ("timestamp", "timestamptz")},
    ("timestamp", "timestamptz"): _timestamp_to_timestamp,
    ("timestamptz", "timestamp"): _timestamp_to_timestamp,
    ("interval", "time"): _interval_to_time,
    ("time", "interval"): _time_to_interval,
    ("json", "jsonb"): _through_text,
    ("jsonb", "json"): _through_text,
    **{("bool", b): _bool_to_string for b in STRINGS},
    **{("inet", b): _inet_to_string for b in STRINGS},
}


def cast(source: str, target: str) -> Cast | None:
    """The assignment cast between two types of different names; None if PostgreSQL has none."""
    if (found := _PAIRS.get((source, target))) is not None:
        return found
    return _through_text if target in STRINGS else None
