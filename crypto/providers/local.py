"""The master key in a file: as it is, readable by its owner only, or sealed with a passphrase (scrypt).

The file is JSON; docs/envelope.md describes it. Who may read it follows the rule of PostgreSQL's
ssl_key_file: 0600 or less for a file of one's own; 0640 or less is enough for a file of root's, read by
somebody else through a group, which is how Kubernetes mounts a secret for a user who is not root.
"""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crypto.durable import create_file
from crypto.errors import DecryptionError, ProviderError
from crypto.kdf import hkdf_sha256, scrypt
from crypto.secret import Secret
from crypto.wrapping import WrappingKey

FORMAT = "pgveil-master-key"
VERSION = 1
KEY_BYTES = 32
SALT_BYTES = 16
SCRYPT_N, SCRYPT_R, SCRYPT_P = 1 << 17, 8, 1  # 128 MiB, as OWASP's password storage sheet has it
_MEMORY_LIMIT = 1 << 30  # bytes: a file cannot make us take more
_SIZE_LIMIT = 1 << 16  # bytes of a key or passphrase file

Passphrase = Callable[[], bytes]


class LocalProvider(Secret):
    """Wraps data encryption keys with a master key held in this process."""

    __slots__ = ("_wrapping", "reference")

    reference: str

    def __init__(self, master_key: bytes) -> None:
        self._wrapping = WrappingKey(master_key)
        fingerprint = hkdf_sha256(master_key, salt=b"", info=b"pgveil v1 master key fingerprint", length=8)
        self.reference = f"local:{fingerprint.hex()}"

    async def wrap(self, key: bytes, context: bytes) -> bytes:
        return self._wrapping.wrap(key, context)

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        try:
            return self._wrapping.unwrap(wrapped, context)
        except DecryptionError:
            raise ProviderError("it was altered, or wrapped by another master key") from None

    async def close(self) -> None:
        """Nothing to close: the key is in memory."""


def create(path: Path, passphrase: Passphrase | None = None) -> LocalProvider:
    """Make a master key and its file, mode 0600; sealed, if there is a passphrase.

    Raises ProviderError if there is a file already: a master key is never overwritten.
    """
    key = os.urandom(KEY_BYTES)
    content: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    if passphrase is None:
        content |= {"protection": "none", "key": _encode(key)}
    else:
        content |= _seal(key, passphrase())
    try:
        create_file(path, json.dumps(content, indent=2).encode() + b"\n")
    except FileExistsError:
        raise ProviderError(f"{path}: exists already; a master key is never overwritten") from None
    except OSError as error:
        raise ProviderError(f"{path}: {error.strerror}") from None
    return LocalProvider(key)


def load(path: Path, passphrase: Passphrase | None = None) -> LocalProvider:
    """Read the master key; `passphrase` is asked only if the file is sealed. Raises ProviderError."""
    if not path.exists():
        raise ProviderError(f"{path}: there is no master key: run pgveil keys init")
    return LocalProvider(_parse(path, read_private(path), passphrase))


def passphrase_from(path: Path) -> Passphrase:
    """A passphrase kept in a file, which the same rule as a key file's must protect; one line end is cut."""

    def read() -> bytes:
        passphrase = read_private(path).removesuffix(b"\n").removesuffix(b"\r")
        if not passphrase:
            raise ProviderError(f"{path}: the passphrase is empty")
        return passphrase

    return read


def read_private(path: Path) -> bytes:
    """The content of a file that nobody else may read. Raises ProviderError, with one clear line."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ProviderError(f"{path}: is not a regular file")
            _check_access(path, status)
            content = file.read(_SIZE_LIMIT + 1)
    except FileNotFoundError:
        raise ProviderError(f"{path}: there is no such file") from None
    except OSError as error:
        raise ProviderError(f"{path}: {error.strerror}") from None
    if len(content) > _SIZE_LIMIT:
        raise ProviderError(f"{path}: is larger than {_SIZE_LIMIT} bytes")
    return content


def _check_access(path: Path, status: os.stat_result) -> None:
    user, mode = os.geteuid(), stat.S_IMODE(status.st_mode)
    if status.st_uid not in (0, user):
        raise ProviderError(f"{path}: must belong to the user of pgveil, or to root")
    forbidden = 0o077 if status.st_uid == user else 0o037
    if mode & forbidden:
        raise ProviderError(f"{path}: can be used by others (mode {mode:04o}); chmod 600 it")


def _parse(path: Path, content: bytes, passphrase: Passphrase | None) -> bytes:
    try:
        fields = json.loads(content)
        if fields["format"] != FORMAT:
            raise ValueError
        if fields["version"] != VERSION:
            raise ProviderError(f"{path}: is of a later version of pgveil")
        if fields["protection"] == "none":
            key = base64.b64decode(fields["key"], validate=True)
        else:
            key = _unseal(path, fields, passphrase)
        if len(key) != KEY_BYTES:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        # Nothing of the content, nor of an error that could repeat it, may be shown.
        raise ProviderError(f"{path}: is not a master key file of pgveil") from None
    return key


def _seal(key: bytes, passphrase: bytes) -> dict[str, Any]:
    salt = os.urandom(SALT_BYTES)
    fields: dict[str, Any] = {
        "protection": "scrypt",
        "n": SCRYPT_N,
        "r": SCRYPT_R,
        "p": SCRYPT_P,
        "salt": _encode(salt),
    }
    sealing = WrappingKey(scrypt(passphrase, salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P))
    return fields | {"sealed_key": _encode(sealing.wrap(key, FORMAT.encode()))}


def _unseal(path: Path, fields: dict[str, Any], passphrase: Passphrase | None) -> bytes:
    n, r, p = int(fields["n"]), int(fields["r"]), int(fields["p"])
    if fields["protection"] != "scrypt" or min(n, r, p) < 1 or 128 * n * r * p > _MEMORY_LIMIT:
        raise ValueError
    salt, sealed = (base64.b64decode(fields[name], validate=True) for name in ("salt", "sealed_key"))
    if passphrase is None:
        raise ProviderError(f"{path}: is sealed; its passphrase is needed")
    sealing = WrappingKey(scrypt(passphrase(), salt=salt, n=n, r=r, p=p))
    try:
        return sealing.unwrap(sealed, FORMAT.encode())
    except DecryptionError:
        raise ProviderError(f"{path}: wrong passphrase") from None


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
