"""The file of a local master key: as it is, or sealed with a passphrase (scrypt). docs/envelope.md has it.

The first key of the file is the one that wraps. While the master key is rotated the file holds two of them:

    [old] ─ add_next ─▶ [old, next] ─ activate_next ─▶ [next, old] ─ drop_previous ─▶ [next]

Each step puts a whole file in the place of the one before, and does nothing where it was done already.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crypto.durable import create_file, replace_file
from crypto.errors import DecryptionError, ProviderError
from crypto.kdf import scrypt
from crypto.private_file import Passphrase, read_private
from crypto.secret import Secret
from crypto.wrapping import WrappingKey

FORMAT = "pgveil-master-key"
VERSION = 1
ROTATING = 2  # the version of a file with two keys
KEY_BYTES = 32
SALT_BYTES = 16
SCRYPT_N, SCRYPT_R, SCRYPT_P = 1 << 17, 8, 1  # 128 MiB, as OWASP's password storage sheet has it
MEMORY_LIMIT = 1 << 30  # bytes: a file cannot make us take more


@dataclass(frozen=True, repr=False)
class MasterKeys(Secret):
    """What a file holds: the key that wraps; and, while they change places, the next one or the previous."""

    active: bytes
    next: bytes | None = None
    previous: bytes | None = None


def create(path: Path, passphrase: Passphrase | None = None) -> bytes:
    """Make a master key and its file, mode 0600; sealed, if there is a passphrase.

    Raises ProviderError if there is a file already: a master key is never overwritten.
    """
    key = new_key()
    try:
        create_file(path, _text(fields_of(key, passphrase)))
    except FileExistsError:
        raise ProviderError(f"{path}: exists already; a master key is never overwritten") from None
    except OSError as error:
        raise ProviderError(f"{path}: {error.strerror}") from None
    return key


def read(path: Path, passphrase: Passphrase | None = None) -> MasterKeys:
    """The keys of a file; `passphrase` is asked only if they are sealed. Raises ProviderError."""
    if not path.exists():
        raise ProviderError(f"{path}: there is no master key: run pgveil keys init")
    entries, rotating = _entries(path)
    keys = [_key(path, entry, passphrase) for entry in entries]
    if len(keys) == 1:
        return MasterKeys(keys[0])
    return MasterKeys(keys[0], **{"next" if rotating == "next" else "previous": keys[1]})


def new_key() -> bytes:
    return os.urandom(KEY_BYTES)


def fields_of(key: bytes, passphrase: Passphrase | None = None) -> dict[str, Any]:
    """A master key in the form of its file, for another place than one; sealed, if there is a passphrase."""
    return {"format": FORMAT, "version": VERSION, **_entry(key, passphrase)}


def key_of(fields: Mapping[str, Any], origin: str, passphrase: Passphrase | None = None) -> bytes:
    """The master key of such fields; `key` alone, in base64, will do. Raises ProviderError."""
    entry = {"protection": "none", **fields}
    if entry.get("format", FORMAT) != FORMAT or str(entry.get("version", VERSION)) != str(VERSION):
        raise _not_ours(origin)
    return _key(origin, entry, passphrase)


def add_next(path: Path, passphrase: Passphrase | None = None) -> None:
    """Put a new key beside the one that wraps, unless there is one. `passphrase` seals it."""
    entries, rotating = _entries(path)
    if rotating == "previous":
        raise ProviderError(
            f"{path}: still holds the previous master key: run pgveil rotate --master --finish first"
        )
    if len(entries) == 1:
        sealed = entries[0]["protection"] != "none"
        if sealed and passphrase is None:
            raise ProviderError(f"{path}: is sealed; its passphrase is needed")
        if sealed:
            _key(path, entries[0], passphrase)  # both keys must open with one passphrase
        fresh = _entry(new_key(), passphrase if sealed else None)
        _replace(path, [*entries, fresh], "next")


def activate_next(path: Path) -> None:
    """Let the next key wrap from now on; the other one stays as the previous."""
    entries, rotating = _entries(path)
    if rotating == "next":
        _replace(path, entries[::-1], "previous")


def drop_previous(path: Path) -> None:
    """Take the previous key out of the file."""
    entries, rotating = _entries(path)
    if rotating == "previous":
        _replace(path, entries[:1], None)


def _entries(path: Path) -> tuple[list[dict[str, Any]], str | None]:
    """The keys as the file has them, and what the second one is: next, previous, or None."""
    try:
        fields = json.loads(read_private(path))
        if fields["format"] != FORMAT:
            raise ValueError
        if fields["version"] == VERSION:
            return [
                {name: value for name, value in fields.items() if name not in ("format", "version")}
            ], None
        if fields["version"] != ROTATING:
            raise ProviderError(f"{path}: is of a later version of pgveil")
        (first, second), rotating = fields["keys"], fields["second"]
        if rotating not in ("next", "previous"):
            raise ValueError
        return [dict(first), dict(second)], rotating
    except (ValueError, KeyError, TypeError, RecursionError):
        # Nothing of the content, nor of an error that could repeat it, may be shown.
        raise _not_ours(path) from None


def _replace(path: Path, entries: list[dict[str, Any]], second: str | None) -> None:
    fields = (
        {"version": VERSION, **entries[0]}
        if second is None
        else {"version": ROTATING, "keys": entries, "second": second}
    )
    try:
        replace_file(path, _text(fields))
    except OSError as error:
        raise ProviderError(f"{path}: {error.strerror}") from None


def _text(fields: dict[str, Any]) -> bytes:
    return json.dumps({"format": FORMAT, **fields}, indent=2).encode() + b"\n"


def _entry(key: bytes, passphrase: Passphrase | None) -> dict[str, Any]:
    """A key as a file has it; sealed, if there is a passphrase."""
    if passphrase is None:
        return {"protection": "none", "key": _encode(key)}
    salt = os.urandom(SALT_BYTES)
    sealing = WrappingKey(scrypt(passphrase(), salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P))
    return {
        "protection": "scrypt",
        "n": SCRYPT_N,
        "r": SCRYPT_R,
        "p": SCRYPT_P,
        "salt": _encode(salt),
        "sealed_key": _encode(sealing.wrap(key, FORMAT.encode())),
    }


def _key(origin: object, entry: dict[str, Any], passphrase: Passphrase | None) -> bytes:
    try:
        if entry["protection"] == "none":
            key = base64.b64decode(entry["key"], validate=True)
        else:
            key = _unseal(origin, entry, passphrase)
        if len(key) != KEY_BYTES:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise _not_ours(origin) from None
    return key


def _unseal(origin: object, entry: dict[str, Any], passphrase: Passphrase | None) -> bytes:
    n, r, p = int(entry["n"]), int(entry["r"]), int(entry["p"])
    if entry["protection"] != "scrypt" or min(n, r, p) < 1 or 128 * n * r * p > MEMORY_LIMIT:
        raise ValueError
    salt, sealed = (base64.b64decode(entry[name], validate=True) for name in ("salt", "sealed_key"))
    if passphrase is None:
        raise ProviderError(f"{origin}: is sealed; its passphrase is needed")
    sealing = WrappingKey(scrypt(passphrase(), salt=salt, n=n, r=r, p=p))
    try:
        return sealing.unwrap(sealed, FORMAT.encode())
    except DecryptionError:
        raise ProviderError(f"{origin}: wrong passphrase") from None


def _not_ours(origin: object) -> ProviderError:
    return ProviderError(f"{origin}: is not a master key file of pgveil")


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
