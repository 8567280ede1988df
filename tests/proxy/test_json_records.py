"""Documents of records: what belongs to a field is sealed, what nobody reads is left out, the rest stays."""

from __future__ import annotations

import json

import pytest

from crypto.envelope import from_ascii
from policy.types import TYPES, LogicalType
from proxy.errors import InvalidValue
from proxy.protector import Protector
from proxy.sql.literal import literal_value
from proxy.sql.parse import parse
from proxy.sql.plan import JsonRecords, Role, Slot
from proxy.values import Settings
from proxy.wire.frontend import BINARY, TEXT
from tests.session.playbook import FIELDS, KEYS, UTF8, opened

JSON, JSONB = TYPES["json"].oid, TYPES["jsonb"].oid


def role(*columns: str, kind: str = "json", many: bool = True, plain: str = "note") -> Role:
    members = tuple((column.split(".")[1], Role(FIELDS[column])) for column in columns)
    names = frozenset({name for name, _ in members} | {plain})
    return Role(FIELDS[columns[0]], json=JsonRecords(kind, many, members, names))


def sealed(given: Role, text: str, settings: Settings = UTF8) -> str:
    raw = text.encode(settings.encoding)
    return Protector(KEYS, settings).seal_parameter(given, raw, TEXT, 0).decode(settings.encoding)


def shown(stored: str) -> str:
    """The value in a member's ciphertext."""
    if stored.startswith("\\x"):
        return opened(bytes.fromhex(stored[2:]))
    return opened(from_ascii(stored.encode()))


def test_members_are_sealed_in_the_form_that_their_columns_store() -> None:
    text = '[{"email": "kanarie", "age": 36, "doc": {"b" : [1]}, "tags": ["a", null]}]'
    (record,) = json.loads(sealed(role("users.email", "users.age", "users.doc", "users.tags"), text))
    assert shown(record["email"]) == "kanarie"
    assert record["age"].startswith("\\x")
    assert shown(record["age"]) == "36"
    assert shown(record["doc"]) == '{"b": [1]}'
    assert shown(record["tags"]) == "{a,NULL}"


def test_null_stays_null_and_what_is_left_stays_as_it_was_written() -> None:
    text = ' [ {"note": 1.50 , "email":null},{ "note":"\\u0041"} ] '
    assert sealed(role("users.email"), text) == text


def test_what_no_column_reads_is_not_sent() -> None:
    found = json.loads(sealed(role("users.email"), '[{"ssn": "kanarie", "more": {"kanarie": ["kanarie"]}}]'))
    assert found == [{"ssn": None, "more": None}]


def test_a_name_in_another_spelling_is_the_same_name() -> None:
    text = '[{"\\u0065mail": "one", "email": "two"}]'
    values = json.loads(
        sealed(role("users.email"), text), object_pairs_hook=lambda pairs: [v for _, v in pairs]
    )
    assert [shown(value) for value in values[0]] == ["one", "two"]


def test_jsonb_is_normal_before_it_is_read() -> None:
    given = role("users.balance", kind="jsonb", many=False)
    record = json.loads(sealed(given, '{"balance": 5, "balance": 1.2e1}'))
    assert shown(record["balance"]) == "12.00"


@pytest.mark.parametrize(("declared", "prefix"), [(JSONB, b"\x01"), (JSON, b""), (0, b"\x01")])
def test_the_binary_format_of_jsonb_has_a_version(declared: int, prefix: bytes) -> None:
    given = role("users.email", kind="jsonb" if declared != JSON else "json")
    raw = (b"\x01" if declared != JSON else b"") + b'[{"email": "kanarie"}]'
    found = Protector(KEYS, UTF8).seal_parameter(given, raw, BINARY, declared)
    assert found.startswith(prefix + b"[")


def test_other_encodings() -> None:
    latin = Settings("latin-1", "ISO, MDY", "postgres", "UTC")
    (record,) = json.loads(sealed(role("users.email"), '[{"email": "é", "note": "ü"}]', latin))
    assert (shown(record["email"]), record["note"]) == ("é", "ü")


@pytest.mark.parametrize(
    ("text", "sqlstate"),
    [
        ("{", "22P02"),
        ('{"email": "a"}', "22023"),
        ("[1]", "22023"),
        ("null", "22023"),
        ('[{"age": "kanarie"}]', "22P02"),
        ('[{"age": 99999999999}]', "22003"),
        ('[{"nick": "a text that is longer than its column allows it to be, by far"}]', "22001"),
    ],
)
def test_a_document_that_does_not_fit_is_an_error_that_shows_nothing(text: str, sqlstate: str) -> None:
    with pytest.raises(InvalidValue) as raised:
        sealed(role("users.email", "users.age", "users.nick"), text)
    assert raised.value.sqlstate == sqlstate
    assert "kanarie" not in str(raised.value)


@pytest.mark.parametrize("note", ["it's", "'", "''", "\\\\'", "', ''); DROP TABLE users; --"])
def test_a_literal_stays_one_literal(note: str) -> None:
    """What is no field's value goes as it came, and may hold quotes."""
    token = "'" + json.dumps([{"email": "kanarie", "note": note}]).replace("'", "''") + "'"
    slot = Slot(0, role("users.email"))
    sql = Protector(KEYS, UTF8).seal_literal(slot, token.encode()).decode()
    (record,) = json.loads(literal_value(sql))
    assert (shown(record["email"]), record["note"]) == ("kanarie", note)
    assert [part.name for part in parse(f"SELECT {sql}").tokens] == ["SELECT", "SCONST"]


def test_what_is_too_long_for_its_definition_is_not_cut() -> None:
    """As an explicit cast would do it; but the server reads members by input functions."""
    member = Role(FIELDS["users.email"], cast=LogicalType.parse("varchar(5)"))
    given = Role(
        FIELDS["users.email"], json=JsonRecords("json", False, (("email", member),), frozenset({"email"}))
    )
    with pytest.raises(InvalidValue) as raised:
        sealed(given, '{"email": "kanarie"}')
    assert raised.value.sqlstate == "22001"


def test_a_document_of_another_declared_type_is_an_error() -> None:
    with pytest.raises(InvalidValue) as raised:
        Protector(KEYS, UTF8).seal_parameter(role("users.email"), b"[]", TEXT, TYPES["int4"].oid)
    assert raised.value.sqlstate == "42804"


def test_the_type_that_the_application_sees() -> None:
    assert role("users.email").type == LogicalType("json")
