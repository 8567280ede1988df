"""COPY's text format: fields between delimiters, with backslash escapes.

After `CopyReadAttributesText` (reading) and `CopyAttributeOutText` (writing) of PostgreSQL.
"""

from __future__ import annotations

import re

from proxy.session.copy_lines import LineCopy, require_fields
from proxy.session.copy_options import CopyOptions, Transform, Transforms, bad_copy, no_nul

_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_WRITTEN = {byte: b"\\" + letter for letter, byte in _LETTERS.items()} | {b"\\": b"\\\\"}
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)
_PAIR = re.compile(rb"\\.", re.DOTALL)


class TextCopy(LineCopy):
    """Rows in text format; see `LineCopy`."""

    first_line = re.compile(rb"(?:[^\\\r\n]++|\\.)*+(\r\n|\r|\n)", re.DOTALL)
    protects = _PAIR
    kind_of_end = "literal"

    def __init__(self, options: CopyOptions, transforms: Transforms) -> None:
        super().__init__(options, transforms, marker_ends=True)
        self._options = options
        self._count = len(transforms)
        self._protected: list[tuple[int, Transform]] = [(i, t) for i, t in enumerate(transforms) if t]
        self._delimiter = options.one_byte(options.delimiter, "\t")
        self._null = options.marker(r"\N" if options.null is None else options.null)
        self._default = options.marker(options.default)
        self._special = b"\b\f\n\r\t\v\\" + self._delimiter
        self._to_write = re.compile(b"[" + re.escape(self._special) + b"]")
        delimiter = re.escape(self._delimiter)
        self._fields = re.compile(
            rb"(?:\A|%b)((?:[^\\%b]++|\\.)*+)" % (delimiter, delimiter), re.DOTALL
        ).findall
        self._escaping = False  # whether a backslash before this point waits for its byte

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

    def _row(self, row: bytes) -> bytes:
        if b"\\" in row:
            if b"\\." in _PAIR.findall(row):
                raise bad_copy("end-of-copy marker is not alone on its line")
            fields = self._fields(row)
        else:
            fields = row.split(self._delimiter)
        if len(fields) != self._count:
            require_fields(self._options, len(fields), self._count)
        for i, transform in self._protected:
            raw = fields[i]
            if raw != self._null and raw != self._default:
                value = self._read(raw) if b"\\" in raw else raw
                fields[i] = self._write(transform(no_nul(value)))
        return self._delimiter.join(fields)

    def _read(self, raw: bytes) -> bytes:
        return _ESCAPE.sub(self._unescaped, raw)

    def _unescaped(self, match: re.Match[bytes]) -> bytes:
        octal, hexadecimal, other = match.groups()
        if other is not None:
            return _LETTERS.get(other, other)
        code = int(octal, 8) & 0xFF if octal is not None else int(hexadecimal, 16)
        if code >= 0x80 and self._options.encoding != "utf-8":
            # The server takes it for a byte of its own encoding, which need not be the client's.
            raise bad_copy(r"an escape such as \xe9 cannot be used in a protected column in this encoding")
        return bytes([code])

    def _write(self, value: bytes) -> bytes:
        if len(value.translate(None, self._special)) == len(value):
            return value
        return self._to_write.sub(lambda m: _WRITTEN.get(m[0], b"\\" + m[0]), value)
