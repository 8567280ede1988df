"""What both schemes promise."""

from __future__ import annotations

import pytest

from crypto.aead import Aes256Gcm
from crypto.daead import AesSiv
from crypto.deterministic import Deterministic
from crypto.errors import DecryptionError
from crypto.nonces import NonceSource
from crypto.randomized import Randomized
from crypto.scheme import Scheme, reject


def test_both_kinds_are_schemes() -> None:
    """mypy holds the signatures; this holds that one of each is made for every kind of suite."""
    schemes: list[Scheme] = [
        Randomized(b"header", Aes256Gcm(bytes(32)), NonceSource()),
        Deterministic(b"header", AesSiv(bytes(64))),
    ]
    assert [scheme.nonces is None for scheme in schemes] == [False, True]


def test_reject_rejects() -> None:
    with pytest.raises(DecryptionError):
        reject(b"anything")
