"""Opening: what is no ciphertext of the field is an error that shows nothing; plaintext from before."""

from __future__ import annotations

import pytest

from crypto.errors import UnknownKey
from crypto.keyring import Keyring
from policy.types import LogicalType
from proxy.errors import CannotOpen
from proxy.openers import Openers
from proxy.sql.plan import ResultColumn, Shape
from proxy.wire.frontend import BINARY, TEXT
from tests.session.playbook import FIELDS, UTF8, opener, stored

FORMATS = {"text": TEXT, "binary": BINARY}
COLUMNS = [name for name in FIELDS if name.startswith("users.")]


@pytest.mark.parametrize("wire_format", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(
    "value", [b"", b"kanarie", b"pgv1:", b"\\x", b"\\xzz", b'"pgv1:AAAA"', b"\1kanarie", b"null"]
)
def test_what_is_no_ciphertext_is_an_error_that_shows_nothing(
    column: str, value: bytes, wire_format: int
) -> None:
    with pytest.raises(CannotOpen) as failed:
        opener(column, wire_format)(value)
    assert "kanarie" not in f"{failed.value.message}{failed.value.detail}{failed.value.hint}"
    assert failed.value.__cause__ is None


def test_a_value_of_another_field_does_not_open() -> None:
    with pytest.raises(CannotOpen):
        opener("users.email", TEXT)(stored("users.nick", "a"))
    with pytest.raises(CannotOpen):
        opener("users.ssn", TEXT)(stored("users.email", "a"))


def test_a_key_that_the_snapshot_lacks_is_named() -> None:
    empty = Openers(Keyring(()), UTF8)
    column = ResultColumn((FIELDS["users.email"],), Shape.SCALAR, LogicalType("text"))
    with pytest.raises(UnknownKey):
        empty.opener(column, TEXT)(stored("users.email", "a"))


# --- plaintext from before -------------------------------------------------------------------------------


def test_plaintext_is_read_where_the_policy_allows_it() -> None:
    for wire_format in FORMATS.values():
        read = opener("legacy.old_text", wire_format)
        assert read(b"from before") == b"from before"
        assert read(b"") == b""
        assert read(stored("legacy.old_text", "encrypted")) == b"encrypted"


def test_what_has_the_marker_is_ciphertext_even_then() -> None:
    """Or anybody could pass a forged envelope off as plaintext."""
    with pytest.raises(CannotOpen):
        opener("legacy.old_text", TEXT)(b"pgv1:forged")
