"""The keystore in one sealed JSON file: replaced whole, locked while it changes, and proved unaltered.

The seal is an HMAC-SHA256 over everything else in the file, under a key of its own that the master key's
provider wraps. It shows that nothing was altered, added or taken away. That the file is the newest one is for
the lock file to show, which remembers the number of the last change: a change made to an older copy would be
lost, with the keys in it, when the newest is put back. While the master key is rotated, two of them open the
seal. docs/envelope.md has the format.
"""

from __future__ import annotations

import asyncio
import base64
import fcntl
import hashlib
import hmac
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from crypto.durable import overwrite_file, replace_file
from crypto.errors import (
    KeystoreError,
    KeystoreOutdated,
    KeystoreUnavailable,
    ProviderError,
    ProviderUnavailable,
)
from crypto.keystore import Change, KeyRecord, Records, merge
from crypto.providers import Provider
from crypto.record_json import from_json, to_json
from crypto.secret import Secret

FORMAT = "pgveil-keystore"
VERSION = 1
SEAL_KEY_BYTES = 32
LOCK_TIMEOUT = 30.0  # seconds
WATCH_INTERVAL = 0.5  # seconds
_LOCK_POLL = 0.01  # seconds
_SEAL_CONTEXT = b"pgveil v1 keystore file"


@dataclass(frozen=True, slots=True)
class _Content:
    """What a file holds: the records, how often keys were added or changed, the wrapped key of the seal.

    `others` has further wrappings of that key, by the reference of their master key.
    """

    records: Records
    changes: int
    wrapped: str
    others: Mapping[str, str] = field(default_factory=dict)


