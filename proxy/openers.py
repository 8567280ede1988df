"""Opening the values of fields: from envelopes in their storage to what PostgreSQL's clients are sent.

    storage: ASCII, bytea or a JSON string -> envelope (crypto) -> canonical bytes -> text or binary (values)

Like a protector, which seals them, it is made for one snapshot of the keys and one state of the settings.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

from crypto.columns import ColumnOpener
from crypto.envelope import from_ascii, is_ascii, is_binary, key_id
from crypto.errors import DecryptionError, DestroyedKey, UnknownKey
from crypto.keyring import Keyring
from policy.binding import BoundField
from policy.types import LogicalType
from proxy.errors import CannotOpen
from proxy.sql.plan import ResultColumn, Results, Shape
from proxy.storage_text import array_items, binary_items, bytea_bytes, json_string
from proxy.values import Settings, codec
from proxy.values.arrays import pack
from proxy.wire.frontend import BINARY, TEXT
from proxy.wire.rows import NullValue, RowRewriter

Transform = Callable[[bytes], bytes]

_NO_VALUE = (struct.error, ValueError, ArithmeticError, LookupError)  # of a codec that is given other bytes


class Openers:
    """Makes what opens values, with one snapshot of keys, for a session with these settings."""

    def __init__(self, keyring: Keyring, settings: Settings) -> None:
        self.keyring = keyring
        self.settings = settings
        # what is kept by an id is kept with the object, so that nothing else gets its id
        self.rewriters: dict[tuple[int, int, tuple[int, ...]], tuple[Results, RowRewriter | None]] = {}

    def opener(self, column: ResultColumn, wire_format: int) -> Transform:
        """A result column's bytes -> what the application sees. It raises CannotOpen and UnknownKey."""
        if column.shape in (Shape.JSON, Shape.JSON_ARRAY):
            return self._json_opener(column, wire_format)
        if column.shape is Shape.DEFAULT:
            from proxy.default_results import DefaultResults

            return DefaultResults(self, column.defaults).open
        field = column.fields[0]
        assert column.type is not None
        if column.shape is Shape.ARRAY:
            return self._array_opener(field, column, wire_format)
        canonical = self.canonical_opener(field, wire_format)
        values, settings = codec(_padded(column.type, field)), self.settings
        as_it_is = values.text_is_canonical if wire_format == TEXT else values.binary_is_canonical
        if as_it_is and settings.encoding == "utf-8":
            return canonical
        write = values.to_binary if wire_format == BINARY else values.to_text
        return lambda raw: _written(field, write, canonical(raw), settings)

    def column_opener(self, column: ResultColumn, wire_format: int) -> ColumnOpener | None:
        """The values of a column -> what the application sees; None where it takes `opener` for each.

        It raises DecryptionError or CannotOpen unless it can open all of them: `opener` then tells which.
        """
        field = column.fields[0]
        if column.shape is not Shape.SCALAR or field.storage in ("bytea", "json", "jsonb"):
            return None
        if field.field.plaintext_allowed or column.type is None:
            return None
        name, algorithm = field.field.key_name, field.field.algorithm
        open_all = self.keyring.ascii_column_opener(name, algorithm, field.type.family)
        values, settings = codec(_padded(column.type, field)), self.settings
        as_it_is = values.text_is_canonical if wire_format == TEXT else values.binary_is_canonical
        return open_all if as_it_is and settings.encoding == "utf-8" else None

    def canonical_opener(self, field: BoundField, wire_format: int) -> Transform:
        """What a column stores -> canonical bytes."""
        name, algorithm, family = field.field.key_name, field.field.algorithm, field.type.family
        if field.storage == "bytea":
            return self._guarded(field, self.keyring.opener(name, algorithm, family), wire_format)
        return self._guarded(field, self.keyring.ascii_opener(name, algorithm, family), wire_format)

    def _guarded(self, field: BoundField, open_: Transform, wire_format: int) -> Transform:
        """Errors in PostgreSQL's terms; plaintext from before encryption where the policy allows it."""
        strip = _unwrapper(field, wire_format)
        plaintext = self._plaintext(field, wire_format) if field.field.plaintext_allowed else None
        if strip is None and plaintext is None:

            def open_plainly(raw: bytes) -> bytes:
                try:
                    return open_(raw)
                except UnknownKey:
                    raise
                except DestroyedKey as gone:
                    raise erased(field, gone) from None
                except DecryptionError:
                    raise cannot_open(field, self._named_key(raw)) from None

            return open_plainly

        def open_stored(raw: bytes) -> bytes:
            inner = b""
            try:
                inner = strip(raw) if strip is not None else raw
                if plaintext is not None and not is_sealed(field, inner):
                    return plaintext(raw)
                return open_(inner)
            except UnknownKey:
                raise
            except DestroyedKey as gone:
                raise erased(field, gone) from None
            except (DecryptionError, ValueError):
                raise cannot_open(field, self._named_key(inner)) from None

        return open_stored

    def _named_key(self, stored: bytes) -> str | None:
        """The id, in hexadecimal, of the key that a value names which does not open; None if it has none."""
        try:
            found = key_id(from_ascii(stored) if is_ascii(stored) else stored)
        except DecryptionError:
            return None
        return found.hex() if self.keyring.find(found) is not None else None

    def _plaintext(self, field: BoundField, wire_format: int) -> Transform:
        values, settings = codec(field.type), self.settings
        if wire_format == BINARY:
            return lambda raw: values.from_binary(raw, settings)
        return lambda raw: values.from_text(raw, settings)

    def _array_opener(self, field: BoundField, column: ResultColumn, wire_format: int) -> Transform:
        assert column.type is not None
        values, settings = codec(_padded(column.type, field)), self.settings
        write = values.to_binary if wire_format == BINARY else values.to_text
        open_ = self.canonical_opener(field, TEXT if wire_format == TEXT else BINARY)

        def open_array(raw: bytes) -> bytes:
            items = binary_items(raw) if wire_format == BINARY else array_items(raw)
            canonical = pack([None if item is None else _or_null(open_, item) for item in items])
            return _written(field, write, canonical, settings)

        return open_array

    def _json_opener(self, column: ResultColumn, wire_format: int) -> Transform:
        from proxy.json_results import DocumentArrays, JsonResults

        if column.shape is Shape.JSON:
            return JsonResults(self, column.members).open
        return DocumentArrays(self, column.members, binary=wire_format == BINARY).open


