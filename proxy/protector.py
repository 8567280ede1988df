"""Sealing the values of fields: from what PostgreSQL's clients send to envelopes in their storage.

    wire or literal -> canonical bytes (values) -> envelope (crypto) -> storage: ASCII, bytea or a JSON string

A protector is made for one snapshot of the keys and one state of the session's settings; it is pure, and
cheap to make anew when either changes. The closures that it gives are the hot path: one call for a value.
What opens values again stands in `openers.py`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from crypto.errors import KeyExhausted
from crypto.keyring import FieldKey, Keyring
from crypto.manager import KeyNeed
from policy.binding import BoundField
from policy.types import TYPES, LogicalType
from proxy.errors import InvalidValue, KeysUnavailable
from proxy.json_records import RecordsSealer
from proxy.records import Change, change_array, change_record
from proxy.sql.literal import literal_value
from proxy.sql.literal_types import declared_type
from proxy.sql.plan import Record, Role, Slot, TextPlan, Use
from proxy.storage_text import array_text, binary_array
from proxy.values import Reader, Settings, codec, comparers, displayers, read_cast, readers
from proxy.values.arrays import unpack
from proxy.wire.frontend import BINARY, TEXT, format_of

Transform = Callable[[bytes], bytes]

_KEPT = 4096  # sealers of parameters that are kept
_JSONB_VERSION = b"\x01"


class MissingKey(Exception):
    """A field has no active key in the snapshot yet."""

    def __init__(self, need: KeyNeed) -> None:
        super().__init__(f"no key for {need.name}")
        self.need = need


def key_need(field: BoundField) -> KeyNeed:
    """The key that values of a field are encrypted with."""
    return KeyNeed(field.field.key_name, field.field.dek_name, field.field.algorithm)


def wire_oid(role: Role) -> int:
    """The type OID that the server knows a protected parameter by."""
    if role.json is not None:
        return TYPES[role.json.kind].oid
    row = TYPES[role.field.storage if role.field.storage in ("bytea", "json", "jsonb") else "text"]
    return row.array_oid if role.array else row.oid


class Protector:
    """Seals with one snapshot of keys, for a session with these settings."""

    def __init__(self, keyring: Keyring, settings: Settings) -> None:
        self.keyring = keyring
        self.settings = settings
        self._sealers: dict[tuple[int, int, int, bool], tuple[Role, Transform]] = {}
        # what is kept by an id is kept with the object, so that nothing else gets its id
        self._parameter_sealers: dict[
            tuple[int, bytes, tuple[int, ...]], tuple[TextPlan, list[Transform | None]]
        ] = {}

    def seal_literal(self, slot: Slot, token: bytes) -> bytes:
        """The SQL of a literal's ciphertext. Raises InvalidValue, MissingKey."""
        role = slot.role
        assert role is not None
        if slot.fixed is None and slot.elements is None and _is_plain(token):
            value = self.seal_parameter(role, token[1:-1], TEXT, 0, utf8=True)
        else:
            text = slot.fixed or literal_value(token.decode())
            raw = (f"-{text}" if slot.negative else text).encode()
            value = self.seal_parameter(role, raw, TEXT, declared_type(slot, token, raw), utf8=True)
        if b"'" in value:  # of a document or composite, which is sealed in parts
            value = value.replace(b"'", b"''")
        quoted = b"E'" + value.replace(b"\\", b"\\\\") + b"'" if b"\\" in value else b"'" + value + b"'"
        return quoted + slot.suffix

    def seal_parameter(
        self, role: Role, raw: bytes, wire_format: int, declared: int, *, utf8: bool = False
    ) -> bytes:
        """A parameter's ciphertext, in the format of the client's value. Raises InvalidValue, MissingKey."""
        place = (id(role), wire_format, declared, utf8)
        kept = self._sealers.get(place)
        if kept is None:
            settings = self.settings.in_utf8() if utf8 else self.settings
            kept = (role, self._parameter_sealer(role, wire_format, declared, settings))
            if len(self._sealers) >= _KEPT:
                self._sealers.clear()
            self._sealers[place] = kept
        return kept[1](raw)

    def parameter_sealers(
        self, plan: TextPlan, formats: bytes, declared: tuple[int, ...]
    ) -> list[Transform | None]:
        """What seals each parameter of a Bind, for a plan that has them in order. Raises MissingKey.

        `formats` are the format codes as the message has them, with their count. Raises InvalidValue where
        they are neither none, nor one, nor one for each, or unknown.
        """
        assert plan.parameters is not None
        place = (id(plan), formats, declared)
        if (kept := self._parameter_sealers.get(place)) is not None:
            return kept[1]
        codes = struct.unpack_from(f"!{len(formats) // 2 - 1}h", formats, 2)
        count = len(plan.parameters)
        if len(codes) not in (0, 1, count):
            raise InvalidValue(
                f"bind message has {len(codes)} parameter formats but {count} parameters", sqlstate="08P01"
            )
        if wrong := [code for code in codes if code not in (TEXT, BINARY)]:
            raise InvalidValue(f"unsupported format code: {wrong[0]}", sqlstate="22023")
        types = declared + (0,) * (count - len(declared))
        made = [
            None
            if wire.role is None
            else self._parameter_sealer(wire.role, format_of(codes, i), types[i], self.settings)
            for i, wire in enumerate(plan.parameters)
        ]
        if len(self._parameter_sealers) >= _KEPT:
            self._parameter_sealers.clear()
        self._parameter_sealers[place] = (plan, made)
        return made

    def _parameter_sealer(self, role: Role, wire_format: int, declared: int, settings: Settings) -> Transform:
        """What `seal_parameter` does with every value of one role, format and declared type."""
        if role.record is not None:
            return self._record_sealer(role, role.record, wire_format, settings)
        if role.json is not None:
            inner = settings.in_utf8()
            seals = {
                name: self._parameter_sealer(member, TEXT, 0, inner) for name, member in role.json.members
            }
            binary = wire_format == BINARY
            return RecordsSealer(role.json, seals, settings, binary=binary, declared=declared).seal
        stored = self._array_sealer(role, wire_format) if role.array else self.sealer(role.field, wire_format)
        if role.cast is None:
            read = _reader(role, declared, wire_format)

            def seal(raw: bytes) -> bytes:
                try:
                    return stored(read(raw, settings))
                except KeyExhausted:
                    raise _exhausted(role) from None

            return seal

        cast = role.type
        assign = _reader(role, cast.oid, BINARY)

        def seal_cast(raw: bytes) -> bytes:
            canonical = read_cast(raw, wire_format, declared, cast, settings)
            binary = codec(cast).to_binary(canonical, settings)
            try:
                return stored(assign(binary, settings))
            except KeyExhausted:
                raise _exhausted(role) from None

        return seal_cast

    def _record_sealer(self, role: Role, record: Record, wire_format: int, settings: Settings) -> Transform:
        """A composite value, or an array of them, with the attributes sealed that are fields' values."""

        def change(field: BoundField) -> Change:
            member = Role(field)
            self.sealer(field, wire_format)  # whose key has to be there

            def seal(raw: bytes, oid: int) -> bytes:
                return self._parameter_sealer(member, wire_format, oid, settings)(raw)

            return seal

        changes = {index: change(field) for index, field in record.members}
        apply = change_array if role.array else change_record

        def seal_record(raw: bytes) -> bytes:
            try:
                return apply(raw, changes, binary=wire_format == BINARY)
            except ValueError:
                raise InvalidValue("malformed record literal", sqlstate="22P02") from None

        return seal_record

    def _array_sealer(self, role: Role, wire_format: int) -> Transform:
        """Canonical bytes of an array -> an array of what the column stores."""
        seal = self.sealer(role.field, wire_format)
        element_oid = wire_oid(Role(role.field))

        def seal_array(canonical: bytes) -> bytes:
            stored = [None if item is None else seal(item) for item in unpack(canonical)]
            return binary_array(stored, element_oid) if wire_format == BINARY else array_text(stored)

        return seal_array

    def sealer(self, field: BoundField, wire_format: int) -> Transform:
        """Canonical bytes -> what the column stores, in text or binary format. Raises MissingKey."""
        key = self.active_key(field)
        family = field.type.family
        if field.storage == "bytea":
            seal = key.sealer(family)
            if wire_format == BINARY:
                return seal
            return lambda canonical: b"\\x" + seal(canonical).hex().encode()
        ascii_seal = key.ascii_sealer(family)
        if field.storage == "jsonb" and wire_format == BINARY:
            return lambda canonical: _JSONB_VERSION + b'"' + ascii_seal(canonical) + b'"'
        if field.storage in ("json", "jsonb"):
            return lambda canonical: b'"' + ascii_seal(canonical) + b'"'
        return ascii_seal

    def active_key(self, field: BoundField) -> FieldKey:
        key = self.keyring.active(field.field.key_name, field.field.algorithm)
        if key is None:
            raise MissingKey(key_need(field))
        return key

    def copy_sealer(self, field: BoundField, wire_format: int) -> Transform:
        """A COPY field's bytes -> what the column stores."""
        values, seal, settings = codec(field.type), self.sealer(field, wire_format), self.settings
        read = values.from_binary if wire_format == BINARY else values.from_text

        def seal_field(raw: bytes) -> bytes:
            try:
                return seal(read(raw, settings))
            except KeyExhausted:
                raise _exhausted(Role(field)) from None

        return seal_field


