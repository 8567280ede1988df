"""The key that authenticates a chain of records: HMAC-SHA256, under a key from a DEK that does nothing else.

So who can read a chain, but has neither the master key nor the keystore, cannot forge a record of it.
"""

from __future__ import annotations

import hashlib
import hmac

from crypto.secret import Secret

MAC_BYTES = 32
AUDIT = "pgveil.audit"  # the name of the DEK whose key chains the audit trail


class ChainKey(Secret):
    """The key of one version of such a DEK. `id` is the DEK's short id in hexadecimal, as records name it."""

    __slots__ = ("_key", "id", "version")

    def __init__(self, id: str, version: int, key: bytes) -> None:  # noqa: A002  the record's id
        self.id = id
        self.version = version
        self._key = key

    def __repr__(self) -> str:
        return f"<ChainKey {self.id} version {self.version}>"

    def mac(self, data: bytes) -> str:
        """HMAC-SHA256 in lower-case hexadecimal."""
        return hmac.digest(self._key, data, hashlib.sha256).hex()

    def verify(self, mac: str, data: bytes) -> bool:
        """Whether this is the one MAC of `data`, in its one spelling."""
        return mac.isascii() and hmac.compare_digest(mac, self.mac(data))
