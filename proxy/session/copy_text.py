"""COPY's text format: fields between delimiters, with backslash escapes.

After `CopyReadAttributesText` (reading) and `CopyAttributeOutText` (writing) of PostgreSQL.
"""

from __future__ import annotations

import re

from proxy.session.copy_blocks import Blocks, Values
from proxy.session.copy_lines import LineCopy
from proxy.session.copy_options import CopyOptions, Transforms, bad_copy, no_nul
from proxy.wire.rows import NullValue

_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_WRITTEN = {byte: b"\\" + letter for letter, byte in _LETTERS.items()} | {b"\\": b"\\\\"}
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)
_PAIR = re.compile(rb"\\.", re.DOTALL)


class TextCopy(LineCopy):
    """Rows in text format; see `LineCopy`."""

    first_line = re.compile(rb"(?:[^\\\r\n]++|\\.)*+(\r\n|\r|\n)", re.DOTALL)
    protects = _PAIR
    delimiter = "\t"
    kind_of_end = "literal"
    instead_of_end = '"\\{}"'

    def __init__(self, options: CopyOptions, transforms: Transforms) -> None:
        super().__init__(options, transforms, marker_ends=True)
        self._protected = [i for i, transform in enumerate(transforms) if transform]
        self._delimiter = options.one_byte(options.delimiter, self.delimiter)
        self._null = options.marker(r"\N" if options.null is None else options.null)
        self._default = options.marker(options.default)
        self._special = b"\b\f\n\r\t\v\\" + self._delimiter
        self._specials = [bytes([byte]) for byte in set(self._special)]
        self._to_write = re.compile(b"[" + re.escape(self._special) + b"]")
        delimiter = re.escape(self._delimiter)
        self._fields = re.compile(
            rb"(?:\A|%b)((?:[^\\%b]++|\\.)*+)" % (delimiter, delimiter), re.DOTALL
        ).findall
        self._escaping = False  # whether a backslash before this point waits for its byte
        if self._default is None:
            self._blocks = Blocks(
                transforms,
                delimiter=self._delimiter,
                null=self._null,
                unusual=[b"\r", b"\0"],
                escapes=[b"\\.", b"\\\n", b"\\" + self._delimiter],
                read=self._read_all,
                write=self._write_all,
            )

    @property
    def is_open(self) -> bool:
        return self._escaping

    def _is_open_after(self, segment: bytes, *, at_separator: bool = True) -> bool:
        run = len(segment) - len(segment.rstrip(b"\\"))
        if run == len(segment):
            run += self._escaping
        open_after = bool(run % 2)
        self._escaping = open_after and not at_separator
        return open_after

    def _closed(self, rest: bytes) -> bytes:
        """A backslash at the very end of the data counts for nothing."""
        return rest[:-1] if self._escaping else rest

    def _row(self, row: bytes) -> bytes | None:
        if b"\\" in row:
            if b"\\." in _PAIR.findall(row):
                raise bad_copy("end-of-copy marker is not alone on its line")
            fields = self._fields(row)
        else:
            fields = row.split(self._delimiter)
        if len(fields) > self._count:
            raise bad_copy("extra data after last expected column")
        for i in self._protected:
            if i >= len(fields):
                break
            raw = fields[i]
            if raw != self._null and raw != self._default:
                value = self._read(raw) if b"\\" in raw else raw
                try:
                    made = self._transformed(i, no_nul(value))
                except NullValue:
                    fields[i] = self._null
                    continue
                if made is None:
                    return self._left_out(i, fields)
                fields[i] = self._write(made)
        self._require_all(fields)
        return self._delimiter.join(fields)

    def _written(self, index: int, value: bytes) -> bytes:
        return self._write(value)

    def _values_of(self, row: bytes) -> list[bytes]:
        return [self._read(raw) for raw in self._fields(row)]

    def _read_all(self, column: Values) -> Values:
        if b"\\" not in b"".join(column):
            return column
        return [no_nul(self._read(raw)) if b"\\" in raw else raw for raw in column]

    def _write_all(self, column: Values) -> Values:
        joined = b"".join(column)
        if any(special in joined for special in self._specials):
            return [self._write(value) for value in column]
        return column

    def _read(self, raw: bytes) -> bytes:
        return _ESCAPE.sub(self._unescaped, raw)

    def _unescaped(self, match: re.Match[bytes]) -> bytes:
        octal, hexadecimal, other = match.groups()
        if other is not None:
            return _LETTERS.get(other, other)
        code = int(octal, 8) & 0xFF if octal is not None else int(hexadecimal, 16)
        if code >= 0x80 and self.options.encoding != "utf-8":
            # The server takes it for a byte of its own encoding, which need not be the client's.
            raise bad_copy(r"an escape such as \xe9 cannot be used in a protected column in this encoding")
        return bytes([code])

    def _write(self, value: bytes) -> bytes:
        if len(value.translate(None, self._special)) == len(value):
            return value
        return self._to_write.sub(lambda m: _WRITTEN.get(m[0], b"\\" + m[0]), value)
