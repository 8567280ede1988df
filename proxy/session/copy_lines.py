"""What the text and csv formats of COPY share: rows end with a line, of which one kind only may occur.

The cutting follows `CopyReadLineText` in PostgreSQL's `copyfromparse.c`:

    Rule 1. The first end of a line, \\n, \\r\\n or \\r, says how all lines end; another one is an error.
    Rule 2. An end of line that is escaped (text) or within quotes (csv) is data.
    Rule 3. A line `\\.` ends the data (in csv: before PostgreSQL 18); the server ignores what follows, so
            it is dropped here: bytes that nobody will read must not pass untransformed. A `\\.` at the end
            of a row of text is an error, as in PostgreSQL 18; earlier ones take the row and end there.
    Rule 4. The last line may lack its end.
    Rule 5. The header of COPY FROM does not reach the server, which has no use for it: it might be a row.

Whole blocks of rows in which nothing is special are transformed at once (`copy_blocks.py`); where that is
not possible, or fails, they are taken one by one, which also finds the row that is to blame.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod

from crypto.errors import CryptoError
from proxy.errors import InvalidValue, ServerError
from proxy.session.copy_blocks import MOST, Blocks
from proxy.session.copy_options import CopyOptions, Transforms, bad_copy, too_long

_END_MARKER = b"\\."
_SMALL = 65_536
_NOT_SKIPPED = "22021"  # what ON_ERROR ignore does not ignore: it is found before a value is read


class LineCopy(ABC):
    """A stream of lines, transformed row by row; the boundaries of what is fed do not matter."""

    first_line: re.Pattern[bytes]  # the first row and, as group 1, the end of its line
    protects: re.Pattern[bytes]  # what makes an end of line data: an escape and its byte, a quoted part
    delimiter: str  # between fields, where the options name no other
    kind_of_end: str  # how an error calls an end of line
    instead_of_end: str  # what to write in its place, if it is data

    def __init__(self, options: CopyOptions, transforms: Transforms, *, marker_ends: bool) -> None:
        self.options = options
        self.done = b""
        self.skipped = self._skipped = 0
        self._transforms = tuple(transforms)
        self._count = len(self._transforms)
        self._marker_ends = marker_ends
        self._header = options.header
        self._row_limit = options.row_limit
        self._end: bytes | None = None  # how lines end, once that is known
        self._start: bytearray = bytearray()  # what came until then
        self._tried = 0  # bytes of it that were searched in vain
        self._held: list[bytes] = []  # the pieces of a row that is not there whole
        self._held_size = 0
        self._again = b""  # the row that failed, and what stands behind it
        self._apart = 0  # messages to be taken one by one before a block of them is tried again
        self._number = 0  # of the last line that was read
        self._over = False
        self._blocks: Blocks | None = None

    def renew(self, transforms: Transforms) -> None:
        """There are new keys."""
        self._transforms = tuple(transforms)
        if self._blocks is not None:
            self._blocks.renew(self._transforms)

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the stream; return the rows that are complete, transformed."""
        self.done = b""
        if self._over:
            return b""
        if self._again:
            data, self._again = self._again + data, b""
        if self._end is None:
            self._start += data
            if not self._learn_end():
                return b""
            data = bytes(self._start)
            self._start.clear()
        elif (block := self._block(data)) is not None:
            return block
        return self._rows(data)

    def rewritten(self, data: bytes, at: int, size: int) -> tuple[bytes, int] | None:
        """CopyData messages from `at` on that hold a row each, transformed, and where they end.

        None where they have to be fed one by one.
        """
        if self._blocks is None or self._held or self._again or not self._is_orderly():
            return None
        if self._apart:
            self._apart -= 1
            return None
        found = self._blocks.messages(data, at, size)
        if found is None:
            self._apart = MOST  # or each of the rows that follow would be looked at again and again
            return None
        rows, at, count = found
        self._number += count
        return rows, at

    def finish(self) -> bytes:
        """The stream has ended: return what is left, transformed."""
        self.done = b""
        if self._over:
            return b""
        done = self.feed(b"") if self._again else b""
        if self._end is None:
            found = self.first_line.match(self._start)
            self._end = found[1] if found else b"\n"
            done += self._rows(bytes(self._start))
            self._start.clear()
        rest = b"".join(self._held)
        self._held.clear()
        if self._over or (self._header and not self.options.table):  # nobody minds how a header ends
            return done + rest
        if rest:
            try:
                self._count_line(rest)
                rest = self._closed(rest)
                self._check_ends(rest, last=True)
                done += self._row_or_marker(rest) or b""
            except ServerError as error:
                self.done = done
                raise self._located(error) from None
        return done

    # --- many rows at once ------------------------------------------------------------------------------

    def _is_orderly(self) -> bool:
        return self._end == b"\n" and not (self._header or self._over or self.is_open)

    def _block(self, data: bytes) -> bytes | None:
        """The rows of data with nothing special in it; None where they have to be taken one by one."""
        cut = data.rfind(b"\n") + 1
        if self._blocks is None or not cut or self._held_size > _SMALL or not self._is_orderly():
            return None
        block = b"".join([*self._held, data[:cut]])
        done = self._blocks.transformed(block)
        if done is None:
            return None
        self._number += len(done)
        self._held.clear()
        self._held_size = 0
        rest = data[cut:]
        self._is_open_after(rest, at_separator=False)
        self._hold(rest)
        return b"".join(done)

    # --- one row after the other ------------------------------------------------------------------------

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
        for i, segment in enumerate(segments):
            if self._is_open_after(segment):
                self._hold(segment + separator)
                continue
            if self._held:
                segment = b"".join([*self._held, segment])
                self._held.clear()
                self._held_size = 0
            number = self._number
            try:
                line = self._line(segment)
            except (ServerError, CryptoError) as error:
                self.done = separator.join([*out, b""])
                self._again = separator.join([segment, *segments[i + 1 :], unfinished])
                located = self._located(error)
                self._number = number
                raise located from None
            if line is not None:
                out.append(line)
            if self._over:
                break
        else:
            self._is_open_after(unfinished, at_separator=False)
            self._hold(unfinished)
        out.append(b"")
        return separator.join(out)

    def _located(self, error: ServerError | CryptoError) -> ServerError | CryptoError:
        if isinstance(error, ServerError) and error.context is None:
            error.context = self.options.context(self._number)
        return error

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._held.append(piece)
            self._held_size += len(piece)
            if self._held_size > self._row_limit:
                raise too_long()

    def _line(self, line: bytes) -> bytes | None:
        """A line without the last byte of its end, transformed; None where it is left out."""
        if self._end != b"\r\n":
            self._count_line(line)
            self._check_ends(line)
            return self._row_or_marker(line)
        self._count_line(line[:-1])
        self._check_ends(line)
        row = self._row_or_marker(line[:-1])
        return None if row is None else row + b"\r"

    def _count_line(self, row: bytes) -> None:
        self._number += 1

    def _row_or_marker(self, row: bytes) -> bytes | None:
        if row == _END_MARKER and self._marker_ends:
            self._over = True
            return row
        if self._header:
            header = self._header_of(row) if self.options.table else row
            self._header = False
            return header
        return self._row(row)

    def _header_of(self, row: bytes) -> bytes:
        """What the server gets in the place of a client's header: nothing, or the names that it must hold."""
        if not self.options.header_match:
            return b""
        fields, columns = self._values_of(row), self.options.columns
        if len(fields) != len(columns):
            raise bad_copy(
                f"wrong number of fields in header line: got {len(fields)}, expected {len(columns)}"
            )
        for number, (field, column) in enumerate(zip(fields, columns, strict=True), 1):
            if field != column.encode(self.options.encoding):
                raise bad_copy(f'column name mismatch in header line field {number}: expected "{column}"')
        return row

    def _require_all(self, fields: list[bytes]) -> None:
        """Raise 22P04 where the row ends early; its values were looked at first, as PostgreSQL does."""
        if len(fields) < self._count:
            raise bad_copy(f"missing data for {self.options.name_of(len(fields))}")

    def _transformed(self, index: int, value: bytes) -> bytes | None:
        """A value of a protected column as the server is to store it; None: the row is to be left out."""
        transform = self._transforms[index]
        assert transform is not None
        try:
            return transform(value)
        except InvalidValue as error:
            if self.options.ignores_errors and error.sqlstate != _NOT_SKIPPED:
                return None
            error.context = self.options.context(self._number, index)
            raise
        except ServerError as error:
            error.context = self.options.context(self._number, index)
            raise

    def _left_out(self, index: int, fields: list[bytes]) -> bytes | None:
        """A row that the server leaves out, and counts, by the value of this column; it reads no further.

        None where the column stores any text: the row is left out, and counted, here.
        """
        unreadable = self.options.unreadable[index]
        if unreadable is not None:
            return self.options.one_byte(self.options.delimiter, self.delimiter).join(
                [*fields[:index], self._written(index, unreadable)]
            )
        self._skipped += 1
        self.skipped = 0 if self.options.silent else self._skipped
        limit = self.options.reject_limit
        if limit and self._skipped > limit:
            raise ServerError(
                f"skipped more than REJECT_LIMIT ({limit}) rows due to data type incompatibility",
                sqlstate="22P02",
            )
        return None

    def _check_ends(self, line: bytes, *, last: bool = False) -> None:
        """Raise 22P04 where an end of line of another kind than the first one stands in the line.

        The line is without the last byte of its end; the `last` one of the stream has no end at all.
        """
        if self._end == b"\n" and b"\r" not in line:
            return
        bare = self.protects.sub(b"", line)
        if self._end == b"\r\n" and not last:
            if not bare.endswith(b"\r"):
                raise self._wrong_end("newline", "n")
            bare = bare[:-1]
        if b"\r" in bare:
            raise self._wrong_end("carriage return", "r")
        if b"\n" in bare:
            raise self._wrong_end("newline", "n")

    def _wrong_end(self, what: str, letter: str) -> ServerError:
        instead = self.instead_of_end.format(letter)
        return bad_copy(f"{self.kind_of_end} {what} found in data", f"Use {instead} to represent {what}.")

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether an end of line would be data after what has come."""

    @abstractmethod
    def _is_open_after(self, segment: bytes, *, at_separator: bool = True) -> bool:
        """Go on over a segment; whether what follows it, the end of a line if `at_separator`, is data."""

    @abstractmethod
    def _closed(self, rest: bytes) -> bytes:
        """The last line, which has no end, as the server sees it. Raises 22P04 if it must not end there."""

    @abstractmethod
    def _written(self, index: int, value: bytes) -> bytes:
        """A value of a column as it stands in a row."""

    @abstractmethod
    def _values_of(self, row: bytes) -> list[bytes]:
        """The values of a row, without quotes and escapes."""

    @abstractmethod
    def _row(self, row: bytes) -> bytes | None:
        """A row without its end of line, transformed; None where it is left out."""
