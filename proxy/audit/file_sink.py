"""The trail in a file that every process of one host appends to: one chain, in the order of the writing.

Rule 1  Whoever writes holds the lock of the head's file, and goes on where the head says that the trail ends.
Rule 2  Lines are on the disk before the head counts them: the file may be ahead of the head, never behind.
Rule 3  Nothing that is in the file is ever changed. What a killed process has left of a line stays there, and
        the next record says so.
Rule 4  A file that is full or old ends with a seal; it is renamed, and the next one's first record repeats
        the seal's MAC. Each step can be the last one of a process that is killed.

Everything here blocks, and runs in a thread of its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from crypto.chain_key import ChainKey
from proxy.audit.chain import ChainKeys, Record, chained, new_chain, parse
from proxy.audit.head import Head, HeadAltered, pack, unpack
from proxy.audit.record import Entry, Event, fields_of

MODE = 0o600
LOCK_TIMEOUT = 10.0  # seconds
_LOCK_POLL = 0.005  # seconds
_ACTOR = "pgveil"


@dataclass
class _Place:
    """Where to go on: the trail's end (None: it has none), and what is to be told of how it was found."""

    head: Head | None
    in_file: bool  # whether the file is there, so that the next record goes behind what it holds
    notes: list[Entry] = field(default_factory=list)
    broken: bool = False  # the file's last line has no end


