"""Values that are compared with a field by equality of canonical bytes.

A comparison does not round: `price = 1.234` finds no row of a numeric(8,2), where an assignment would store
1.23. So what is looked for is read without the field's limits; a value that no stored one can equal becomes
bytes that are no canonical value at all. Types are brought together as PostgreSQL's operators do it
(documentation 10.2, and pg_operator.dat for those between two types).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal

from policy.conversions import comparable, sql_name
from policy.types import LogicalType
from proxy.errors import InvalidValue
from proxy.values import dates, integers, timestamps
from proxy.values.arrays import pack, unpack
from proxy.values.codec import Codec
from proxy.values.convert import BPCHAR, CIDR, STRINGS, UNDECLARED, VARCHAR, Reader, declared
from proxy.values.dates import DateCodec
from proxy.values.floats import FloatCodec
from proxy.values.gregorian import DAY
from proxy.values.integers import IntegerCodec
from proxy.values.numeric import NumericCodec
from proxy.values.settings import Settings
from proxy.values.table import codec
from proxy.values.timestamps import TimestampCodec

# Begins what is longer than the bytes of any number or moment, and no text of a numeric. What follows tells
# values that equal no stored one from each other, since they may be compared, too.
NOTHING = b"equals nothing: "
_EXACT_INTEGERS = 2**53  # a float8 holds every smaller integer
_SURE_DIGITS = 15  # decimals of so many digits are different float8s
_WIDE = Context(prec=1100)  # more digits than numeric(15,s) can have
_INT8 = range(-(2**63), 2**63)


@functools.lru_cache(maxsize=4096)
def comparers(declared_oid: int, type: LogicalType) -> tuple[Reader, Reader]:  # noqa: A002
    """What `comparand` does with a value in text and in binary format, for those who compare many."""
    as_it_is = declared_oid in UNDECLARED or (declared_oid == type.oid and declared_oid not in STRINGS)
    if as_it_is and not type.array and type.name != "numeric":
        reader = codec(LogicalType(type.name))
        return reader.from_text, reader.from_binary
    return (
        lambda raw, settings: comparand(raw, 0, declared_oid, type, settings),
        lambda raw, settings: comparand(raw, 1, declared_oid, type, settings),
    )


def comparand(raw: bytes, fmt: int, declared_oid: int, type: LogicalType, settings: Settings) -> bytes:  # noqa: A002
    """Bytes that equal a stored value's canonical ones if, and only if, PostgreSQL's `=` would hold.

    Arguments as of `convert`. Raises InvalidValue: what the codecs raise; 42883 where PostgreSQL has no such
    operator; 0A000 where several stored values would be equal to the one that is looked for.
    """
    unlimited = LogicalType(type.name, array=type.array)
    declared_oid = CIDR.get(declared_oid, declared_oid)
    if declared_oid in STRINGS:
        return _string(raw, declared_oid, type, settings)
    if declared_oid == type.oid or declared_oid in UNDECLARED:
        reader = codec(unlimited)
        value = reader.from_binary(raw, settings) if fmt else reader.from_text(raw, settings)
        return _fitted(value, unlimited, type, settings)
    source = declared(declared_oid)
    if source is None or source.array != type.array:
        raise _no_operator(type, source)
    reader = codec(source)
    value = reader.from_binary(raw, settings) if fmt else reader.from_text(raw, settings)
    return _fitted(value, source, type, settings)


def _string(raw: bytes, declared_oid: int, type: LogicalType, settings: Settings) -> bytes:  # noqa: A002
    """A string that says which it is. As char(n), trailing spaces mean nothing; as text, they do."""
    if declared_oid == BPCHAR:
        if type.name == "varchar":  # its trailing spaces would count for nothing too
            raise _ambiguous(type)
        raw = raw.rstrip(b" ")
    elif type.name == "bpchar" and declared_oid != VARCHAR and not type.array:
        return codec(LogicalType("text")).from_text(raw, settings)
    unlimited = LogicalType(type.name, array=type.array)
    return _fitted(codec(unlimited).from_text(raw, settings), unlimited, type, settings)


def _fitted(value: bytes, source: LogicalType, target: LogicalType, settings: Settings) -> bytes:
    if target.array:
        elements = (source.element, target.element)
        return pack([None if item is None else _fitted(item, *elements, settings) for item in unpack(value)])
    if source.name == target.name:
        return _scaled(value, target) if target.name == "numeric" else value
    compare = _PAIRS.get((source.name, target.name))
    if compare is None:
        raise _ambiguous(target) if comparable(source, target) else _no_operator(target, source)
    found = compare(value, codec(source), target, settings)
    return _nothing(value, source) if found == NOTHING else found


def _nothing(value: bytes, source: LogicalType) -> bytes:
    """What equals no stored value, and of its own kind only those of the same number or moment."""
    number = _decimal(value, source)
    if number is None:
        return NOTHING + source.name.encode() + value
    text = format(number.normalize(_WIDE), "f") if number.is_finite() else str(number)
    return NOTHING + text.encode()


def _decimal(value: bytes, source: LogicalType) -> Decimal | None:
    """The number of canonical bytes; None if they are of another kind."""
    if source.name == "numeric":
        return Decimal(value.decode())
    reader = codec(LogicalType(source.name))
    if isinstance(reader, FloatCodec):
        return Decimal(repr(reader.to_number(value)))
    return Decimal(integers.to_number(value)) if isinstance(reader, IntegerCodec) else None


def _scaled(value: bytes, target: LogicalType) -> bytes:
    """A numeric with the field's scale, if that is the same number; else as it is, equal to none."""
    limit = target.precision_scale
    number = Decimal(value.decode())
    if limit is None or not number.is_finite():
        return value
    try:
        scaled = NumericCodec(limit).from_number(number)
    except InvalidValue:
        return _nothing(value, target)
    return scaled if Decimal(scaled.decode()) == number else _nothing(value, target)


