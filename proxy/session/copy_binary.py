"""COPY's binary format: a header, rows of counted fields, a trailer. PostgreSQL documentation, COPY."""

from __future__ import annotations

from struct import Struct

from proxy.session.copy_options import CopyOptions, Transforms, bad_copy, too_long

SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_HEADER = Struct("!11sII")  # signature, flags, bytes of the extension area
_CRITICAL = 0xFFFF_0000  # flags that a reader must know; PostgreSQL knows none since OIDs have gone
_COUNT = Struct("!h")
_SIZE = Struct("!i")
_TRAILER = -1


class BinaryCopy:
    """A binary stream, transformed row by row; the boundaries of what is fed do not matter."""

    def __init__(self, options: CopyOptions, transforms: Transforms) -> None:
        self._transforms = tuple(transforms)
        self._row_limit = options.row_limit
        self._held: list[bytes] = []
        self._held_size = 0
        self._needed = _HEADER.size  # bytes without which there is no point in looking at what is held
        self._in_rows = False
        self._over = False

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the stream; return the rows that are complete, transformed."""
        if self._over:
            if data:
                raise bad_copy("received copy data after EOF marker")
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
        self._held = [buffer[at:]]
        self._held_size = len(buffer) - at
        return b"".join(out)

    def finish(self) -> bytes:
        """The stream has ended; raises 22P04 in the middle of a row. The trailer may be missing."""
        if self._held_size and not self._over:
            raise bad_copy("unexpected EOF in COPY data")
        return b""

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
        while len(buffer) - at >= _COUNT.size:
            (count,) = _COUNT.unpack_from(buffer, at)
            if count == _TRAILER:
                if len(buffer) > at + _COUNT.size:
                    raise bad_copy("received copy data after EOF marker")
                self._over = True
                out.append(buffer[at:])
                return len(buffer)
            if count != len(self._transforms):
                raise bad_copy(f"row field count is {count}, expected {len(self._transforms)}")
            end = self._row_end(buffer, at, count)
            if end - at > self._row_limit:
                raise too_long()
            if end > len(buffer):
                self._needed = end - at
                return at
            self._row(buffer, at, end, out)
            at = end
        self._needed = _COUNT.size
        return at

    def _row_end(self, buffer: bytes, at: int, count: int) -> int:
        """Where the row ends, or some point of it that is past the end of the buffer."""
        position = at + _COUNT.size
        for _ in range(count):
            if position + _SIZE.size > len(buffer):
                return position + _SIZE.size
            (size,) = _SIZE.unpack_from(buffer, position)
            if size < -1:
                raise bad_copy("invalid field size")
            position += _SIZE.size + max(size, 0)
        return position

    def _row(self, buffer: bytes, at: int, end: int, out: list[bytes]) -> None:
        """Append a row that is whole, transformed."""
        untouched = at
        position = at + _COUNT.size
        for transform in self._transforms:
            (size,) = _SIZE.unpack_from(buffer, position)
            start = position + _SIZE.size
            position = start + max(size, 0)
            if transform is not None and size >= 0:
                value = transform(buffer[start:position])
                out += (buffer[untouched : start - _SIZE.size], _SIZE.pack(len(value)), value)
                untouched = position
        out.append(buffer[untouched:end])
