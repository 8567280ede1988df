"""JSON documents that json_to_recordset() and its kind read: members are sealed where they stand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from policy.types import TYPES, LogicalType
from proxy.errors import InvalidValue
from proxy.sql.plan import JsonRecords
from proxy.values import Settings, codec
from proxy.values.encodings import encode
from proxy.values.json_spans import members, sql_text
from proxy.values.settings import UTF8
from proxy.values.strings import utf8

Seal = Callable[[bytes], bytes]

_JSONB = TYPES["jsonb"].oid
_JSON_TYPES = (0, 25, 705, 1043, TYPES["json"].oid, _JSONB)  # by which a document may be declared
_VERSION = b"\x01"  # before jsonb in binary format


class RecordsSealer:
    """Seals the documents of one parameter or literal. `seals`: a member's text -> what its column stores."""

    def __init__(
        self,
        records: JsonRecords,
        seals: Mapping[str, Seal],
        settings: Settings,
        *,
        binary: bool,
        declared: int,
    ) -> None:
        if declared not in _JSON_TYPES:
            raise InvalidValue("a JSON document of another declared type", sqlstate="42804")
        self._records = records
        self._roles = dict(records.members)
        self._seals = seals
        self._settings = settings
        shown = declared or TYPES[records.kind].oid  # the type that the client has been told
        self._versioned = binary and shown == _JSONB
        self._for_jsonb = binary and records.kind == "jsonb"
        self._codec = codec(LogicalType(records.kind))

    def seal(self, raw: bytes) -> bytes:
        """A document with its members sealed. Raises InvalidValue for what is none, or has no records."""
        if self._versioned:
            if raw[:1] != _VERSION:
                raise InvalidValue("unsupported jsonb version number", sqlstate="22P03")
            raw = raw[1:]
        inner = self._settings.in_utf8()
        text = self._codec.from_text(utf8(raw, self._settings), inner).decode()
        sealed = self._sealed(text)
        data = sealed.encode() if self._settings.encoding == UTF8 else encode(sealed, self._settings.encoding)
        return _VERSION + data if self._for_jsonb else data

    def _sealed(self, text: str) -> str:
        pieces: list[str] = []
        position = 0
        for name, start, end in members(text, many=self._records.many):
            value = text[start:end]
            role = self._roles.get(name)
            if value == "null" or (role is None and name in self._records.names):
                continue
            pieces.append(text[position:start])
            # what no column reads says nothing to the server
            pieces.append("null" if role is None else self._member(name, sql_text(value, role.type)))
            position = end
        pieces.append(text[position:])
        return "".join(pieces)

    def _member(self, name: str, value: bytes) -> str:
        role = self._roles[name]
        if role.cast is not None:  # an explicit cast would cut what is too long
            codec(role.cast).from_text(value, self._settings.in_utf8())
        stored = self._seals[name](value).decode()
        return stored if role.field.storage in ("json", "jsonb") else json.dumps(stored)