def _same(value: bytes, source: Codec, target: LogicalType, settings: Settings) -> bytes:
    return value


def _integer_of_float(value: bytes, source: Codec, target: LogicalType, settings: Settings) -> bytes:
    """PostgreSQL turns the integers into float8."""
    assert isinstance(source, FloatCodec)
    number = source.to_number(value)
    if not number.is_integer():
        return NOTHING
    if target.name == "int8" and _EXACT_INTEGERS <= abs(number) <= 2**63:
        raise _ambiguous(target)
    return _integer(int(number))


def _integer_of_numeric(value: bytes, source: Codec, target: LogicalType, settings: Settings) -> bytes:
    number = Decimal(value.decode())
    if not number.is_finite() or number != number.to_integral_value():
        return NOTHING
    return _integer(int(number))


def _integer(number: int) -> bytes:
    return integers.pack(number) if number in _INT8 else NOTHING


def _numeric_of_integer(value: bytes, source: Codec, target: LogicalType, settings: Settings) -> bytes:
    return _scaled(source.to_text(value, settings), target)


def _numeric_of_float(value: bytes, source: Codec, target: LogicalType, settings: Settings) -> bytes:
    """PostgreSQL turns the numerics into float8: the one that becomes this float, if there can be but one."""
    assert isinstance(source, FloatCodec)
    number = source.to_number(value)
    if not math.isfinite(number):
        return b"NaN" if math.isnan(number) else NOTHING
    limit = target.precision_scale
    if limit is None:
        raise _ambiguous(target)
    precision, scale = limit
    magnitude = Decimal(number).adjusted()
    if number and magnitude >= precision - scale:
        return NOTHING
    if number and magnitude >= _SURE_DIGITS - scale:
        raise _ambiguous(target)
    nearest = Decimal(number).quantize(Decimal((0, (1,), -scale)), ROUND_HALF_UP, _WIDE)
    return _scaled(format(nearest, "f").encode(), target) if float(nearest) == number else NOTHING


def _float(number: float, target: LogicalType) -> bytes:
    """A float8 as a float4 or float8 that equals it."""
    writer = codec(LogicalType(target.name))
    assert isinstance(writer, FloatCodec)
    nearest = writer.nearest(number)
    return writer.from_number(nearest) if nearest == number or math.isnan(number) else NOTHING


def _float_of_integer(value: bytes, source: Codec, target: LogicalType, settings: Settings) -> bytes:
    return _float(float(integers.to_number(value)), target)


def _float_of_float(value: bytes, source: Codec, target: LogicalType, settings: Settings) -> bytes:
    assert isinstance(source, FloatCodec)
    return _float(source.to_number(value), target)