class FileKeystore(Secret):
    """A keystore that processes of one host share. See `keystore.Keystore` for the methods."""

    def __init__(self, path: Path, provider: Provider) -> None:
        self._path = path
        self._lock_path = path.with_name(path.name + ".lock")
        self._provider = provider
        self._seal_keys: dict[str, bytes] = {}  # by how the file holds them: a read needs the provider once
        self._newest = 0  # number of the newest change that this process has seen

    @property
    def location(self) -> str:
        return str(self._path)

    async def create(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with self._lock():
            if not await asyncio.to_thread(self._path.exists):
                if self._last_change():
                    raise KeystoreError(
                        f"{self._path}: is gone: restore it from its backup,"
                        f" or remove {self._lock_path} too if no value was encrypted"
                    )
                key = os.urandom(SEAL_KEY_BYTES)
                wrapped = base64.b64encode(await self._provider.wrap(key, _SEAL_CONTEXT)).decode()
                self._seal_keys[wrapped] = key
                await self._write(_Content((), 1, wrapped))

    async def read(self) -> Records:
        return (await self._read()).records

    async def update(self, change: Change) -> Records:
        return await self._update(change, changes=1)

    async def _update(self, change: Change, *, changes: int) -> Records:
        async with self._lock():
            content = await self._read()
            if not (changed := tuple(await change(content.records))):
                return content.records
            records = merge(content.records, changed)
            await self._write(replace(content, records=records, changes=content.changes + changes))
            return records

    async def admit(self, provider: Provider) -> None:
        async with self._lock():
            content = await self._read()
            key = self._seal_keys[content.wrapped]
            wrapped = base64.b64encode(await provider.wrap(key, _SEAL_CONTEXT)).decode()
            if provider.reference == self._provider.reference and not content.others:
                self._seal_keys[wrapped] = key
                await self._write(replace(content, wrapped=wrapped))
            else:
                await self._write(replace(content, others={**content.others, provider.reference: wrapped}))

    async def dismiss_others(self, provider: Provider) -> None:
        async with self._lock():
            content = await self._read()
            wrapped = content.others.get(provider.reference, content.wrapped)
            self._seal_keys[wrapped] = self._seal_keys[content.wrapped]
            await self._write(replace(content, wrapped=wrapped, others={}))

    async def changes(self) -> AsyncGenerator[None]:
        """The lock file has the number of the last change; another file in its place shows, too."""
        seen = None
        while True:
            with suppress(KeystoreError):
                if (found := await asyncio.to_thread(self._mark)) != seen:
                    seen = found
                    yield
            await asyncio.sleep(WATCH_INTERVAL)

    def _mark(self) -> tuple[int, int, int]:
        """What is another one after a change, or when the file was put back from a copy, or is gone."""
        number = self._last_change()
        try:
            status = self._path.stat()
        except OSError:
            return number, 0, 0
        return number, status.st_ino, status.st_mtime_ns

    async def count(self, encryptions: Mapping[UUID, int]) -> Mapping[UUID, int]:
        async def add(records: Records) -> Iterable[KeyRecord]:
            return [r.counted(encryptions[r.id]) for r in records if r.id in encryptions]

        # No change of the keys: a copy from before is as good.
        records = await self._update(add, changes=0)
        return {r.id: r.encryptions for r in records if r.id in encryptions}

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[bool]:
        """By a lock of a third file: the keystore's own is taken and let go of meanwhile."""
        path = self._path.with_name(self._path.name + ".upkeep")
        descriptor = _open_lock(path)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)

    async def close(self) -> None:
        self._seal_keys.clear()

    async def _read(self) -> _Content:
        # The lock file first: it is written after the keystore, which holds by then what the lock file says.
        newest = max(await asyncio.to_thread(self._last_change), self._newest)
        content = await self._opened(await asyncio.to_thread(self._read_bytes))
        if content.changes < newest:
            raise KeystoreOutdated(
                f"{self._path}: is an older copy of the keystore (change {content.changes}, after change"
                f" {newest} was made): restore the newest backup",
                content.records,
            )
        self._newest = max(self._newest, content.changes)
        return content

    async def _opened(self, content: bytes) -> _Content:
        """What the bytes of a file say, if their seal is whole."""
        try:
            document = json.loads(content)
            if document["format"] != FORMAT:
                raise ValueError
            if document["version"] != VERSION:
                raise KeystoreError(f"{self._path}: is of a later version of pgveil")
            seal = document.pop("seal")
            wrapped, mac = seal["key"], base64.b64decode(seal["mac"], validate=True)
            others = dict(seal.get("others", {}))
            key = await self._seal_key(others.get(self._provider.reference, wrapped))
            if not hmac.compare_digest(mac, _mac(key, document, wrapped)):
                raise KeystoreError(f"{self._path}: its seal is broken: the file was altered")
            self._seal_keys[wrapped] = key
            records = tuple(from_json(fields) for fields in document["keys"])
            return _Content(records, int(document.get("changes", 0)), wrapped, others)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise KeystoreError(f"{self._path}: is not a keystore of pgveil") from None

    def _read_bytes(self) -> bytes:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            raise KeystoreError(f"{self._path}: there is no keystore: run pgveil keys init") from None
        except OSError as error:
            raise KeystoreUnavailable(f"{self._path}: {error.strerror}") from None

    def _last_change(self) -> int:
        """The number of the last change, as the lock file remembers it; 0 if it knows of none."""
        try:
            return int(self._lock_path.read_bytes() or b"0")
        except FileNotFoundError:
            return 0
        except ValueError:
            raise KeystoreError(f"{self._lock_path}: is not a lock file of pgveil") from None
        except OSError as error:
            raise KeystoreUnavailable(f"{self._lock_path}: {error.strerror}") from None

    async def _seal_key(self, wrapped: str) -> bytes:
        if (key := self._seal_keys.get(wrapped)) is not None:
            return key
        try:
            key = await self._provider.unwrap(base64.b64decode(wrapped, validate=True), _SEAL_CONTEXT)
        except ProviderUnavailable:
            raise
        except ProviderError as error:
            raise KeystoreError(f"{self._path}: its seal does not open: {error}") from None
        self._seal_keys[wrapped] = key
        return key

    async def _write(self, content: _Content) -> None:
        """Replace the file; the lock is held."""
        document = {
            "format": FORMAT,
            "version": VERSION,
            "changes": content.changes,
            "keys": [to_json(record) for record in content.records],
        }
        mac = _mac(self._seal_keys[content.wrapped], document, content.wrapped)
        others = {"others": dict(content.others)} if content.others else {}
        document["seal"] = {"key": content.wrapped, "mac": base64.b64encode(mac).decode(), **others}
        text = json.dumps(document).encode() + b"\n"  # one line: indented, it would take ten times as long
        try:
            # A caller who gives up must not let go of the lock while the file is being replaced.
            await _uninterrupted(asyncio.to_thread(self._replace, text, content.changes))
        except OSError as error:
            raise KeystoreUnavailable(f"{self._path}: {error.strerror}") from None

    def _replace(self, text: bytes, changes: int) -> None:
        replace_file(self._path, text)
        if changes > self._newest:
            overwrite_file(self._lock_path, b"%020d\n" % changes)
            self._newest = changes

    @asynccontextmanager
    async def _lock(self) -> AsyncIterator[None]:
        """Hold the lock file, which is never replaced, alone among processes and tasks."""
        descriptor = _open_lock(self._lock_path)
        try:
            await self._acquire(descriptor)
            yield
        finally:
            os.close(descriptor)  # and with it the lock

    async def _acquire(self, descriptor: int) -> None:
        try:
            async with asyncio.timeout(LOCK_TIMEOUT):
                while True:
                    try:
                        return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        await asyncio.sleep(_LOCK_POLL)
        except TimeoutError:
            raise KeystoreUnavailable(f"{self._path}: is locked by another process") from None


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise KeystoreUnavailable(f"{path}: {error.strerror}") from None


async def _uninterrupted(work: Awaitable[None]) -> None:
    """Await something that has to end before a cancellation may go on."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _mac(key: bytes, document: Mapping[str, Any], wrapped: str) -> bytes:
    """HMAC-SHA256 of the document, without its seal but for the seal's own key, as canonical JSON."""
    canonical = json.dumps([document, wrapped], sort_keys=True, separators=(",", ":"))
    return hmac.digest(key, canonical.encode(), hashlib.sha256)
