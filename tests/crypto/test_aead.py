"""The randomized ciphers: published vectors, then everything that must not work."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.aead import Aead, Aes256Gcm, ChaCha20Poly1305, InvalidTag

VECTORS = json.loads((Path(__file__).parent / "vectors" / "aead.json").read_text())
NewCipher = type[Aes256Gcm | ChaCha20Poly1305]
CIPHERS: dict[str, NewCipher] = {"aes-256-gcm": Aes256Gcm, "chacha20-poly1305": ChaCha20Poly1305}
CASES = [(name, case) for name, group in VECTORS.items() for case in group["cases"]]

NONCE = bytes(range(12))


@pytest.fixture(params=list(CIPHERS))
def new_cipher(request: pytest.FixtureRequest) -> NewCipher:
    return CIPHERS[request.param]


@pytest.fixture
def cipher(new_cipher: NewCipher) -> Aead:
    return new_cipher(bytes(range(32)))


@pytest.mark.parametrize(("name", "case"), CASES)
def test_published_vectors(name: str, case: dict[str, str]) -> None:
    vector = {field: bytes.fromhex(text) for field, text in case.items()}
    cipher = CIPHERS[name](vector["key"])
    sealed = vector["ciphertext"] + vector["tag"]
    assert cipher.encrypt(vector["nonce"], vector["plaintext"], vector["associated_data"]) == sealed
    assert cipher.decrypt(vector["nonce"], sealed, vector["associated_data"]) == vector["plaintext"]


@pytest.mark.parametrize("length", [0, 16, 24, 31, 33, 64])
def test_only_keys_of_32_bytes(new_cipher: NewCipher, length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        new_cipher(bytes(length))


def test_another_key_does_not_open(new_cipher: NewCipher, cipher: Aead) -> None:
    sealed = cipher.encrypt(NONCE, b"value", b"")
    with pytest.raises(InvalidTag):
        new_cipher(bytes(32)).decrypt(NONCE, sealed, b"")


def test_another_nonce_does_not_open(cipher: Aead) -> None:
    sealed = cipher.encrypt(NONCE, b"value", b"")
    with pytest.raises(InvalidTag):
        cipher.decrypt(bytes(12), sealed, b"")


def test_other_associated_data_does_not_open(cipher: Aead) -> None:
    sealed = cipher.encrypt(NONCE, b"value", b"this field")
    with pytest.raises(InvalidTag):
        cipher.decrypt(NONCE, sealed, b"that field")


@pytest.mark.parametrize("length", range(16))
def test_less_than_a_tag_does_not_open(cipher: Aead, length: int) -> None:
    with pytest.raises(InvalidTag):
        cipher.decrypt(NONCE, bytes(length), b"")


def test_no_nonce_is_an_error(cipher: Aead) -> None:
    with pytest.raises(ValueError):
        cipher.encrypt(b"", b"value", b"")


def test_sixteen_megabytes(cipher: Aead) -> None:
    huge = os.urandom(1 << 24)
    sealed = cipher.encrypt(NONCE, huge, b"")
    assert len(sealed) == len(huge) + 16
    assert cipher.decrypt(NONCE, sealed, b"") == huge


@given(plaintext=st.binary(), aad=st.binary(), data=st.data())
def test_a_change_of_any_bit_is_noticed(plaintext: bytes, aad: bytes, data: st.DataObject) -> None:
    cipher = Aes256Gcm(bytes(32))
    sealed = bytearray(cipher.encrypt(NONCE, plaintext, aad))
    assert cipher.decrypt(NONCE, bytes(sealed), aad) == plaintext
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidTag):
        cipher.decrypt(NONCE, bytes(sealed), aad)
