"""Where the members of JSON records stand in a text, and what PostgreSQL reads of one as a value of SQL.

Sources: RFC 8259; PostgreSQL's jsonfuncs.c (populate_recordset_worker, populate_record_field).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from policy.types import LogicalType
from proxy.errors import InvalidValue
from proxy.values.arrays import join_text
from proxy.values.codec import bad_syntax
from proxy.values.json_text import DECODER

Member = tuple[str, int, int]  # name, start and end of the value

_SPACE = re.compile(r"[ \t\n\r]*")


def members(text: str, *, many: bool) -> Iterator[Member]:
    """The members of the record, or of each of `many` records in an array, in order. `text` is JSON.

    Raises 22023 for anything but a record, or an array of records.
    """
    at = _past_space(text, 0)
    if many:
        for start, _ in _elements(text, at, "must be an array of objects"):
            yield from _object(text, start)
    else:
        yield from _object(text, at)


def _object(text: str, at: int) -> Iterator[Member]:
    if text[at] != "{":
        raise _no_record("must hold objects")
    at = _past_space(text, at + 1)
    while text[at] != "}":
        name, at = DECODER.raw_decode(text, at)
        start = _past_space(text, _past_space(text, at) + 1)
        _, end = DECODER.raw_decode(text, start)
        yield name, start, end
        at = _past_space(text, end)
        if text[at] == ",":
            at = _past_space(text, at + 1)


def _elements(text: str, at: int, rule: str) -> Iterator[tuple[int, int]]:
    """Start and end of each element of an array."""
    if text[at] != "[":
        raise _no_record(rule)
    at = _past_space(text, at + 1)
    while text[at] != "]":
        _, end = DECODER.raw_decode(text, at)
        yield at, end
        at = _past_space(text, end)
        if text[at] == ",":
            at = _past_space(text, at + 1)


def _past_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()


def _no_record(rule: str) -> InvalidValue:
    return InvalidValue(f"a JSON document of records {rule}", sqlstate="22023")


def sql_text(value: str, logical: LogicalType) -> bytes:
    """The text, in UTF-8, that PostgreSQL gives the input function of a type for a JSON value; not for null.

    Raises 0A000 for an array of arrays, and 22P02 for half a surrogate pair.
    """
    if logical.array and value[0] == "[":
        items = [value[start:end] for start, end in _elements(value, 0, "")]
        if any(item[0] == "[" for item in items) and logical.name not in ("json", "jsonb"):
            raise InvalidValue("only one-dimensional arrays can be encrypted", sqlstate="0A000")
        element = logical.element
        return join_text([None if item == "null" else sql_text(item, element) for item in items])
    if value[0] != '"':
        return value.encode()
    string: str = DECODER.raw_decode(value)[0]
    if logical.name in ("json", "jsonb") and not logical.array:
        string = json.dumps(string, ensure_ascii=False)
    try:
        return string.encode()
    except UnicodeEncodeError:
        raise bad_syntax("json") from None