class FileSink:
    """Appends to `path`. A file of `rotate_size` bytes is full, one of `rotate_age` seconds is old."""

    def __init__(
        self, path: Path, *, rotate_size: int, rotate_age: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = path
        self._rotate_size = rotate_size
        self._rotate_age = rotate_age
        self._clock = clock

    def __str__(self) -> str:
        return str(self._path)

    def check(self) -> None:
        """Raise OSError if the file cannot be written."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            os.close(os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, MODE))

    def write(self, entries: Sequence[Entry], keys: ChainKeys) -> None:
        """Append records, and return when they are on the disk. Raises OSError, UnknownChainKey."""
        with self._locked() as lock:
            place = self._find_place(lock, keys)
            begun = place.in_file and place.head is not None and not place.head.sealed
            if place.head is not None and begun and self._due(place.head, keys):
                own = keys.find(place.head.mac_key)
                assert own is not None
                self._append(lock, place, [*place.notes, self._entry(Event.SEALED)], own)
                self._put_away(place)
                begun = False
            if not begun:
                place.notes.insert(0, self._entry(Event.OPENED, follows=_follows(place.head)))
            self._append(lock, place, [*place.notes, *entries], keys.newest)

    def close(self, keys: ChainKeys) -> None:
        """Nothing to do: another process may go on with the file."""

    # --- where the trail ends ---------------------------------------------------------------------------

    def _find_place(self, lock: int, keys: ChainKeys) -> _Place:
        notes: list[Entry] = []
        head: Head | None = None
        try:
            head = unpack(os.pread(lock, 1 << 16, 0), keys.find)
        except HeadAltered:
            notes.append(self._damaged("the head was altered"))
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            size = 0
        if head is None:
            return self._searched(size, keys, notes)
        if head.sealed:
            return self._after_seal(head, size, keys)
        if not size:
            return _Place(head, in_file=False, notes=[self._damaged("the file is gone")])
        if size < head.size:
            found = _Place(replace(head, size=size), in_file=True, broken=self._read(size - 1) != b"\n")
            found.notes.append(self._damaged("the file was cut short"))
            return found
        return self._caught_up(head, keys)

    def _after_seal(self, head: Head, size: int, keys: ChainKeys) -> _Place:
        """The last file has its seal: it was renamed by now, or the next one begun, or neither."""
        place = _Place(head, in_file=size > 0)
        if not size:
            return place
        first = parse(self._read(0).partition(b"\n")[0])
        target = self._target(head)
        follows = first is not None and first.follows(head.link) and first.authentic(keys.find)
        if not follows and not (target.exists() and not target.samefile(self._path)):
            self._put_away(place)
            return place
        place = self._caught_up(replace(head, size=0, opened=self._clock(), sealed=False), keys)
        if place.head is not None and not place.head.size:  # nothing but what is left of its first record
            place.head = head
        return place

    def _caught_up(self, head: Head, keys: ChainKeys) -> _Place:
        """Past what a process has written that was killed before it could write the head."""
        data = self._read(head.size)
        at = 0
        while (end := data.find(b"\n", at)) >= 0:
            record = parse(data[at:end])
            if record is None or not record.follows(head.link) or not record.authentic(keys.find):
                break
            at = end + 1
            head = _head_at(record, head.size, head.opened)
        return self._behind(replace(head, size=head.size + at), data[at:])

    def _searched(self, size: int, keys: ChainKeys, notes: list[Entry]) -> _Place:
        """There is no head: behind the last record of the file that is one."""
        if not size:
            return _Place(None, in_file=False, notes=notes)
        notes = notes or [self._damaged("the head is missing")]
        data, at, head = self._read(0), 0, None
        last = 0
        while (end := data.find(b"\n", at)) >= 0:
            record = parse(data[at:end])
            at = end + 1
            if record is not None and record.authentic(keys.find):
                head, last = _head_at(record, at, self._clock()), at
        if head is None:
            place = _Place(None, in_file=False, notes=notes, broken=not data.endswith(b"\n"))
        elif head.sealed:
            place = _Place(head, in_file=True, notes=notes)
            self._put_away(place)
        else:
            place = self._behind(head, data[last:])
            place.notes = [*place.notes, *notes]
        return place

    def _behind(self, head: Head, rest: bytes) -> _Place:
        """The end of a file, behind which `rest` stands: what is left of a line, or what is not pgveil's."""
        place = _Place(head, in_file=True, broken=bool(rest) and not rest.endswith(b"\n"))
        if head.sealed:
            self._put_away(place)
        elif rest and b"\n" not in rest:
            digest = hashlib.sha256(rest).hexdigest()
            place.notes.append(self._entry(Event.TORN, bytes=len(rest), sha256=digest))
        elif rest:
            place.notes.append(self._damaged("the file holds lines that are not of this trail"))
        return place

    # --- writing ----------------------------------------------------------------------------------------

    def _due(self, head: Head, keys: ChainKeys) -> bool:
        """Whether the file is full, old, or of a key that has a newer version."""
        old = self._clock() - head.opened >= self._rotate_age
        return head.size >= self._rotate_size or old or keys.newest.id != head.mac_key

    def _append(self, lock: int, place: _Place, entries: Sequence[Entry], key: ChainKey) -> None:
        """Write records of these entries behind the place, and then the head."""
        link = place.head.link if place.head is not None else new_chain()
        lines = [b"\n"] if place.broken else []
        for entry in entries:
            line, link = chained(entry, link, key)
            lines.append(line)
        size = self._write(b"".join(lines))
        goes_on = place.head is not None and place.in_file and not place.head.sealed
        opened = place.head.opened if place.head is not None and goes_on else self._clock()
        sealed = entries[-1].event == Event.SEALED.value
        place.head = Head(link.chain, link.seq, link.mac, key.id, size, opened, sealed)
        place.in_file, place.broken, place.notes = True, False, []
        os.pwrite(lock, pack(place.head, key), 0)
        if sealed:  # an older head would look for the file where it is not any more
            os.fsync(lock)

    def _write(self, data: bytes) -> int:
        """Append to the file, all or nothing as far as that can be had; its size then."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(self._path, flags, MODE)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(f"{self._path}: is not a regular file")
            try:
                _write_all(descriptor, data)
                os.fdatasync(descriptor)
            except OSError:
                with suppress(OSError):  # our own, which nobody has counted yet
                    os.ftruncate(descriptor, status.st_size)
                raise
            if not status.st_size:
                _sync_directory(self._path.parent)
            return status.st_size + len(data)
        finally:
            os.close(descriptor)

    def _put_away(self, place: _Place) -> None:
        """Rename the file that has its seal. Raises FileExistsError rather than replace another one."""
        assert place.head is not None
        target = self._target(place.head)
        if not (target.exists() and target.samefile(self._path)):
            os.link(self._path, target)
        os.unlink(self._path)
        _sync_directory(self._path.parent)
        place.in_file = place.broken = False

    def _target(self, head: Head) -> Path:
        """What a file is called that ends with this seal."""
        return self._path.with_name(f"{self._path.name}.{head.seq:012d}")

    def _read(self, offset: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(offset)
            return file.read()

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The head's file, locked: it is never replaced."""
        path = head_path(self._path)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
        try:
            deadline = time.monotonic() + LOCK_TIMEOUT
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise TimeoutError(f"{path}: is locked by another process") from None
                    time.sleep(_LOCK_POLL)
            yield descriptor
        finally:
            os.close(descriptor)  # and with it the lock

    def _entry(self, event: Event, **fields: str | int) -> Entry:
        return Entry(event.value, self._clock(), _ACTOR, fields_of(fields))

    def _damaged(self, reason: str) -> Entry:
        return self._entry(Event.DAMAGED, reason=reason)


def head_path(path: Path) -> Path:
    """The file of the head of a trail."""
    return path.with_name(path.name + ".head")


def _follows(head: Head | None) -> str:
    """What a new file comes after."""
    if head is None:
        return "nothing"
    return "seal" if head.sealed else "lost file"


def _head_at(record: Record, size: int, opened: float) -> Head:
    sealed = record.event == Event.SEALED.value
    return Head(record.chain, record.seq, record.mac, record.mac_key, size, opened, sealed)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
