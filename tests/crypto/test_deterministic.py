"""Deterministic envelopes: golden vectors both ways, equality kept, and nothing else opens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.daead import AesSiv
from crypto.deterministic import Deterministic
from crypto.envelope import MAGIC, associated_data, header, to_ascii
from crypto.errors import DecryptionError
from crypto.scheme import reject
from tests.crypto.schemes import bound, changed_bits, elsewhere, golden, opens

HEADER = header("aes-siv", b"key1")
AAD = associated_data(HEADER, "public.users.email", "text")
SCHEME = Deterministic(HEADER, AesSiv(bytes(64)))


@pytest.mark.parametrize("case", golden(deterministic=True))
def test_golden_vectors(case: dict[str, str]) -> None:
    head, aad = bound(case)
    made = Deterministic(head, AesSiv(bytes.fromhex(case["key"])))
    value, binary, text = (
        bytes.fromhex(case["canonical"]),
        bytes.fromhex(case["binary"]),
        case["ascii"].encode(),
    )
    assert made.sealer(aad)(value) == binary
    assert made.ascii_sealer(aad)(value) == text
    assert made.opener(aad, reject)(binary) == value
    assert made.ascii_opener(aad, reject)(text) == value


@given(st.binary(max_size=2000))
def test_what_is_sealed_opens(value: bytes) -> None:
    assert SCHEME.opener(AAD, reject)(SCHEME.sealer(AAD)(value)) == value
    assert SCHEME.ascii_opener(AAD, reject)(SCHEME.ascii_sealer(AAD)(value)) == value


@given(st.binary(), st.binary())
def test_ciphertexts_are_equal_exactly_when_the_values_are(left: bytes, right: bytes) -> None:
    seal = SCHEME.ascii_sealer(AAD)
    assert (seal(left) == seal(right)) == (left == right)


def test_no_changed_bit_goes_unnoticed() -> None:
    envelope = SCHEME.sealer(AAD)(b"value")
    opener = SCHEME.opener(AAD, reject)
    assert not any(opens(opener, changed) for changed in changed_bits(envelope, 0))


def test_cut_or_lengthened_does_not_open() -> None:
    envelope, text = SCHEME.sealer(AAD)(b"value"), SCHEME.ascii_sealer(AAD)(b"value")
    for length in range(len(envelope)):
        assert not opens(SCHEME.opener(AAD, reject), envelope[:length])
    for length in range(len(text)):
        assert not opens(SCHEME.ascii_opener(AAD, reject), text[:length])
    assert not opens(SCHEME.opener(AAD, reject), envelope + b"\0")


@pytest.mark.parametrize(
    "elsewhere_aad",
    [
        associated_data(HEADER, "public.users.phone", "text"),
        associated_data(HEADER, "public.users.email", "bytea"),
    ],
)
def test_of_another_field_or_type_does_not_open(elsewhere_aad: bytes) -> None:
    assert not opens(SCHEME.opener(AAD, reject), SCHEME.sealer(elsewhere_aad)(b"value"))
    assert not opens(SCHEME.ascii_opener(AAD, reject), SCHEME.ascii_sealer(elsewhere_aad)(b"value"))


@pytest.mark.parametrize("message", [b"\x00value", b"\x02value"])
def test_a_message_with_another_format_byte_does_not_open(message: bytes) -> None:
    envelope = MAGIC + HEADER + AesSiv(bytes(64)).encrypt(message, [AAD])
    assert not opens(SCHEME.opener(AAD, reject), envelope)
    assert not opens(SCHEME.ascii_opener(AAD, reject), to_ascii(envelope))


def test_envelopes_of_other_keys_go_elsewhere() -> None:
    other = Deterministic(header("aes-siv", b"key2"), AesSiv(bytes(64))).sealer(AAD)(b"value")
    assert SCHEME.opener(AAD, elsewhere)(other) == b"elsewhere: " + other
    assert SCHEME.ascii_opener(AAD, elsewhere)(to_ascii(other)) == b"elsewhere: " + to_ascii(other)


@given(st.binary())
def test_garbage_behind_a_good_prefix_raises_the_one_error(data: bytes) -> None:
    for opener, garbage in (
        (SCHEME.opener(AAD, reject), MAGIC + HEADER + data),
        (SCHEME.ascii_opener(AAD, reject), to_ascii(MAGIC + HEADER) + data),
    ):
        with pytest.raises(DecryptionError):
            opener(garbage)
