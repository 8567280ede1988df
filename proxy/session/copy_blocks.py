"""Blocks of COPY's rows, transformed column by column: the fast way of the text and csv formats.

Nothing in such a block is special: no quote, no escaped delimiter or end of line, no carriage return. Its
rows then differ from one list of fields only by their ends of line, so that one split cuts up all of them,
a slice of the list is a column, and what has to be asked of every value is asked once of a column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct

from crypto.errors import CryptoError
from proxy.errors import ServerError
from proxy.session.copy_options import ColumnTransform, Transform, Transforms
from proxy.wire.frames import COPY_DATA, HEADER, LENGTH
from proxy.wire.rows import NullValue

MOST = 128  # messages that are taken together
_KEPT = 2048  # sizes below this one keep their packed form
_START = Struct("!Bi")  # type and length of a message

Values = list[bytes]


class Blocks:
    """How the rows of one COPY are cut up.

    `unusual` are the bytes, and `escapes` what begins with a backslash, that a block must not hold. `read`
    and `write` take a column's values from their spelling to what they are, and back; either may raise
    ServerError, and `write` return None, where it cannot.
    """

    def __init__(
        self,
        transforms: Transforms,
        *,
        delimiter: bytes,
        null: bytes | None,
        unusual: Sequence[bytes],
        escapes: Sequence[bytes],
        read: Callable[[Values], Values],
        write: Callable[[Values], Values | None],
    ) -> None:
        self._count = len(transforms)
        self._delimiter = delimiter
        self._null = null
        self._unusual = tuple(unusual)
        self._escapes = tuple(escapes)
        self._read = read
        self._write = write
        self.renew(transforms)

    def renew(self, transforms: Transforms) -> None:
        """There are new keys."""
        self._protected: list[tuple[int, Transform]] = [(i, t) for i, t in enumerate(transforms) if t]

    def transformed(self, block: bytes) -> Values | None:
        """Whole rows, each of which ends with a newline; None where they must be taken one by one."""
        if any(byte in block for byte in self._unusual):
            return None
        if b"\\" in block and any(escape in block for escape in self._escapes):
            return None
        delimiter, count = self._delimiter, self._count
        fields = block.replace(b"\n", b"\n" + delimiter).split(delimiter)
        fields.pop()  # what stands behind the last end of line: nothing
        columns = [fields[i::count] for i in range(count)]
        last = b"".join(columns[-1])  # every field has one end of line at most
        if len(fields) % count or last.count(b"\n") * count != len(fields):
            return None
        try:
            for i, transform in self._protected:
                is_last = i == count - 1
                column = self._column(last.split(b"\n")[:-1] if is_last else columns[i], transform)
                if column is None:
                    return None
                columns[i] = [value + b"\n" for value in column] if is_last else column
        except (ServerError, CryptoError, NullValue):  # taken one by one, they tell which row it is
            return None
        return list(map(delimiter.join, zip(*columns, strict=True)))

    def _column(self, column: Values, transform: Transform) -> Values | None:
        null = self._null
        if null not in column:
            return self._write(_all(transform, self._read(column)))
        found = self._write(_all(transform, self._read([v for v in column if v != null])))
        if found is None:
            return None
        values = iter(found)
        return [value if value == null else next(values) for value in column]

    def messages(self, data: bytes, at: int, size: int) -> tuple[bytes, int, int] | None:
        """CopyData messages that hold a row each, as the server writes them: the next MOST of them, at most.

        Returns the messages for the client, where they end in `data`, and how many there are.
        """
        rows: Values = []
        unpack, append = _START.unpack_from, rows.append
        last = size - HEADER
        while at <= last and len(rows) < MOST:
            kind, length = unpack(data, at)
            end = at + 1 + length
            if kind != COPY_DATA or end > size:
                break
            append(data[at + HEADER : end])
            at = end
        block = b"".join(rows)
        done = self.transformed(block) if block.endswith(b"\n") else None
        if done is None or len(done) != len(rows):
            return None
        return b"".join([_heads[len(row)] + row for row in done]), at, len(rows)


def _all(transform: Transform, values: Values) -> Values:
    if isinstance(transform, ColumnTransform):
        return transform.all(values)
    return list(map(transform, values))


class _Heads(dict[int, bytes]):
    """Length of a row -> the start of its CopyData."""

    def __missing__(self, length: int) -> bytes:
        head = _START.pack(COPY_DATA, LENGTH.size + length)
        if length < _KEPT:
            self[length] = head
        return head


_heads = _Heads()
