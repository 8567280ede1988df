"""What a way of encrypting offers to a field key: factories of the functions that the data path calls.

Each factory binds everything that is constant for a key and a type (prefix, associated data, the cipher's
method) in a closure, so that a call costs little more than the cipher itself. This is the hot path: the
loops are spelled out where a shared helper would cost a call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, Protocol

from crypto.aead import InvalidTag
from crypto.envelope import FORMAT
from crypto.errors import DecryptionError
from crypto.nonces import NonceSource

Transform = Callable[[bytes], bytes]

FORMAT_BYTE = FORMAT[0]
FAILURES = (InvalidTag, ValueError, IndexError)  # wrong key or altered; bad base64 or too short; empty


class Scheme(Protocol):
    """One key under one suite. `aad` is the associated data of a family of logical types."""

    @property
    def nonces(self) -> NonceSource | None:
        """Where its nonces come from, and their count; None where they have no budget."""

    def sealer(self, aad: bytes) -> Transform:
        """Canonical bytes -> binary envelope."""

    def ascii_sealer(self, aad: bytes) -> Transform:
        """Canonical bytes -> ASCII envelope."""

    def opener(self, aad: bytes, other: Transform) -> Transform:
        """Binary envelope -> canonical bytes; what another key wrote goes to `other`."""

    def ascii_opener(self, aad: bytes, other: Transform) -> Transform:
        """ASCII envelope -> canonical bytes; what another key wrote goes to `other`."""

    def ascii_column_opener(self, aad: bytes) -> Callable[[list[bytes]], list[bytes]]:
        """Many ASCII envelopes, all of this key -> canonical bytes (see `columns.py`)."""


def reject(_: bytes) -> NoReturn:
    """The `other` of an opener that knows one key only."""
    raise DecryptionError
