"""The table of codecs: one row a logical type."""

from __future__ import annotations

import functools
from collections.abc import Callable

from policy.types import LogicalType
from proxy.errors import Refused
from proxy.values.arrays import ArrayCodec
from proxy.values.binary_strings import ByteaCodec
from proxy.values.booleans import BoolCodec
from proxy.values.codec import Codec
from proxy.values.dates import DateCodec
from proxy.values.floats import FloatCodec
from proxy.values.inet import InetCodec
from proxy.values.integers import IntegerCodec
from proxy.values.intervals import IntervalCodec
from proxy.values.json_text import JsonCodec
from proxy.values.jsonb import JsonbCodec
from proxy.values.numeric import NumericCodec
from proxy.values.strings import BpcharCodec, PaddedCodec, TextCodec, VarcharCodec
from proxy.values.times import TimeCodec
from proxy.values.timestamps import TimestampCodec, TimestamptzCodec
from proxy.values.uuids import UuidCodec

CODECS: dict[str, Callable[[LogicalType], Codec]] = {
    "text": lambda type_: TextCodec(),
    "varchar": lambda type_: TextCodec() if type_.length is None else VarcharCodec(type_.length),
    "bpchar": lambda type_: BpcharCodec() if type_.length is None else PaddedCodec(type_.length),
    "bytea": lambda type_: ByteaCodec(),
    "bool": lambda type_: BoolCodec(),
    "int2": lambda type_: IntegerCodec(2),
    "int4": lambda type_: IntegerCodec(4),
    "int8": lambda type_: IntegerCodec(8),
    "float4": lambda type_: FloatCodec(4),
    "float8": lambda type_: FloatCodec(8),
    "numeric": lambda type_: NumericCodec(type_.precision_scale),
    "date": lambda type_: DateCodec(),
    "time": lambda type_: TimeCodec(type_.modifier),
    "timestamp": lambda type_: TimestampCodec(type_.modifier),
    "timestamptz": lambda type_: TimestamptzCodec(type_.modifier),
    "interval": lambda type_: IntervalCodec(),
    "inet": lambda type_: InetCodec(),
    "uuid": lambda type_: UuidCodec(),
    "json": lambda type_: JsonCodec(),
    "jsonb": lambda type_: JsonbCodec(),
}


@functools.lru_cache(maxsize=4096)  # a statement may name any length or scale
def codec(type: LogicalType) -> Codec:  # noqa: A002 - a type is what it is called everywhere
    """The codec of a logical type, one instance for all; raises Refused for a type that has none."""
    if type.array:
        return ArrayCodec(codec(type.element), type.row.oid)
    build = CODECS.get(type.name)
    if build is None or (type.name == "interval" and type.modifier >= 0):
        raise Refused(f"values of type {type} cannot be encrypted")
    return build(type)
