"""Sealing: every storage in both formats, and errors that show nothing."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from crypto.envelope import is_ascii, is_binary
from crypto.keyring import Keyring
from policy.types import LogicalType
from proxy.errors import InvalidValue
from proxy.protector import MissingKey, Protector, key_need, wire_oid
from proxy.sql.plan import Role, Shape, Slot, Use
from proxy.storage_text import array_items, binary_items
from proxy.values import Settings
from proxy.wire.frontend import BINARY, TEXT
from tests.session.playbook import FIELDS, KEYS, UTF8, opener, stored

PROTECTOR = Protector(KEYS, UTF8)
# A value of each field in text and binary format, and what it is in text afterwards.
VALUES: dict[str, tuple[str, bytes]] = {
    "users.email": ("kanarie é", "kanarie é".encode()),
    "users.ssn": ("", b""),
    "users.age": ("36", struct.pack("!i", 36)),
    "users.born": ("2000-01-02", struct.pack("!i", 1)),
    "users.balance": ("12.50", struct.pack("!hhhhhh", 2, 0, 0, 2, 12, 5000)),
    "users.active": ("t", b"\1"),
    "users.doc": ('{"a": 1}', b'\x01{"a": 1}'),
    "users.photo": ("\\xc0ffee", b"\xc0\xff\xee"),
    "users.nick": ("kanarie", b"kanarie"),
    "users.tags": ("{a,NULL}", struct.pack("!iiIii", 1, 1, 25, 2, 1) + struct.pack("!ici", 1, b"a", -1)),
}
FORMATS = {"text": TEXT, "binary": BINARY}


@pytest.mark.parametrize("outgoing", FORMATS)
@pytest.mark.parametrize("incoming", FORMATS)
@pytest.mark.parametrize("column", VALUES)
def test_whatever_format_a_value_came_in_it_goes_out_in_any(
    column: str, incoming: str, outgoing: str
) -> None:
    value = VALUES[column][FORMATS[incoming]]
    raw = value if isinstance(value, bytes) else value.encode()
    wire = PROTECTOR.seal_parameter(Role(FIELDS[column]), raw, FORMATS[incoming], 0)
    as_kept = in_other_format(column, wire, FORMATS[incoming], FORMATS[outgoing])
    expected = VALUES[column][FORMATS[outgoing]]
    assert opener(column, FORMATS[outgoing])(as_kept) == (
        expected if isinstance(expected, bytes) else expected.encode()
    )


def in_other_format(column: str, wire: bytes, incoming: int, outgoing: int) -> bytes:
    """What the server would send for what it was sent: text and binary of the storage's type."""
    storage = FIELDS[column].storage
    if incoming == outgoing or storage in ("text", "varchar"):
        return wire
    if storage == "bytea":
        return bytes.fromhex(wire[2:].decode()) if outgoing == BINARY else b"\\x" + wire.hex().encode()
    return b"\1" + wire if outgoing == BINARY else wire[1:]


@pytest.mark.parametrize("column", VALUES)
def test_nothing_of_the_value_is_in_what_is_stored(column: str) -> None:
    kept = stored(column, VALUES[column][0])
    inner = kept.strip(b'"')
    assert is_ascii(inner) or is_binary(bytes.fromhex(inner[2:].decode()))
    assert b"kanarie" not in kept


def test_deterministic_fields_repeat_and_randomized_ones_do_not() -> None:
    assert stored("users.email", "a") == stored("users.email", "a")
    assert stored("users.ssn", "a") != stored("users.ssn", "a")
    assert stored("users.email", "a") == stored("orders.buyer", "a")  # one key
    assert stored("users.email", "a") != stored("users.nick", "a")


# --- literals --------------------------------------------------------------------------------------------


def sealed_literal(column: str, token: str, *, negative: bool = False, suffix: bytes = b"") -> bytes:
    slot = Slot(0, Role(FIELDS[column]), negative, suffix=suffix)
    return PROTECTOR.seal_literal(slot, token.encode())


@pytest.mark.parametrize(
    ("column", "token", "value"),
    [
        ("users.email", "'it''s'", "it's"),
        ("users.email", r"E'a\nb'", "a\nb"),
        ("users.age", "36", "36"),
        ("users.balance", "1e1", "10.00"),
        ("users.email", "1e3", "1000"),
        ("users.email", "007", "7"),
        ("users.email", "1.50", "1.50"),
        ("users.born", "'10 December 1815'", "1815-12-10"),
        ("users.tags", "'{a,b}'", "{a,b}"),
    ],
)
def test_literals(column: str, token: str, value: str) -> None:
    sql = sealed_literal(column, token)
    kept = sql[2:-1].replace(b"\\\\", b"\\") if sql.startswith(b"E'") else sql[1:-1]
    assert opener(column, TEXT)(kept) == value.encode()


def test_a_backslash_is_safe_whatever_the_setting() -> None:
    r"""'\x00' means another thing while standard_conforming_strings is off; E'\\x00' never does."""
    assert sealed_literal("users.age", "36").startswith(b"E'\\\\x")
    assert sealed_literal("users.age", "36", suffix=b"::bytea").endswith(b"'::bytea")
    assert sealed_literal("users.email", "'a'").startswith(b"'pgv1:")


