"""JSON that the server made of rows (json_agg, row_to_json ...): envelopes are opened where they stand.

Only envelopes of the fields that the plan names are opened; any other string stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from crypto.envelope import ASCII_PREFIX_BYTES, MARKER, PREFIX_BYTES, from_ascii, key_id
from crypto.errors import DecryptionError, DestroyedKey, UnknownKey
from policy.types import LogicalType
from proxy.sql.plan import JsonMember
from proxy.storage_text import bytea_bytes
from proxy.values import Settings, codec
from proxy.values.arrays import join_binary, join_text, split_binary, split_text, unpack
from proxy.values.encodings import encode
from proxy.values.settings import UTF8
from proxy.values.strings import utf8

if TYPE_CHECKING:
    from proxy.openers import Openers

Show = Callable[[bytes], bytes]

# An envelope as JSON shows it: ASCII storage as it is, bytea storage in hex with an escaped backslash, or in
# the escape format if bytea_output says so.
# A quote behind a backslash stands within a string.
_SEALED = re.compile(
    rb'(?<!\\)"(?:('
    + re.escape(MARKER)
    + rb'[A-Za-z0-9_-]+)|\\\\x((?:[0-9a-f][0-9a-f])+)|(\\\\377PV(?:[^"\\]|\\.)*))"'
)
_SHORT_OFFSET = re.compile(r"T[0-9:.]+[+-]\d\d\Z")
_NUMBERS = frozenset({"int2", "int4", "int8", "float4", "float8", "numeric"})
_RESPELLED = frozenset({"float4", "float8", "json"})  # by jsonb
_NO_VALUE = (ValueError, ArithmeticError, LookupError)


class JsonResults:
    """Opens the JSON of one result column. `members` are those whose values may stand in it."""

    def __init__(self, openers: Openers, members: tuple[JsonMember, ...]) -> None:
        self._openers = openers
        self._by_key = {(m.field.field.key_name, m.field.storage == "bytea"): m for m in members}
        # what shows values, and whether on a line of its own, by what all envelopes of a key begin with
        self._shows: dict[bytes, tuple[Show | None, bool]] = {}

    def open(self, raw: bytes) -> bytes:
        """The JSON with its envelopes opened. Raises CannotOpen, UnknownKey."""
        return _SEALED.sub(self._replace, raw)

    def _replace(self, match: re.Match[bytes]) -> bytes:
        sealed, hexadecimal, escaped = match.groups()
        if escaped is not None:
            hexadecimal = _unescaped(escaped).hex().encode()
        if sealed is not None:
            prefix = sealed[:ASCII_PREFIX_BYTES]
        else:
            sealed, prefix = hexadecimal, hexadecimal[: 2 * PREFIX_BYTES]
        try:
            show, indented = self._shows[prefix]
        except KeyError:
            show, indented = self._shows[prefix] = self._find(prefix, binary=hexadecimal is not None)
        if show is None:
            return match[0]
        shown = show(sealed)
        if indented and match.string.endswith(b", ", 0, match.start()):
            return b"\n " + shown
        return shown

    def _find(self, prefix: bytes, *, binary: bool) -> tuple[Show | None, bool]:
        """What shows the values that one key has sealed; None where no planned field has that key."""
        try:
            found = key_id(bytes.fromhex(prefix.decode()) if binary else from_ascii(prefix))
        except DecryptionError:
            return None, False
        name = self._openers.keyring.name_of(found)
        if name is None:
            raise UnknownKey(found)
        member = self._by_key.get((name, binary))
        return (None, False) if member is None else (self._show(member), member.indented)

    def _show(self, member: JsonMember) -> Show:
        from proxy.openers import cannot_open, was_destroyed

        field = member.field
        name, algorithm, family = field.field.key_name, field.field.algorithm, field.type.family
        keyring = self._openers.keyring
        if field.storage == "bytea":
            opener = keyring.opener(name, algorithm, family)
        else:
            opener = keyring.ascii_opener(name, algorithm, family)
        write = writer(member, self._openers.settings)

        def show(sealed: bytes) -> bytes:
            try:
                return write(opener(bytes.fromhex(sealed.decode()) if field.storage == "bytea" else sealed))
            except UnknownKey:
                raise
            except DestroyedKey as gone:
                if field.field.null_if_destroyed:
                    return b"null"
                raise was_destroyed(field, gone) from None
            except (DecryptionError, *_NO_VALUE):
                raise cannot_open(field) from None

        return show


def _unescaped(escaped: bytes) -> bytes:
    """The bytes of a bytea in escape format, as it stands in a JSON string."""
    try:
        return bytea_bytes(json.loads(b'"' + escaped + b'"').encode())
    except ValueError:
        return b""


class DocumentArrays:
    """Opens a result column that holds arrays of documents."""

    def __init__(self, openers: Openers, members: tuple[JsonMember, ...], *, binary: bool) -> None:
        settings = openers.settings
        # array_out has quoted the elements before they were converted to the client's encoding
        inner = openers if binary else type(openers)(openers.keyring, settings.in_utf8())
        self._results = JsonResults(inner, members)
        self._settings = settings
        self._binary = binary

    def open(self, raw: bytes) -> bytes:
        """The array with the envelopes in its elements opened. Raises CannotOpen, UnknownKey."""
        if self._binary:
            oid, items = split_binary(raw)
            return join_binary([self._opened(item) for item in items], oid)
        items = split_text(utf8(raw, self._settings))
        text = join_text([self._opened(item) for item in items])
        return text if self._settings.encoding == UTF8 else encode(text.decode(), self._settings.encoding)

    def _opened(self, item: bytes | None) -> bytes | None:
        return None if item is None else self._results.open(item)


def writer(member: JsonMember, settings: Settings) -> Show:
    """What writes canonical bytes of a member as the server's JSON has them, in the client's encoding."""
    own, shown = member.field.type, member.type
    if shown.name == own.name == "bpchar" and shown.modifier < 0:
        shown = own  # the padding of char(n) stays where its type has lost the limit
    plain = replace(settings, encoding="utf-8", date_style="ISO, MDY")
    normal = codec(LogicalType("jsonb"))
    respell = member.normal and (shown.array or shown.name in _RESPELLED)

    def write(canonical: bytes) -> bytes:
        text = json_value(canonical, shown, plain)
        if respell:
            text = normal.from_text(text, plain)
        return text if settings.encoding == UTF8 else encode(text.decode(), settings.encoding)

    return write


def json_value(canonical: bytes, logical: LogicalType, settings: Settings) -> bytes:
    """A value as to_json() writes it, in UTF-8: PostgreSQL's `datum_to_json`. Settings: DateStyle is ISO."""
    if logical.array:
        items = [
            b"null" if i is None else json_value(i, logical.element, settings) for i in unpack(canonical)
        ]
        return b"[" + b",".join(items) + b"]"
    text = codec(logical).to_text(canonical, settings).decode()
    name = logical.name
    if name in ("json", "jsonb") or (name in _NUMBERS and text.lstrip("-")[:1].isdigit()):
        return text.encode()
    if name == "bool":
        return b"true" if text == "t" else b"false"
    return json.dumps(_iso(text) if name.startswith("timestamp") else text, ensure_ascii=False).encode()


def _iso(text: str) -> str:
    """A timestamp as ISO 8601 has it: a T between date and time, minutes in the offset."""
    text = text.replace(" ", "T", 1)
    return text + ":00" if _SHORT_OFFSET.search(text) else text
