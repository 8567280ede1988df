"""Parameters that the client declared with another type than the field's."""

from __future__ import annotations

import functools
from collections.abc import Callable

from policy.conversions import implicit
from policy.types import BY_OID, LogicalType
from proxy.errors import InvalidValue
from proxy.values.arrays import pack, unpack
from proxy.values.casts import cast
from proxy.values.settings import Settings
from proxy.values.table import codec

UNDECLARED = (0, 705)  # no type, and unknown: the server takes the column's
STRINGS = (25, 1042, 1043, 19)  # text, bpchar, varchar, name: their binary format is their text
BPCHAR, VARCHAR = 1042, 1043
_PLAIN_STRINGS = (25, VARCHAR)
CIDR = {650: 869, 651: 1041}  # has inet's formats, and is one to an assignment


Reader = Callable[[bytes, Settings], bytes]


def convert(raw: bytes, fmt: int, declared_oid: int, type: LogicalType, settings: Settings) -> bytes:  # noqa: A002
    """Canonical bytes of a parameter, read by its declared type and then assigned to a field of `type`.

    `fmt` is 0 for text and 1 for binary. A string is read as the field's own text format would be, also where
    PostgreSQL wants an explicit cast: nothing is lost by it, and clients that declare all as text go on.
    Raises InvalidValue: what the codecs raise, and 42804 where PostgreSQL has no assignment cast.
    """
    return readers(declared_oid, type)[fmt](raw, settings)


def read_cast(raw: bytes, fmt: int, declared_oid: int, type: LogicalType, settings: Settings) -> bytes:  # noqa: A002
    """Canonical bytes of a value under an explicit cast to `type`, which cuts a string that is too long."""
    if type.length is None or type.array:
        return convert(raw, fmt, declared_oid, type, settings)
    whole = convert(raw, fmt, declared_oid, LogicalType(type.name), settings).decode()
    return codec(type).from_text(whole[: type.length].encode(), settings.in_utf8())


@functools.lru_cache(maxsize=4096)
def readers(declared_oid: int, type: LogicalType) -> tuple[Reader, Reader]:  # noqa: A002
    """What `convert` does with a parameter in text and in binary format, for those who convert many."""
    target = codec(type)
    declared_oid = CIDR.get(declared_oid, declared_oid)
    if declared_oid == type.oid or declared_oid in UNDECLARED:
        return target.from_text, target.from_binary
    if declared_oid == BPCHAR:
        return (lambda raw, settings: target.from_text(raw.rstrip(b" "), settings),) * 2
    if declared_oid in STRINGS:
        return target.from_text, target.from_text
    source = declared(declared_oid)
    if source is None:
        raise no_cast(type)
    reader = codec(source)
    return _assigned(reader.from_text, source, type), _assigned(reader.from_binary, source, type)


@functools.lru_cache(maxsize=4096)
def displayers(declared_oid: int, type: LogicalType) -> tuple[Reader, Reader]:  # noqa: A002
    """The same for a value that is shown beside others of a type: raises 0A000 if it would change theirs."""
    source = declared(CIDR.get(declared_oid, declared_oid)) if declared_oid not in _PLAIN_STRINGS else None
    if source is not None and source != type and (source.name == "bpchar" or not _becomes(source, type)):
        raise InvalidValue(
            f"a value of another type than {type}, which is given back as one of the field's",
            sqlstate="0A000",
            hint=f"Cast the value to {type}, or leave its type to the server.",
        )
    return readers(declared_oid, type)


def _becomes(source: LogicalType, target: LogicalType) -> bool:
    """Whether, of two types that stand together, it is the first one that is converted."""
    return implicit(source, target) and not implicit(target, source)


def _assigned(read: Reader, source: LogicalType, target: LogicalType) -> Reader:
    return lambda raw, settings: assign(read(raw, settings), source, target, settings.in_utf8())


def assign(value: bytes, source: LogicalType, target: LogicalType, settings: Settings) -> bytes:
    """Canonical bytes of one type as those of another; raises 42804 without an assignment cast."""
    if source.array and target.array:
        elements = (source.element, target.element)
        values = [None if item is None else assign(item, *elements, settings) for item in unpack(value)]
        return pack(values)
    if source.array == target.array and source.name == target.name:
        return codec(target).from_binary(codec(source).to_binary(value, settings), settings)
    found = cast(f"{source.name}[]" if source.array else source.name, f"{target.name}{'[]' * target.array}")
    if found is None:
        raise no_cast(target, source)
    return found(value, codec(source), codec(target), settings)


def declared(oid: int) -> LogicalType | None:
    """The type, without limits, that an OID declares; None for one that pgveil does not know."""
    known = BY_OID.get(oid)
    return None if known is None else LogicalType(known[0], array=known[1])


def no_cast(target: LogicalType, source: LogicalType | None = None) -> InvalidValue:
    """PostgreSQL's error for an assignment without a cast."""
    expression = f"of type {source}" if source else "of another type"
    return InvalidValue(
        f"column is of type {target} but expression is {expression}",
        sqlstate="42804",
        hint="Declare the parameter with the column's type, or leave its type to the server.",
    )