def test_signs_and_keywords() -> None:
    negative = sealed_literal("users.age", "36", negative=True)
    assert opener("users.age", TEXT)(negative[2:-1].replace(b"\\\\", b"\\")) == b"-36"
    fixed = PROTECTOR.seal_literal(Slot(-1, Role(FIELDS["users.active"]), fixed="true"), b"")
    assert opener("users.active", TEXT)(fixed[2:-1].replace(b"\\\\", b"\\")) == b"t"


def test_literals_are_utf8_whatever_the_client_speaks() -> None:
    """The text of a statement is converted as a whole."""
    latin = Protector(KEYS, Settings("latin-1", "ISO, MDY", "postgres", "UTC"))
    role = Role(FIELDS["users.email"])
    assert latin.seal_literal(Slot(0, role), "'é'".encode())[1:-1] == latin.seal_parameter(
        role, b"\xe9", TEXT, 0
    )


# --- arrays, casts, comparisons --------------------------------------------------------------------------


@pytest.mark.parametrize("wire_format", FORMATS.values(), ids=FORMATS)
def test_an_array_of_values_is_sealed_element_by_element(wire_format: int) -> None:
    role = Role(FIELDS["users.email"], array=True)
    raw = b"{a,NULL,b}" if wire_format == TEXT else VALUES["users.tags"][1]
    wire = PROTECTOR.seal_parameter(role, raw, wire_format, 0)
    items = array_items(wire) if wire_format == TEXT else binary_items(wire)
    assert items[:2] == [stored("users.email", "a"), None]
    assert opener("users.email", wire_format, Shape.ARRAY, LogicalType("text", array=True))(wire) == raw


def test_a_cast_changes_the_type_that_is_read_and_shown() -> None:
    wide = Role(FIELDS["users.age"], cast=LogicalType("int8"))
    wire = PROTECTOR.seal_parameter(wide, struct.pack("!q", 36), BINARY, 0)
    assert opener("users.age", BINARY, logical=LogicalType("int8"))(wire) == struct.pack("!q", 36)
    with pytest.raises(InvalidValue):
        PROTECTOR.seal_parameter(wide, b"99999999999", TEXT, 0)


def test_a_declared_type_is_read_and_assigned() -> None:
    role = Role(FIELDS["users.age"])
    for oid, raw in {20: struct.pack("!q", 36), 21: struct.pack("!h", 36), 23: struct.pack("!i", 36)}.items():
        assert (
            opener("users.age", TEXT)(
                b"\\x" + PROTECTOR.seal_parameter(role, raw, BINARY, oid).hex().encode()
            )
            == b"36"
        )


@pytest.mark.parametrize(
    ("column", "value", "declared"),
    [("users.nick", "x" * 30, 0), ("users.balance", "12.505", 1700), ("users.age", "99999999999", 20)],
)
def test_what_a_field_cannot_hold_equals_nothing(column: str, value: str, declared: int) -> None:
    """Compared, such a value is no error, and no stored value's ciphertext."""
    role = Role(FIELDS[column], use=Use.COMPARED)
    wire = PROTECTOR.seal_parameter(role, value.encode(), TEXT, declared)
    try:
        assigned = PROTECTOR.seal_parameter(Role(FIELDS[column]), value.encode(), TEXT, 0)
    except InvalidValue:
        return
    assert wire != assigned


def test_copy_rows() -> None:
    seal = PROTECTOR.copy_sealer(FIELDS["users.age"], TEXT)
    assert opener("users.age", TEXT)(seal(b"36")) == b"36"
    with pytest.raises(InvalidValue):
        seal(b"many")


def test_a_missing_key_says_what_is_needed() -> None:
    empty = Protector(Keyring(()), UTF8)
    with pytest.raises(MissingKey) as missing:
        empty.seal_parameter(Role(FIELDS["users.email"]), b"kanarie", TEXT, 0)
    assert missing.value.need == key_need(FIELDS["users.email"])
    assert "kanarie" not in str(missing.value)


@pytest.mark.parametrize(
    ("column", "value"), [("users.age", "kanarie"), ("users.doc", "{kanarie"), ("users.nick", "kanarie" * 9)]
)
def test_a_value_that_does_not_fit_is_not_repeated(column: str, value: str) -> None:
    with pytest.raises(InvalidValue) as failed:
        PROTECTOR.seal_parameter(Role(FIELDS[column]), value.encode(), TEXT, 0)
    told = (failed.value.message, failed.value.detail, failed.value.hint, str(failed.value))
    assert not any("kanarie" in str(part) for part in told)


# --- odds and ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "oid", "array_oid"),
    [("users.email", 25, 1009), ("users.nick", 25, 1009), ("users.age", 17, 1001), ("users.doc", 3802, 3807)],
)
def test_types_on_the_wire(column: str, oid: int, array_oid: int) -> None:
    assert wire_oid(Role(FIELDS[column])) == oid
    assert wire_oid(Role(FIELDS[column], array=True)) == array_oid


def test_a_key_need_names_the_fields_key() -> None:
    need = key_need(FIELDS["users.email"])
    assert (need.name, need.dek, need.algorithm) == ("mail", "mail", "aes-siv")
    assert key_need(FIELDS["users.ssn"]).dek == "public.users"
    renamed = replace(FIELDS["users.ssn"].field, id="old.name")
    assert key_need(replace(FIELDS["users.ssn"], field=renamed)).name == "old.name"