def _padded(shown: LogicalType, field: BoundField) -> LogicalType:
    """A char(n) has its padding also where its type has lost the limit."""
    own = field.type
    return replace(shown, modifier=own.modifier) if shown.name == own.name == "bpchar" else shown


def _written(
    field: BoundField, write: Callable[[bytes, Settings], bytes], canonical: bytes, settings: Settings
) -> bytes:
    """A value as the client wants it. Raises CannotOpen for bytes that are none of the type's values."""
    try:
        return write(canonical, settings)
    except _NO_VALUE:
        raise cannot_open(field) from None


def is_sealed(field: BoundField, inner: bytes) -> bool:
    """Whether a stored value has the marker of an envelope."""
    return is_binary(inner) if field.storage == "bytea" else is_ascii(inner)


def _or_null(open_: Transform, item: bytes) -> bytes | None:
    try:
        return open_(item)
    except NullValue:
        return None


def _unwrapper(field: BoundField, wire_format: int) -> Transform | None:
    """Takes off what the storage's type puts around an envelope; None where that is nothing."""
    if field.storage == "bytea":
        return bytea_bytes if wire_format == TEXT else None
    if field.storage == "jsonb" and wire_format == BINARY:
        return lambda raw: json_string(raw[1:])
    if field.storage in ("json", "jsonb"):
        return json_string
    return None


def erased(field: BoundField, gone: DestroyedKey) -> CannotOpen | NullValue:
    """What a value is whose key was destroyed, as the policy has it: NULL, or an error."""
    return NullValue() if field.field.null_if_destroyed else was_destroyed(field, gone)


def was_destroyed(field: BoundField, gone: DestroyedKey) -> CannotOpen:
    """The error of a value whose key was destroyed on purpose."""
    return CannotOpen(
        f'the key of a stored value of protected column "{field.field}" was destroyed',
        detail=f"It was destroyed at {gone.destroyed_at}; the value cannot be recovered.",
        hint="To read NULL instead, write destroyed: null in the column's policy.",
    )


def cannot_open(field: BoundField, key: str | None = None) -> CannotOpen:
    """The one error of everything that does not open; `key` is for the audit trail only."""
    error = CannotOpen(
        f'a stored value of protected column "{field.field}" cannot be decrypted',
        detail="It is plaintext, was altered, or belongs to another column.",
        hint="If the column still holds plaintext from before, write plaintext: allow in its policy.",
    )
    error.field, error.key = str(field.field), key
    return error
