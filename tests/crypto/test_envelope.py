"""The format of envelopes: the golden vectors, a second reading of docs/envelope.md, and its ASCII form."""

from __future__ import annotations

import base64
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from crypto.envelope import (
    ASCII_PREFIX_BYTES,
    MAGIC,
    MARKER,
    SUITES,
    ascii_size,
    associated_data,
    binary_size,
    decode,
    encode,
    from_ascii,
    header,
    is_ascii,
    is_binary,
    key_id,
    length_prefixed,
    parse,
    to_ascii,
)
from crypto.errors import DecryptionError
from policy import storage
from tests.crypto.schemes import GOLDEN

KEY_ID = bytes.fromhex("5eed0001")


def by_the_book(case: dict[str, str]) -> bytes:
    """The binary envelope as docs/envelope.md describes it, without a line of pgveil's own code."""
    algorithm, per_record = case["algorithm"].removesuffix("-record"), case["algorithm"].endswith("-record")
    number = {"aes-256-gcm": 1, "chacha20-poly1305": 2, "aes-siv": 3}[algorithm] + 3 * per_record
    key, nonce, key_id, value = (bytes.fromhex(case[x]) for x in ("key", "nonce", "key_id", "canonical"))
    head = b"\x01" + bytes([number]) + key_id
    aad = b""
    for part in (head, case["name"].encode(), case["family"].encode()):
        aad += len(part).to_bytes(2, "big") + part
    if number == 3:
        return b"\xffPV" + head + AESSIV(key).encrypt(b"\x01" + value, [aad])
    salt, inner = (nonce[:12], nonce[12:]) if per_record else (b"", nonce)
    if per_record:
        key = HKDFExpand(hashes.SHA256(), 32, b"\x00\x0dpgveil v1 rek\x00\x0c" + salt).derive(key)
    cipher = AESGCM(key) if algorithm == "aes-256-gcm" else ChaCha20Poly1305(key)
    return b"\xffPV" + head + nonce + cipher.encrypt(inner, b"\x01" + value, aad)


@pytest.mark.parametrize("case", GOLDEN)
def test_golden_vectors_follow_the_document(case: dict[str, str]) -> None:
    binary = by_the_book(case)
    assert binary.hex() == case["binary"]
    assert "pgv1:" + base64.urlsafe_b64encode(binary[3:]).decode().rstrip("=") == case["ascii"]


@pytest.mark.parametrize("case", GOLDEN)
def test_both_forms_of_the_golden_vectors(case: dict[str, str]) -> None:
    binary, ascii_form = bytes.fromhex(case["binary"]), case["ascii"].encode()
    assert to_ascii(binary) == ascii_form
    assert from_ascii(ascii_form) == binary
    assert is_binary(binary)
    assert is_ascii(ascii_form)
    length = len(bytes.fromhex(case["canonical"]))
    assert len(binary) == binary_size(case["algorithm"], length)
    assert len(ascii_form) == ascii_size(case["algorithm"], length)


@pytest.mark.parametrize("case", GOLDEN)
def test_an_envelope_tells_its_suite_key_and_nonce(case: dict[str, str]) -> None:
    envelope = parse(bytes.fromhex(case["binary"]))
    assert envelope.suite is SUITES[case["algorithm"]]
    assert envelope.key_id.hex() == case["key_id"] == key_id(bytes.fromhex(case["binary"])).hex()
    assert envelope.nonce.hex() == case["nonce"]


@pytest.mark.parametrize("case", GOLDEN)
def test_no_shorter_envelope_parses_as_whole(case: dict[str, str]) -> None:
    """An empty value's envelope is the shortest; cut by a byte, it is none."""
    binary = bytes.fromhex(case["binary"])
    shortest = binary_size(case["algorithm"], 0)
    parse(binary[:shortest])
    for length in range(shortest):
        with pytest.raises(DecryptionError):
            parse(binary[:length])


