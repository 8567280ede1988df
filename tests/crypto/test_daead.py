"""AES-SIV: a second implementation straight from RFC 5297, proved with its vectors, is the judge of ours."""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from crypto.daead import AesSiv, InvalidTag

KEY = bytes(range(64))


def siv(key: bytes, components: list[bytes], plaintext: bytes) -> bytes:
    """SIV-ENCRYPT of RFC 5297, 2.6."""
    half = len(key) // 2
    iv = s2v(key[:half], components, plaintext)
    counter = bytearray(iv)
    counter[8] &= 0x7F
    counter[12] &= 0x7F
    ctr = Cipher(algorithms.AES(key[half:]), modes.CTR(bytes(counter))).encryptor()
    return iv + ctr.update(plaintext) + ctr.finalize()


def s2v(key: bytes, components: list[bytes], plaintext: bytes) -> bytes:
    """S2V of RFC 5297, 2.4."""
    d = cmac(key, bytes(16))
    for component in components:
        d = xor(doubled(d), cmac(key, component))
    if len(plaintext) >= 16:
        return cmac(key, plaintext[:-16] + xor(plaintext[-16:], d))
    return cmac(key, xor(doubled(d), (plaintext + b"\x80").ljust(16, b"\0")))


def cmac(key: bytes, data: bytes) -> bytes:
    mac = CMAC(algorithms.AES(key))
    mac.update(data)
    return mac.finalize()


def doubled(block: bytes) -> bytes:
    """dbl() of RFC 5297, 2.3: multiplication by x in GF(2^128)."""
    number = int.from_bytes(block, "big") << 1
    if number >> 128:
        number ^= (1 << 128) | 0x87
    return number.to_bytes(16, "big")


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


RFC_5297 = {
    "A.1": (
        "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
        ["101112131415161718191a1b1c1d1e1f2021222324252627"],
        "112233445566778899aabbccddee",
        "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c",
    ),
    "A.2": (
        "7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f",
        [
            "00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100",
            "102030405060708090a0",
            "09f911029d74e35bd84156c5635688c0",
        ],
        "7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553",
        "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17"
        "dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d",
    ),
}


@pytest.mark.parametrize("case", RFC_5297.values(), ids=RFC_5297.keys())
def test_the_judge_against_the_rfc(case: tuple[str, list[str], str, str]) -> None:
    key, components, plaintext, expected = case
    made = siv(bytes.fromhex(key), [bytes.fromhex(c) for c in components], bytes.fromhex(plaintext))
    assert made.hex() == expected


@given(st.binary(min_size=64, max_size=64), st.lists(st.binary(), max_size=3), st.binary(min_size=1))
def test_agrees_with_the_judge(key: bytes, components: list[bytes], plaintext: bytes) -> None:
    sealed = AesSiv(key).encrypt(plaintext, components)
    assert sealed == siv(key, components, plaintext)
    assert AesSiv(key).decrypt(sealed, components) == plaintext


@pytest.mark.parametrize("length", [0, 32, 48, 63, 65])
def test_only_keys_of_64_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        AesSiv(bytes(length))


def test_equal_values_stay_equal() -> None:
    assert AesSiv(KEY).encrypt(b"value", [b"field"]) == AesSiv(KEY).encrypt(b"value", [b"field"])


@given(st.binary(min_size=1), st.binary(min_size=1))
def test_other_associated_data_gives_another_ciphertext(value: bytes, name: bytes) -> None:
    sealed = AesSiv(KEY).encrypt(value, [name])
    assert sealed != AesSiv(KEY).encrypt(value, [name + b"'"])
    with pytest.raises(InvalidTag):
        AesSiv(KEY).decrypt(sealed, [name + b"'"])


def test_another_key_does_not_open() -> None:
    with pytest.raises(InvalidTag):
        AesSiv(bytes(64)).decrypt(AesSiv(KEY).encrypt(b"value", []), [])


@pytest.mark.parametrize("length", range(1, 16))
def test_less_than_an_iv_does_not_open(length: int) -> None:
    with pytest.raises(InvalidTag):
        AesSiv(KEY).decrypt(bytes(length), [])


def test_sixteen_megabytes() -> None:
    huge = os.urandom(1 << 24)
    assert AesSiv(KEY).decrypt(AesSiv(KEY).encrypt(huge, []), []) == huge


@given(st.binary(min_size=1), st.data())
def test_a_change_of_any_bit_is_noticed(plaintext: bytes, data: st.DataObject) -> None:
    sealed = bytearray(AesSiv(KEY).encrypt(plaintext, []))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidTag):
        AesSiv(KEY).decrypt(bytes(sealed), [])
