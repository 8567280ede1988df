"""Key derivation against the published vectors."""

from __future__ import annotations

import pytest

from crypto.kdf import hkdf_sha256, scrypt

RFC_5869 = {
    "A.1": (
        "0b" * 22,
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    "A.2": (
        bytes(range(0x50)).hex(),
        bytes(range(0x60, 0xB0)).hex(),
        bytes(range(0xB0, 0x100)).hex(),
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
        "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    "A.3": (
        "0b" * 22,
        "",
        "",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
}


@pytest.mark.parametrize("case", RFC_5869.values(), ids=RFC_5869.keys())
def test_hkdf_vectors(case: tuple[str, str, str, str]) -> None:
    key, salt, info, expected = map(bytes.fromhex, case)
    assert hkdf_sha256(key, salt=salt, info=info, length=len(expected)) == expected


def test_info_separates_the_uses_of_a_key() -> None:
    made = {hkdf_sha256(b"key", salt=b"", info=info, length=32) for info in (b"", b"one", b"two")}
    assert len(made) == 3


def test_scrypt_vector() -> None:
    """RFC 7914, section 12, the second."""
    expected = (
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
        "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
    )
    assert scrypt(b"password", salt=b"NaCl", n=1024, r=8, p=16, length=64).hex() == expected


def test_scrypt_needs_a_power_of_two() -> None:
    with pytest.raises(ValueError):
        scrypt(b"password", salt=b"salt", n=1000, r=8, p=1)
