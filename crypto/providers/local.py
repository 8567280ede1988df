"""The master key in a file on this host (crypto/master_key_file.py), and so in this process."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from crypto import master_key_file
from crypto.errors import DecryptionError, ProviderError
from crypto.kdf import hkdf_sha256
from crypto.private_file import Passphrase
from crypto.secret import Secret
from crypto.wrapping import WrappingKey

Stamp = tuple[int, int, int]  # what changes when a file is replaced

_log = logging.getLogger("pgveil.keys")


class LocalProvider(Secret):
    """Wraps data encryption keys with a master key held in this process.

    With a file, `refresh` takes over the key that the file has by then, if its passphrase need not be asked
    of a person.
    """

    __slots__ = ("_file", "_passphrase", "_seen", "_wrapping", "reference")

    reference: str

    def __init__(
        self,
        master_key: bytes,
        file: Path | None = None,
        passphrase: Passphrase | None = None,
        seen: Stamp | None = None,
    ) -> None:
        self._file = file
        self._passphrase = passphrase
        self._seen = seen
        self._take(master_key)

    async def wrap(self, key: bytes, context: bytes) -> bytes:
        return self._wrapping.wrap(key, context)

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        try:
            return self._wrapping.unwrap(wrapped, context)
        except DecryptionError:
            raise ProviderError("it was altered, or wrapped by another master key") from None

    async def refresh(self) -> None:
        if self._file is None or (stamp := _stamp(self._file)) in (None, self._seen):
            return
        self._seen = stamp
        try:
            keys = await asyncio.to_thread(master_key_file.read, self._file, self._passphrase)
        except ProviderError as error:
            _log.warning("the master key was not read again: %s", error)
        else:
            self._take(keys.active)

    async def describe(self) -> Mapping[str, str]:
        if self._file is None:
            return {"kind": "in memory"}
        since = datetime.fromtimestamp(self._file.stat().st_mtime, UTC)
        return {"file": str(self._file), "written": since.isoformat(timespec="seconds")}

    async def health(self) -> None:
        """Always well: the key is in memory."""

    async def close(self) -> None:
        """Nothing to close: the key is in memory."""

    def _take(self, master_key: bytes) -> None:
        self._wrapping = WrappingKey(master_key)
        fingerprint = hkdf_sha256(master_key, salt=b"", info=b"pgveil v1 master key fingerprint", length=8)
        self.reference = f"local:{fingerprint.hex()}"


def create(path: Path, passphrase: Passphrase | None = None) -> LocalProvider:
    """Make a master key and its file. Raises ProviderError if there is a file already."""
    return LocalProvider(master_key_file.create(path, passphrase), path, passphrase, _stamp(path))


def load(path: Path, passphrase: Passphrase | None = None, *, interactive: bool = False) -> LocalProvider:
    """Read the master key. Raises ProviderError. `interactive`: a person is asked, and only this once."""
    seen = _stamp(path)  # before it is read: a change in between is seen later
    keys = master_key_file.read(path, passphrase)
    return LocalProvider(keys.active, path, None if interactive else passphrase, seen)


def load_next(path: Path, passphrase: Passphrase | None = None) -> LocalProvider | None:
    """The key that is to take the place of the active one; None if there is none. Raises ProviderError."""
    key = master_key_file.read(path, passphrase).next
    return None if key is None else LocalProvider(key)


def load_previous(path: Path, passphrase: Passphrase | None = None) -> LocalProvider | None:
    """The key that wrapped before; None if the file does not hold it. Raises ProviderError."""
    key = master_key_file.read(path, passphrase).previous
    return None if key is None else LocalProvider(key)


def _stamp(path: Path) -> Stamp | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
