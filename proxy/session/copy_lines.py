"""What the text and csv formats of COPY share: rows end with a line, of which one kind only may occur.

The cutting follows `CopyReadLineText` in PostgreSQL's `copyfromparse.c`:

    Rule 1. The first end of a line, \\n, \\r\\n or \\r, says how all lines end; another one is an error.
    Rule 2. An end of line that is escaped (text) or within quotes (csv) is data.
    Rule 3. A line `\\.` ends the data (in csv: before PostgreSQL 18); the server ignores what follows, so
            it is dropped here: bytes that nobody will read must not pass untransformed. A `\\.` at the end
            of a row of text is an error, as in PostgreSQL 18; earlier ones take the row and end there.
    Rule 4. The last line may lack its end.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod

from proxy.session.copy_options import CopyOptions, Transforms, bad_copy, too_long

_END_MARKER = b"\\."
_SMALL = 65_536


class LineCopy(ABC):
    """A stream of lines, transformed row by row; the boundaries of what is fed do not matter."""

    first_line: re.Pattern[bytes]  # the first row and, as group 1, the end of its line
    protects: re.Pattern[bytes]  # what makes an end of line data: an escape and its byte, a quoted part
    kind_of_end: str  # how an error calls an end of line

    def __init__(self, options: CopyOptions, transforms: Transforms, *, marker_ends: bool) -> None:
        self._marker_ends = marker_ends
        self._header = options.header
        self._row_limit = options.row_limit
        self._end: bytes | None = None  # how lines end, once that is known
        self._start: bytearray = bytearray()  # what came until then
        self._tried = 0  # bytes of it that were searched in vain
        self._held: list[bytes] = []  # the pieces of a row that is not there whole
        self._held_size = 0
        self._over = False

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the stream; return the rows that are complete, transformed."""
        if self._over:
            return b""
        if self._end is None:
            self._start += data
            if not self._learn_end():
                return b""
            data = bytes(self._start)
            self._start.clear()
        return self._rows(data)

    def finish(self) -> bytes:
        """The stream has ended: return what is left, transformed."""
        if self._over:
            return b""
        done = b""
        if self._end is None:
            found = self.first_line.match(self._start)
            self._end = found[1] if found else b"\n"
            done = self._rows(bytes(self._start))
            self._start.clear()
        rest = b"".join(self._held)
        self._held.clear()
        if self._over or self._header:  # nobody minds how a header ends
            return done + rest
        if rest:
            rest = self._closed(rest)
            self._check_ends(rest, last=True)
            done += self._row_or_marker(rest)
        return done

    def _learn_end(self) -> bool:
        """Whether it is known by now how lines end.

        A first row that is long is searched anew only when it has doubled, so that the work stays linear.
        """
        if len(self._start) > self._row_limit:
            raise too_long()
        if self._tried > _SMALL and len(self._start) < 2 * self._tried:
            return False
        found = self.first_line.match(self._start)
        if found is None or (found[1] == b"\r" and found.end() == len(self._start)):
            self._tried = len(self._start)
            return False
        self._end = found[1]
        return True

    def _rows(self, data: bytes) -> bytes:
        separator = b"\r" if self._end == b"\r" else b"\n"
        segments = data.split(separator)
        unfinished = segments.pop()
        out: list[bytes] = []
        for segment in segments:
            if self._is_open_after(segment):
                self._hold(segment + separator)
                continue
            if self._held:
                segment = b"".join([*self._held, segment])
                self._held.clear()
                self._held_size = 0
            out.append(self._line(segment))
            if self._over:
                break
        else:
            self._is_open_after(unfinished, at_separator=False)
            self._hold(unfinished)
        out.append(b"")
        return separator.join(out)

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._held.append(piece)
            self._held_size += len(piece)
            if self._held_size > self._row_limit:
                raise too_long()

    def _line(self, line: bytes) -> bytes:
        """A line without the last byte of its end, transformed."""
        self._check_ends(line)
        if self._end == b"\r\n":
            return self._row_or_marker(line[:-1]) + b"\r"
        return self._row_or_marker(line)

    def _row_or_marker(self, row: bytes) -> bytes:
        if row == _END_MARKER and self._marker_ends:
            self._over = True
            return row
        if self._header:
            self._header = False
            return row
        return self._row(row)

    def _check_ends(self, line: bytes, *, last: bool = False) -> None:
        """Raise 22P04 where an end of line of another kind than the first one stands in the line.

        The line is without the last byte of its end; the `last` one of the stream has no end at all.
        """
        if self._end == b"\n" and b"\r" not in line:
            return
        bare = self.protects.sub(b"", line)
        if self._end == b"\r\n" and not last:
            if not bare.endswith(b"\r"):
                raise bad_copy(f"{self.kind_of_end} newline found in data")
            bare = bare[:-1]
        if b"\r" in bare:
            raise bad_copy(f"{self.kind_of_end} carriage return found in data")
        if b"\n" in bare:
            raise bad_copy(f"{self.kind_of_end} newline found in data")

    @abstractmethod
    def _is_open_after(self, segment: bytes, *, at_separator: bool = True) -> bool:
        """Go on over a segment; whether what follows it, the end of a line if `at_separator`, is data."""

    @abstractmethod
    def _closed(self, rest: bytes) -> bytes:
        """The last line, which has no end, as the server sees it. Raises 22P04 if it must not end there."""

    @abstractmethod
    def _row(self, row: bytes) -> bytes:
        """A row without its end of line, transformed."""


def require_fields(options: CopyOptions, found: int, expected: int) -> None:
    """Raise 22P04, in PostgreSQL's words, for a row of too few or too many fields."""
    if found < expected:
        raise bad_copy(f"missing data for {options.name_of(found)}")
    if found > expected:
        raise bad_copy("extra data after last expected column")
