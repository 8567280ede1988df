"""The errors: what a failed decryption says, and who may try again."""

from __future__ import annotations

from crypto.errors import (
    CryptoError,
    DecryptionError,
    KeystoreError,
    KeystoreUnavailable,
    ProviderError,
    ProviderUnavailable,
    UnknownKey,
)


def test_a_failed_decryption_says_only_that_it_failed() -> None:
    assert str(DecryptionError()) == str(UnknownKey(b"key1")) == "the value cannot be decrypted"


def test_one_base_for_all_and_outages_apart() -> None:
    for error, base in (
        (UnknownKey, DecryptionError),
        (KeystoreUnavailable, KeystoreError),
        (ProviderUnavailable, ProviderError),
    ):
        assert issubclass(error, base)
        assert issubclass(base, CryptoError)
