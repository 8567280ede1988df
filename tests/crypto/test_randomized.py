"""Randomized envelopes: golden vectors both ways, and nothing else opens."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.aead import Aead, Aes256Gcm, ChaCha20Poly1305
from crypto.envelope import MAGIC, PREFIX_BYTES, associated_data, header, to_ascii
from crypto.errors import DecryptionError
from crypto.nonces import BLOCK, NonceSource
from crypto.randomized import Randomized
from crypto.record_aead import RecordAead
from crypto.scheme import reject
from tests.crypto.schemes import FixedNonce, bound, changed_bits, elsewhere, golden, opens

CASES = golden(deterministic=False)
HEADER = header("aes-256-gcm", b"key1")
AAD = associated_data(HEADER, "public.users.email", "text")


def cipher(case: dict[str, str]) -> Aead:
    key, algorithm = bytes.fromhex(case["key"]), case["algorithm"]
    plain = Aes256Gcm if algorithm.startswith("aes-256-gcm") else ChaCha20Poly1305
    return RecordAead(plain, key) if algorithm.endswith("-record") else plain(key)


def scheme(key: bytes = bytes(32), head: bytes = HEADER) -> Randomized:
    return Randomized(head, Aes256Gcm(key), NonceSource())


@pytest.mark.parametrize("case", CASES)
def test_golden_vectors(case: dict[str, str]) -> None:
    head, aad = bound(case)
    nonces = cast(Any, FixedNonce(bytes.fromhex(case["nonce"])))
    made = Randomized(head, cipher(case), nonces)
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
    made = scheme()
    assert made.opener(AAD, reject)(made.sealer(AAD)(value)) == value
    assert made.ascii_opener(AAD, reject)(made.ascii_sealer(AAD)(value)) == value


def test_equal_values_differ() -> None:
    seal = scheme().sealer(AAD)
    assert len({seal(b"value") for _ in range(3 * BLOCK)}) == 3 * BLOCK


def test_the_empty_value_is_sealed_like_any_other() -> None:
    made = scheme()
    assert len(made.sealer(AAD)(b"")) == len(made.sealer(AAD)(b"x")) - 1
    assert made.opener(AAD, reject)(made.sealer(AAD)(b"")) == b""


def test_sixteen_megabytes() -> None:
    made, huge = scheme(), bytes(1 << 24)
    assert made.ascii_opener(AAD, reject)(made.ascii_sealer(AAD)(huge)) == huge


def test_no_changed_bit_goes_unnoticed() -> None:
    made = scheme()
    opener = made.opener(AAD, reject)
    envelope = made.sealer(AAD)(b"value")
    assert not any(opens(opener, changed) for changed in changed_bits(envelope, 0))


def test_cut_or_lengthened_does_not_open() -> None:
    made = scheme()
    envelope, text = made.sealer(AAD)(b"value"), made.ascii_sealer(AAD)(b"value")
    for length in range(len(envelope)):
        assert not opens(made.opener(AAD, reject), envelope[:length])
    for length in range(len(text)):
        assert not opens(made.ascii_opener(AAD, reject), text[:length])
    assert not opens(made.opener(AAD, reject), envelope + b"\0")
    assert not opens(made.ascii_opener(AAD, reject), text + b"AAAA")


@pytest.mark.parametrize(
    "elsewhere_aad",
    [
        associated_data(HEADER, "public.users.phone", "text"),
        associated_data(HEADER, "public.users.email", "bytea"),
        associated_data(header("aes-256-gcm", b"key2"), "public.users.email", "text"),
        associated_data(header("chacha20-poly1305", b"key1"), "public.users.email", "text"),
    ],
)
def test_of_another_field_type_key_or_suite_does_not_open(elsewhere_aad: bytes) -> None:
    made = scheme()
    assert not opens(made.opener(AAD, reject), made.sealer(elsewhere_aad)(b"value"))
    assert not opens(made.ascii_opener(AAD, reject), made.ascii_sealer(elsewhere_aad)(b"value"))


def test_another_key_of_the_same_id_does_not_open() -> None:
    envelope = scheme(bytes([1]) * 32).sealer(AAD)(b"value")
    with pytest.raises(DecryptionError) as caught:
        scheme().opener(AAD, reject)(envelope)
    assert str(caught.value) == "the value cannot be decrypted"
    assert caught.value.__context__ is None


@pytest.mark.parametrize("message", [b"", b"\x00value", b"\x02value"])
def test_a_message_with_no_or_another_format_byte_does_not_open(message: bytes) -> None:
    nonce = bytes(12)
    envelope = MAGIC + HEADER + nonce + Aes256Gcm(bytes(32)).encrypt(nonce, message, AAD)
    assert not opens(scheme().opener(AAD, reject), envelope)
    assert not opens(scheme().ascii_opener(AAD, reject), to_ascii(envelope))


def test_envelopes_of_other_keys_go_elsewhere() -> None:
    envelope = scheme(head=header("aes-256-gcm", b"key2")).sealer(AAD)(b"value")
    assert scheme().opener(AAD, elsewhere)(envelope) == b"elsewhere: " + envelope
    assert scheme().ascii_opener(AAD, elsewhere)(to_ascii(envelope)) == b"elsewhere: " + to_ascii(envelope)


@given(st.binary())
def test_garbage_behind_a_good_prefix_raises_the_one_error(data: bytes) -> None:
    made = scheme()
    prefix = MAGIC + HEADER
    assert len(prefix) == PREFIX_BYTES
    for opener, garbage in (
        (made.opener(AAD, reject), prefix + data),
        (made.ascii_opener(AAD, reject), to_ascii(prefix) + data),
    ):
        with pytest.raises(DecryptionError):
            opener(garbage)