def test_every_key_has_one_constant_prefix_in_ascii_too() -> None:
    head = header("aes-256-gcm", KEY_ID)
    prefix = to_ascii(MAGIC + head)
    assert len(prefix) == ASCII_PREFIX_BYTES
    assert all(to_ascii(MAGIC + head + bytes([byte])).startswith(prefix) for byte in range(256))


@pytest.mark.parametrize(
    "foreign",
    [
        b"",
        b"plain",
        MAGIC,
        b"\xffPV\x01",
        b"\xffPV\x01\x01abc",  # the key id is cut short
        b"\xffPV\x02" + bytes(60),  # a later version
        b"\xffPV\x01\x00" + bytes(60),  # no such suite
        b"\xffPV\x01\x06" + bytes(60),
    ],
)
def test_what_is_no_envelope_does_not_parse(foreign: bytes) -> None:
    with pytest.raises(DecryptionError):
        parse(foreign)


@pytest.mark.parametrize(
    "foreign",
    [
        b"",
        b"plain",
        b"pgv1",
        b"pgv2:AQFe7QAB",
        b"pgv1:A",  # no base64 text has one character more than a multiple of four
        b"pgv1:AQFe7QA=",  # padding
        b"pgv1:AQ+e",  # the standard alphabet
        b"pgv1:AQ/e",
        b"pgv1:AQF e7QAB",
        b"pgv1:AQF\ne7QAB",
        b"pgv1:AQF\xc3\xa9",
    ],
)
def test_what_is_no_base64url_is_no_envelope(foreign: bytes) -> None:
    with pytest.raises(DecryptionError):
        from_ascii(foreign)


@given(st.binary())
def test_base64url_is_that_of_the_standard_library(data: bytes) -> None:
    assert encode(data) == base64.urlsafe_b64encode(data).rstrip(b"=")
    assert decode(encode(data)) == data


@given(st.binary())
def test_the_forms_are_inverse(tail: bytes) -> None:
    assert from_ascii(to_ascii(MAGIC + tail)) == MAGIC + tail


@given(st.binary())
def test_any_bytes_parse_or_raise_the_one_error(data: bytes) -> None:
    for read, marked in ((parse, MAGIC + data), (from_ascii, MARKER + data)):
        with suppress(DecryptionError):
            read(marked)


def test_a_key_id_has_four_bytes() -> None:
    with pytest.raises(ValueError, match="4 bytes"):
        header("aes-siv", b"abc")


@given(st.lists(st.binary(max_size=4), max_size=4), st.lists(st.binary(max_size=4), max_size=4))
def test_length_prefixes_keep_lists_apart(left: list[bytes], right: list[bytes]) -> None:
    assert (length_prefixed(*left) == length_prefixed(*right)) == (left == right)


def test_a_part_that_is_too_long() -> None:
    assert len(length_prefixed(bytes(65535))) == 65537
    with pytest.raises(ValueError, match="65535"):
        length_prefixed(bytes(65536))


def test_associated_data_to_the_byte() -> None:
    made = associated_data(header("aes-siv", KEY_ID), "users.email", "text")
    assert made == b"\x00\x06\x01\x03\x5e\xed\x00\x01\x00\x0busers.email\x00\x04text"


@given(st.sampled_from(sorted(SUITES)), st.integers(0, 100_000))
def test_the_policy_knows_how_long_ciphertext_gets(algorithm: str, length: int) -> None:
    assert storage.ascii_length(length, algorithm) == ascii_size(algorithm, length)
    assert len(MARKER) == storage.MARKER_LENGTH


def test_the_documents_example_is_a_golden_vector() -> None:
    document = (Path(__file__).parents[2] / "docs" / "envelope.md").read_text()
    example = document[document.index("### An example") : document.index("## Keys")]
    case = GOLDEN[0]
    for field in ("key", "key_id", "nonce", "canonical", "ascii"):
        assert case[field] in example
    assert associated_data(
        bytes.fromhex("01015eed0000"), case["name"], case["family"]
    ).hex() in example.replace(" ", "")