def _reader(role: Role, declared: int, wire_format: int) -> Reader:
    """What reads a value for all that becomes of it; it raises InvalidValue where that is not the same."""

    def of(logical: LogicalType) -> LogicalType:
        return logical.array_of if role.array else logical

    made = [
        make(declared, of(role.field.type))[wire_format]
        for use, make in ((Use.STORED, readers), (Use.COMPARED, comparers))
        if use in role.use
    ]
    if role.shown is not None:
        made.append(displayers(declared, of(role.shown))[wire_format])
    if len(made) == 1:
        return made[0]

    def read(raw: bytes, settings: Settings) -> bytes:
        found = {reader(raw, settings) for reader in made}
        if len(found) > 1:
            raise InvalidValue(
                f'a value that is given back as well as stored in, or compared with, "{role.field.field}"'
                " has another form there",
                sqlstate="0A000",
                hint="Write the value twice.",
            )
        return found.pop()

    return read


def _exhausted(role: Role) -> KeysUnavailable:
    return KeysUnavailable(
        f'the key of column "{role.field.field}" has used up its budget of encryptions',
        hint="pgveil rotate --field begins a new version of the key.",
    )


def _is_plain(token: bytes) -> bool:
    """Whether a literal is a string that holds what stands between its quotes."""
    return token[:1] == b"'" and token.find(b"'", 1) == len(token) - 1
