"""An export: every key of a keystore in one sealed file, which needs neither keystore nor master key to open.

It is sealed by a passphrase (scrypt), or by a key that is split among custodians (Shamir). docs/envelope.md
has the format. The seal holds for all that stands in the file.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crypto import custodians, plain_keys
from crypto.durable import create_file
from crypto.errors import DecryptionError, ProviderError
from crypto.kdf import scrypt
from crypto.master_key_file import MEMORY_LIMIT, SALT_BYTES, SCRYPT_N, SCRYPT_P, SCRYPT_R
from crypto.plain_keys import PlainKey
from crypto.private_file import Passphrase, read_private
from crypto.secret import Secret
from crypto.wrapping import WrappingKey

FORMAT = "pgveil-key-export"
VERSION = 1
_SIZE_LIMIT = 1 << 28  # bytes
_CONTEXT = b"pgveil v1 key export"


def seal_with_passphrase(keys: tuple[PlainKey, ...], passphrase: bytes, *, n: int = SCRYPT_N) -> bytes:
    """The file of an export that a passphrase opens."""
    salt = os.urandom(SALT_BYTES)
    key = scrypt(passphrase, salt=salt, n=n, r=SCRYPT_R, p=SCRYPT_P)
    head = {"protection": "scrypt", "n": n, "r": SCRYPT_R, "p": SCRYPT_P, "salt": _encode(salt)}
    return _sealed(keys, key, head)


def seal_for_custodians(
    keys: tuple[PlainKey, ...], shares: int, threshold: int
) -> tuple[bytes, tuple[str, ...]]:
    """The file of an export that so many of the shares open, and the words of each share.

    Raises ValueError for impossible numbers, ProviderError without the library.
    """
    key = os.urandom(32)
    split = custodians.split(key, shares, threshold)
    head = {"protection": "shares", "threshold": threshold, "shares": list(split.checks)}
    return _sealed(keys, key, head), split.words


class ExportFile(Secret):
    """An export that is still sealed."""

    def __init__(self, name: str, content: bytes) -> None:
        """`name` stands in messages. Raises ProviderError if this is no export."""
        self._name = name
        try:
            head = json.loads(content)
            if head["format"] != FORMAT:
                raise ValueError
            if head["version"] != VERSION:
                raise ProviderError(f"{name}: is of a later version of pgveil")
            self._sealed = base64.b64decode(head.pop("sealed"), validate=True)
            self.threshold = int(head["threshold"]) if head["protection"] == "shares" else None
            if self.threshold is None and head["protection"] != "scrypt":
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise self._not_ours() from None
        self._head: Mapping[str, Any] = head

    def open_with_passphrase(self, passphrase: Passphrase) -> tuple[PlainKey, ...]:
        """The keys. Raises ProviderError."""
        if self.threshold is not None:
            raise ProviderError(f"{self._name}: is sealed for custodians; {self.threshold} shares are needed")
        try:
            n, r, p = (int(self._head[name]) for name in ("n", "r", "p"))
            salt = base64.b64decode(self._head["salt"], validate=True)
            if min(n, r, p) < 1 or 128 * n * r * p > MEMORY_LIMIT:
                raise ValueError
            key = scrypt(passphrase(), salt=salt, n=n, r=r, p=p)
        except (ValueError, KeyError, TypeError):
            raise self._not_ours() from None
        return self._open(key, "wrong passphrase, or the file was altered")

    def open_with_shares(self, shares: Mapping[str, str]) -> tuple[PlainKey, ...]:
        """The keys. `shares`: the words of each, by where they come from. Raises ProviderError."""
        if self.threshold is None:
            raise ProviderError(f"{self._name}: is sealed with a passphrase, not for custodians")
        checks = self._head.get("shares")
        if not isinstance(checks, list) or not all(isinstance(check, str) for check in checks):
            raise self._not_ours()
        return self._open(custodians.join(shares, checks, self.threshold), "the file was altered")

    def _open(self, key: bytes, failure: str) -> tuple[PlainKey, ...]:
        try:
            return plain_keys.from_bytes(WrappingKey(key).unwrap(self._sealed, _context(self._head)))
        except DecryptionError:
            raise ProviderError(f"{self._name}: does not open: {failure}") from None
        except ValueError:
            raise self._not_ours() from None

    def _not_ours(self) -> ProviderError:
        return ProviderError(f"{self._name}: is not an export of pgveil")


def write(path: Path, content: bytes) -> None:
    """Make the file, mode 0600. Raises ProviderError; a file that is there is never overwritten."""
    try:
        create_file(path, content)
    except FileExistsError:
        raise ProviderError(f"{path}: exists already; an export never overwrites a file") from None
    except OSError as error:
        raise ProviderError(f"{path}: {error.strerror}") from None


def read(path: Path) -> ExportFile:
    """An export, which nobody else may read. Raises ProviderError."""
    return ExportFile(str(path), read_private(path, _SIZE_LIMIT))


def _sealed(keys: tuple[PlainKey, ...], key: bytes, protection: Mapping[str, Any]) -> bytes:
    created = datetime.now(UTC).isoformat(timespec="seconds")
    head = {"format": FORMAT, "version": VERSION, "created_at": created, **protection}
    sealed = WrappingKey(key).wrap(plain_keys.to_bytes(keys), _context(head))
    return json.dumps({**head, "sealed": _encode(sealed)}, indent=1).encode() + b"\n"


def _context(head: Mapping[str, Any]) -> bytes:
    """What the seal is bound to: everything else in the file, as canonical JSON."""
    return _CONTEXT + json.dumps(head, sort_keys=True, separators=(",", ":")).encode()


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
