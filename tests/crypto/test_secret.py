"""Everything that holds a key keeps it to itself."""

from __future__ import annotations

import copy
import logging
import pickle
from uuid import UUID

import pytest

from crypto.aead import Aes256Gcm, ChaCha20Poly1305
from crypto.daead import AesSiv
from crypto.deterministic import Deterministic
from crypto.hierarchy import DataKey
from crypto.nonces import NonceSource
from crypto.providers.local import LocalProvider
from crypto.randomized import Randomized
from crypto.secret import Secret
from crypto.wrapping import WrappingKey

KEY = b"SECRET-KEY-BYTES" * 2
HOLDERS: list[Secret] = [
    Aes256Gcm(KEY),
    ChaCha20Poly1305(KEY),
    AesSiv(KEY * 2),
    Randomized(b"header", Aes256Gcm(KEY), NonceSource()),
    Deterministic(b"header", AesSiv(KEY * 2)),
    WrappingKey(KEY),
    DataKey(UUID(int=1), KEY),
    LocalProvider(KEY),
]


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_no_key_in_repr_str_format_or_log(holder: Secret, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("%s %r", holder, holder)
    for shown in (repr(holder), str(holder), f"{holder}", caplog.text):
        assert type(holder).__name__ in shown
        assert "SECRET" not in shown
        assert KEY.hex() not in shown


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
@pytest.mark.parametrize("travel", [pickle.dumps, copy.copy, copy.deepcopy])
def test_no_key_travels(holder: Secret, travel: object) -> None:
    assert callable(travel)
    with pytest.raises(TypeError, match="holds a key"):
        travel(holder)
    assert not hasattr(holder, "__dict__")  # so that vars() has nothing to print