def _float_of_numeric(value: bytes, source: Codec, target: LogicalType, settings: Settings) -> bytes:
    reader = codec(LogicalType("float8"))
    assert isinstance(reader, FloatCodec)
    return _float(reader.to_number(reader.from_text(value, settings)), target)


def _date_of_timestamp(value: bytes, source: Codec, target: LogicalType, settings: Settings) -> bytes:
    """A date is its midnight, in the session's zone where it is compared with a timestamptz."""
    assert isinstance(source, TimestampCodec)
    writer = codec(target)
    assert isinstance(writer, DateCodec)
    number = timestamps.to_number(value)
    if number in (timestamps.INFINITY, timestamps.MINUS_INFINITY):
        return writer.from_number(dates.INFINITY if number > 0 else dates.MINUS_INFINITY)
    days = (source.to_local(number, settings) + DAY // 2) // DAY
    return writer.from_number(days) if source.from_local(days * DAY, settings) == number else NOTHING


def _timestamp_of_date(value: bytes, source: Codec, target: LogicalType, settings: Settings) -> bytes:
    writer = codec(LogicalType(target.name))
    assert isinstance(writer, TimestampCodec)
    days = dates.to_number(value)
    if days in (dates.INFINITY, dates.MINUS_INFINITY):
        return writer.from_number(timestamps.INFINITY if days > 0 else timestamps.MINUS_INFINITY)
    try:
        return writer.from_number(writer.from_local(days * DAY, settings))
    except InvalidValue:  # a date that no timestamp reaches
        return NOTHING


def _timestamp_of_timestamp(value: bytes, source: Codec, target: LogicalType, settings: Settings) -> bytes:
    """PostgreSQL compares moments: local times are the session's."""
    assert isinstance(source, TimestampCodec)
    writer = codec(LogicalType(target.name))
    assert isinstance(writer, TimestampCodec)
    number = timestamps.to_number(value)
    if number in (timestamps.INFINITY, timestamps.MINUS_INFINITY):
        return value
    if target.name == "timestamptz":
        return writer.from_number(writer.from_local(number, settings))
    around = (number - DAY, number, number + DAY)  # the offsets before and after a change of clocks
    locals_ = {number + source.to_local(moment, settings) - moment for moment in around}
    equal = [local for local in locals_ if source.from_local(local, settings) == number]
    if len(equal) > 1:  # of local times, one that a change of clocks leaves out is the same moment too
        raise _ambiguous(target)
    return writer.from_number(equal[0]) if equal else NOTHING


Compare = Callable[[bytes, Codec, LogicalType, Settings], bytes]
_INTEGERS = ("int2", "int4", "int8")
_FLOATS = ("float4", "float8")
_TIMESTAMPS = ("timestamp", "timestamptz")

_PAIRS: dict[tuple[str, str], Compare] = {  # type of what is looked for, type of the field
    **{(a, b): _same for a in _INTEGERS for b in _INTEGERS},
    **{(a, b): _integer_of_float for a in _FLOATS for b in _INTEGERS},
    **{("numeric", b): _integer_of_numeric for b in _INTEGERS},
    **{(a, "numeric"): _numeric_of_integer for a in _INTEGERS},
    **{(a, "numeric"): _numeric_of_float for a in _FLOATS},
    **{(a, b): _float_of_integer for a in _INTEGERS for b in _FLOATS},
    **{(a, b): _float_of_float for a in _FLOATS for b in _FLOATS},
    **{("numeric", b): _float_of_numeric for b in _FLOATS},
    **{(a, "date"): _date_of_timestamp for a in _TIMESTAMPS},
    **{("date", b): _timestamp_of_date for b in _TIMESTAMPS},
    **{(a, b): _timestamp_of_timestamp for a in _TIMESTAMPS for b in _TIMESTAMPS if a != b},
}


def _no_operator(target: LogicalType, source: LogicalType | None) -> InvalidValue:
    other = sql_name(source) if source is not None else "a value of another type"
    return InvalidValue(
        f"operator does not exist: {sql_name(target)} = {other}",
        sqlstate="42883",
        hint="Declare the value with the column's type, or leave its type to the server.",
    )


def _ambiguous(target: LogicalType) -> InvalidValue:
    return InvalidValue(
        f"a value of this type may equal several values of type {target}",
        sqlstate="0A000",
        hint="Declare the value with the column's type, or leave its type to the server.",
    )
