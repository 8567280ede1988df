"""COPY's binary format: a header, rows of counted fields, a trailer. PostgreSQL documentation, COPY."""

from __future__ import annotations

from struct import Struct, error

from crypto.errors import CryptoError
from proxy.errors import ServerError
from proxy.session.copy_options import CopyOptions, Transform, Transforms, bad_copy, too_long
from proxy.wire.frames import COPY_DATA, HEADER, LENGTH, frame
from proxy.wire.rows import NullValue

SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_HEADER = Struct("!11sII")  # signature, flags, bytes of the extension area
_CRITICAL = 0xFFFF_0000  # flags that a reader must know; PostgreSQL knows none since OIDs have gone
_COUNT = Struct("!h")
_SIZE = Struct("!i")
_NULL = _TRAILER = -1


class _Incomplete(Exception):
    """The row is not there whole; it has this many bytes at least."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class BinaryCopy:
    """A binary stream, transformed row by row; the boundaries of what is fed do not matter."""

    def __init__(self, options: CopyOptions, transforms: Transforms) -> None:
        self.done = b""
        self.skipped = 0  # ON_ERROR ignore is not for this format
        self._options = options
        self._transforms = tuple(transforms)
        self._row_limit = options.row_limit
        self._held: list[bytes] = []
        self._held_size = 0
        self._needed = _HEADER.size  # bytes without which there is no point in looking at what is held
        self._in_rows = False
        self._number = 0  # of the row at hand
        self._over = False

    def renew(self, transforms: Transforms) -> None:
        """There are new keys."""
        self._transforms = tuple(transforms)

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the stream; return the rows that are complete, transformed."""
        self.done = b""
        if self._over:
            if data:
                raise self._located(bad_copy("received copy data after EOF marker"))
            return b""
        self._held.append(data)
        self._held_size += len(data)
        if self._held_size < self._needed:
            return b""
        buffer = b"".join(self._held)
        out: list[bytes] = []
        at = 0 if self._in_rows else self._header(buffer, out)
        if self._in_rows:
            at = self._rows(buffer, at, out)
        self._keep(buffer[at:])
        return b"".join(out)

    def rewritten(self, data: bytes, at: int, size: int) -> tuple[bytes, int] | None:
        """CopyData messages that hold a row each, transformed; None where they have to be fed one by one."""
        if not self._in_rows or self._held_size or self._over:
            return None
        out: list[bytes] = []
        unpack = LENGTH.unpack_from
        done = at
        try:
            while size - done >= HEADER and data[done] == COPY_DATA:
                end = done + 1 + unpack(data, done + 1)[0]
                if end > size:
                    break
                row: list[bytes] = []
                if self._row(data, done + HEADER, row) != end:
                    break
                out.append(frame(COPY_DATA, b"".join(row)))
                done = end
                self._number += 1
        except (ServerError, CryptoError, _Incomplete, error):
            pass  # fed by itself, it tells what is wrong
        return (b"".join(out), done) if out else None

    def finish(self) -> bytes:
        """The stream has ended; raises 22P04 in the middle of a row. The trailer may be missing."""
        self.done = b""
        if self._held_size and not self._over:
            raise self._located(bad_copy("unexpected EOF in COPY data"))
        return b""

    def _keep(self, rest: bytes) -> None:
        self._held = [rest] if rest else []
        self._held_size = len(rest)

    def _located(self, error: ServerError) -> ServerError:
        if error.context is None:
            error.context = self._options.context(self._number + 1)
        return error

    def _header(self, buffer: bytes, out: list[bytes]) -> int:
        """Pass the header on if it is there whole; return where it ends."""
        signature, flags, extension = _HEADER.unpack_from(buffer)
        if signature != SIGNATURE:
            raise bad_copy("COPY file signature not recognized")
        if flags & _CRITICAL:
            raise bad_copy("unrecognized critical flags in COPY file header")
        end: int = _HEADER.size + extension
        if end > self._row_limit:
            raise too_long()
        if len(buffer) < end:
            self._needed = end
            return 0
        out.append(buffer[:end])
        self._in_rows = True
        return end

    def _rows(self, buffer: bytes, at: int, out: list[bytes]) -> int:
        """Transform the rows that are whole; return where they end."""
        while True:
            try:
                if _COUNT.unpack_from(buffer, at)[0] == _TRAILER:
                    return self._trailer(buffer, at, out)
                row: list[bytes] = []
                end = self._row(buffer, at, row)
            except error:
                self._needed = _COUNT.size
                return at
            except _Incomplete as incomplete:
                if incomplete.size > self._row_limit:
                    raise self._located(too_long()) from None
                self._needed = incomplete.size
                return at
            except (ServerError, CryptoError) as failed:
                self.done = b"".join(out)
                self._keep(buffer[at:])
                self._needed = 0
                raise self._located(failed) if isinstance(failed, ServerError) else failed from None
            out += row
            at = end
            self._number += 1

    def _trailer(self, buffer: bytes, at: int, out: list[bytes]) -> int:
        if len(buffer) > at + _COUNT.size:
            self.done = b"".join(out)
            raise self._located(bad_copy("received copy data after EOF marker"))
        self._over = True
        out.append(buffer[at:])
        return len(buffer)

    def _row(self, buffer: bytes, at: int, out: list[bytes]) -> int:
        """Append a row, transformed; return where it ends. Raises _Incomplete; struct.error at its start."""
        (count,) = _COUNT.unpack_from(buffer, at)
        transforms = self._transforms
        if count != len(transforms):
            raise bad_copy(f"row field count is {count}, expected {len(transforms)}")
        read, size_of = _SIZE.unpack_from, _SIZE.size
        whole = len(buffer)
        untouched = at
        position = at + _COUNT.size
        for index, transform in enumerate(transforms):
            if position + size_of > whole:
                raise _Incomplete(position + size_of - at)
            (size,) = read(buffer, position)
            position += size_of
            if size < 0:
                if size != _NULL:
                    raise bad_copy("invalid field size")
                continue
            end = position + size
            if end > whole or end - at > self._row_limit:
                raise _Incomplete(end - at)
            if transform is not None:
                try:
                    value = self._transformed(transform, index, buffer[position:end])
                    size = len(value)
                except NullValue:
                    value, size = b"", _NULL
                out += (buffer[untouched : position - size_of], _SIZE.pack(size), value)
                untouched = end
            position = end
        if untouched < position:
            out.append(buffer[untouched:position])
        return position

    def _transformed(self, transform: Transform, index: int, value: bytes) -> bytes:
        try:
            return transform(value)
        except ServerError as error:
            error.context = self._options.context(self._number + 1, index)
            raise
