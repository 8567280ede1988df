"""A key of its own for each value: what differs from the cipher below it, and that the derivation is HKDF."""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from crypto.aead import Aes256Gcm, ChaCha20Poly1305, InvalidTag
from crypto.envelope import SUITES, associated_data, header
from crypto.kdf import hkdf_expand_sha256
from crypto.keyring import FieldKey
from crypto.keyset import KeyState
from crypto.nonces import REFUSE_AT
from crypto.record_aead import RecordAead

KEY = bytes(range(32))
CIPHERS = [Aes256Gcm, ChaCha20Poly1305]
Cipher = type[Aes256Gcm | ChaCha20Poly1305]
ALGORITHMS = [algorithm for algorithm in SUITES if algorithm.endswith("-record")]


@given(st.binary(min_size=32, max_size=64), st.binary(max_size=64))
def test_the_quick_derivation_is_the_librarys(key: bytes, info: bytes) -> None:
    library = HKDFExpand(algorithm=hashes.SHA256(), length=32, info=info)
    assert hkdf_expand_sha256(key)(info) == library.derive(key)


@pytest.mark.parametrize("cipher", CIPHERS)
def test_the_salt_chooses_the_key(cipher: Cipher) -> None:
    """Two values with one nonce of the cipher, and two salts: as different as two keys make them."""
    aead = RecordAead(cipher, KEY)
    one, other = (bytes([salt]) * 12 + bytes(12) for salt in (1, 2))
    assert aead.encrypt(one, b"value", b"")[:5] != aead.encrypt(other, b"value", b"")[:5]
    with pytest.raises(InvalidTag):
        aead.decrypt(other, aead.encrypt(one, b"value", b""), b"")


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("length", range(24))
def test_a_changed_byte_of_the_nonce_does_not_open(cipher: Cipher, length: int) -> None:
    aead, nonce = RecordAead(cipher, KEY), os.urandom(24)
    changed = nonce[:length] + bytes([nonce[length] ^ 1]) + nonce[length + 1 :]
    with pytest.raises(InvalidTag):
        aead.decrypt(changed, aead.encrypt(nonce, b"value", b"aad"), b"aad")


@pytest.mark.parametrize("cipher", CIPHERS)
def test_bad_keys_and_associated_data(cipher: Cipher) -> None:
    with pytest.raises(ValueError, match="must have 32 bytes"):
        RecordAead(cipher, bytes(16))
    sealed = RecordAead(cipher, KEY).encrypt(bytes(24), b"value", b"aad")
    for key, aad in ((KEY, b"other"), (bytes(32), b"aad")):
        with pytest.raises(InvalidTag):
            RecordAead(cipher, key).decrypt(bytes(24), sealed, aad)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_field_key_with_record_keys_has_no_budget(algorithm: str) -> None:
    key = FieldKey(b"key1", "t.c", algorithm, 1, KeyState.ACTIVE, KEY, used=REFUSE_AT)
    assert key.nonces is None
    sealed = [key.sealer("text")(b"value") for _ in range(200)]
    assert len(set(sealed)) == 200
    assert {key.opener("text")(envelope) for envelope in sealed} == {b"value"}
    texts = [key.ascii_sealer("text")(b"value") for _ in range(200)]
    assert key.ascii_column_opener("text")(texts) == [b"value"] * 200


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_record_key_is_not_the_key_of_the_plain_suite(algorithm: str) -> None:
    """One key under both suites: neither opens what the other has sealed."""
    plain = FieldKey(b"key1", "t.c", algorithm.removesuffix("-record"), 1, KeyState.ACTIVE, KEY)
    aead = RecordAead(Aes256Gcm if algorithm.startswith("aes") else ChaCha20Poly1305, KEY)
    body = plain.sealer("text")(b"value")[9:]
    aad = associated_data(header(plain.algorithm, plain.id), "t.c", "text")
    with pytest.raises((InvalidTag, ValueError)):
        aead.decrypt(body[:24], body[24:], aad)
