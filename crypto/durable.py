"""Files that survive a crash: written whole, fsynced, then put in their place at once."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

MODE = 0o600


def create_file(path: Path, content: bytes) -> None:
    """Make a file, mode 0600, that holds all of `content`. Raises FileExistsError, OSError."""
    temporary = _write_temporary(path, content)
    try:
        os.link(temporary, path)  # unlike a rename, never replaces
    finally:
        temporary.unlink()
    _sync_directory(path.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Put a file, mode 0600, in the place of another. A crash leaves the old one or the new one, whole.

    Raises OSError.
    """
    temporary = _write_temporary(path, content)
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink()
        raise
    _sync_directory(path.parent)


def overwrite_file(path: Path, content: bytes) -> None:
    """Write a few bytes over the beginning of a file that is there, for one that must stay the same file.

    A crash leaves the old bytes or the new ones if they lie within one sector (512 bytes) and are as many.
    Raises OSError.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.pwrite(descriptor, content, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_temporary(path: Path, content: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with suppress(FileNotFoundError):  # left behind by a crash
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, MODE)  # whatever the umask is
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except OSError:
        temporary.unlink()
        raise
    return temporary


def _sync_directory(path: Path) -> None:
    """Make the directory's new entry itself durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
