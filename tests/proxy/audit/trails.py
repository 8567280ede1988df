"""Trails for the tests: keys, entries, files that a sink has written, and what verifying them says."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from crypto.chain_key import ChainKey
from proxy.audit.chain import ChainKeys
from proxy.audit.file_sink import FileSink, head_path
from proxy.audit.head import Head, HeadAltered, unpack
from proxy.audit.record import Entry, Event
from proxy.audit.verify import Report, Verifier

OLD = ChainKey("0a0a0a0a", 1, b"a" * 32)
NEW = ChainKey("0b0b0b0b", 2, b"b" * 32)
KEYS = ChainKeys([OLD])
BOTH = ChainKeys([OLD, NEW])


def entry(number: int, event: Event = Event.REFUSED) -> Entry:
    return Entry(event.value, 1_700_000_000.0 + number, "app", (("number", number),))


def sink(path: Path, *, rotate_size: int = 1 << 20, rotate_age: float = 1e9) -> FileSink:
    return FileSink(path, rotate_size=rotate_size, rotate_age=rotate_age)


def files_of(path: Path) -> list[Path]:
    """The files of a trail, the oldest first."""
    old = sorted(other for other in path.parent.glob(path.name + ".*") if other.name[-1].isdigit())
    alone = path.exists() and not any(other.samefile(path) for other in old)
    return [*old, path] if alone else old


def head_of(path: Path, keys: ChainKeys = BOTH) -> Head | None:
    try:
        return unpack(head_path(path).read_bytes(), keys.find)
    except (FileNotFoundError, HeadAltered):
        return None


def verified(
    contents: Sequence[bytes], head: Head | None, *, contains: tuple[int, str] | None = None
) -> Report:
    """What verifying files with these bytes says; the last one is still written to."""
    verifier = Verifier(BOTH.find, head=head, contains=contains)
    for number, content in enumerate(contents):
        last = number == len(contents) - 1
        verifier.file(f"file{number}", io.BytesIO(content), last=last)
    return verifier.finish()


def verify_files(path: Path) -> Report:
    return verified([file.read_bytes() for file in files_of(path)], head_of(path))
