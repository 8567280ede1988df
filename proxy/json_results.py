"""JSON that the server made of rows (json_agg, row_to_json ...): envelopes are opened where they stand.

Only envelopes of the fields that the plan names are opened; any other string stays as it is.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from crypto.envelope import MARKER, from_ascii, key_id
from crypto.errors import DecryptionError, UnknownKey
from policy.binding import BoundField
from policy.types import LogicalType
from proxy.values import Settings, codec
from proxy.values.arrays import unpack

if TYPE_CHECKING:
    from proxy.protector import Protector

# An envelope as JSON shows it: ASCII storage as it is, bytea storage in hex with an escaped backslash.
_SEALED = re.compile(rb'"(?:(' + re.escape(MARKER) + rb'[A-Za-z0-9_-]+)|\\\\x([0-9a-f]+))"')
_SHORT_OFFSET = re.compile(r"T[0-9:.]+[+-]\d\d\Z")
_NUMBERS = frozenset({"int2", "int4", "int8", "float4", "float8", "numeric"})


class JsonResults:
    """Opens the JSON of one result column. `fields` are those whose values may stand in it."""

    def __init__(self, protector: Protector, fields: tuple[BoundField, ...], wire_format: int) -> None:
        self._protector = protector
        self._by_key = {(field.field.key_name, field.storage == "bytea"): field for field in fields}
        self._fields = fields
        self._wire_format = wire_format

    def open(self, raw: bytes) -> bytes:
        """The JSON with its envelopes opened. Raises CannotOpen, UnknownKey."""
        return _SEALED.sub(self._replace, raw)

    def _replace(self, match: re.Match[bytes]) -> bytes:
        ascii_form, hexadecimal = match.groups()
        if ascii_form is not None:
            try:
                envelope = from_ascii(ascii_form)
            except DecryptionError:
                return match[0]
        elif len(hexadecimal) % 2:
            return match[0]
        else:
            envelope = bytes.fromhex(hexadecimal.decode())
        field = self._field_of(envelope, binary=hexadecimal is not None)
        if field is None:
            return match[0]
        return self._shown(field, envelope)

    def _field_of(self, envelope: bytes, *, binary: bool) -> BoundField | None:
        try:
            found = key_id(envelope)
        except DecryptionError:
            return None
        key = self._protector.keyring.find(found)
        if key is None:
            raise UnknownKey(found)
        return self._by_key.get((key.name, binary))

    def _shown(self, field: BoundField, envelope: bytes) -> bytes:
        from proxy.protector import cannot_open

        name, algorithm = field.field.key_name, field.field.algorithm
        try:
            canonical = self._protector.keyring.opener(name, algorithm, field.type.family)(envelope)
        except DecryptionError:
            raise cannot_open(field) from None
        return json_value(canonical, field.type, self._protector.settings)


def json_value(canonical: bytes, logical: LogicalType, settings: Settings) -> bytes:
    """A value as to_json() writes it, whatever the session's settings: PostgreSQL's `datum_to_json`."""
    if logical.array:
        items = [
            b"null" if i is None else json_value(i, logical.element, settings) for i in unpack(canonical)
        ]
        return b"[" + b",".join(items) + b"]"
    plain = replace(settings, encoding="utf-8", date_style="ISO, MDY")
    text = codec(logical).to_text(canonical, plain).decode()
    name = logical.name
    if name in ("json", "jsonb") or (name in _NUMBERS and text.lstrip("-")[:1].isdigit()):
        shown = text
    elif name == "bool":
        shown = "true" if text == "t" else "false"
    else:
        shown = json.dumps(_iso(text) if name.startswith("timestamp") else text, ensure_ascii=False)
    return shown.encode(settings.encoding)


def _iso(text: str) -> str:
    """A timestamp as ISO 8601 has it: a T between date and time, minutes in the offset."""
    text = text.replace(" ", "T", 1)
    return text + ":00" if _SHORT_OFFSET.search(text) else text
