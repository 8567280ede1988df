"""Files that hold secrets: who may read them follows the rule of PostgreSQL's ssl_key_file.

0600 or less for a file of one's own; 0640 or less is enough for a file of root's, read by somebody else
through a group, which is how Kubernetes mounts a secret for a user who is not root.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from crypto.errors import ProviderError

_SIZE_LIMIT = 1 << 16  # bytes

Passphrase = Callable[[], bytes]


def passphrase_from(path: Path) -> Passphrase:
    """A passphrase kept in a private file; one line end is cut."""

    def read() -> bytes:
        passphrase = read_private(path).removesuffix(b"\n").removesuffix(b"\r")
        if not passphrase:
            raise ProviderError(f"{path}: the passphrase is empty")
        return passphrase

    return read


def read_private(path: Path, limit: int = _SIZE_LIMIT) -> bytes:
    """The content of a file that nobody else may read. Raises ProviderError, with one clear line.

    `limit` is in bytes.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ProviderError(f"{path}: is not a regular file")
            _check_access(path, status)
            content = file.read(limit + 1)
    except FileNotFoundError:
        raise ProviderError(f"{path}: there is no such file") from None
    except OSError as error:
        raise ProviderError(f"{path}: {error.strerror}") from None
    if len(content) > limit:
        raise ProviderError(f"{path}: is larger than {limit} bytes")
    return content


def _check_access(path: Path, status: os.stat_result) -> None:
    user, mode = os.geteuid(), stat.S_IMODE(status.st_mode)
    if status.st_uid not in (0, user):
        raise ProviderError(f"{path}: must belong to the user of pgveil, or to root")
    forbidden = 0o077 if status.st_uid == user else 0o037
    if mode & forbidden:
        raise ProviderError(f"{path}: can be used by others (mode {mode:04o}); chmod 600 it")
