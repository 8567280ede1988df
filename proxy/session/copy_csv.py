"""COPY's csv format: fields between delimiters, quoted where they must be.

After `CopyReadAttributesCSV` (reading) and `CopyAttributeOutCSV` (writing) of PostgreSQL: quotes may begin
and end in the middle of a field, and an escape counts only within quotes, before a quote or an escape.
"""

from __future__ import annotations

import re

from proxy.errors import ServerError
from proxy.session.copy_blocks import Blocks, Values
from proxy.session.copy_lines import LineCopy
from proxy.session.copy_options import CopyOptions, Transforms, bad_copy, no_nul
from proxy.wire.rows import NullValue

_CSV_MARKER_GONE = 180_000  # from PostgreSQL 18 on, a line `\.` is a row like any other


class CsvCopy(LineCopy):
    """Rows in csv format; see `LineCopy`."""

    delimiter = ","
    kind_of_end = "unquoted"
    instead_of_end = "quoted CSV field"

    def __init__(self, options: CopyOptions, transforms: Transforms) -> None:
        super().__init__(options, transforms, marker_ends=options.server_version < _CSV_MARKER_GONE)
        self._protected = [i for i, transform in enumerate(transforms) if transform]
        self._null = options.marker(options.null or "")
        self._default = options.marker(options.default)
        self._force_quote = options.indexes(options.force_quote)
        self._force_null = options.indexes(options.force_null)
        self._force_not_null = options.indexes(options.force_not_null)
        self._delimiter = options.one_byte(options.delimiter, self.delimiter)
        self._quote = options.one_byte(options.quote, '"')
        self._escape = options.one_byte(options.escape, self._quote.decode(options.encoding))
        self._special = self._delimiter + self._quote + b"\r\n"
        self._specials = [bytes([byte]) for byte in self._special]
        self._in_quotes = False
        self._after_escape = False
        self._compile()
        if not (self._default or self._force_null or self._force_not_null or self._count == 1):
            self._blocks = Blocks(
                transforms,
                delimiter=self._delimiter,
                null=self._null,
                unusual=[b"\r", b"\0", self._quote],
                escapes=[b"\\."] if self._marker_ends else [],
                read=list,
                write=self._write_all,
            )

    @property
    def is_open(self) -> bool:
        return self._in_quotes

    def _compile(self) -> None:
        """The patterns for these delimiter, quote and escape."""
        delimiter, quote, escape = map(re.escape, (self._delimiter, self._quote, self._escape))
        pair = rb"%b[%b%b]" % (escape, quote, escape)
        plain = rb"[^%b%b]" % (quote, escape)
        inside = rb"(?:%b++|%b)*+" % (plain, pair)
        if quote != escape:  # an escape before any other byte is an ordinary one
            inside = rb"(?:%b++|%b|%b)*+" % (plain, pair, escape)
        quoted = rb"%b%b%b" % (quote, inside, quote)
        self.protects = re.compile(quoted)
        self.first_line = re.compile(rb"(?:[^%b\r\n]++|%b)*+(\r\n|\r|\n)" % (quote, quoted))
        field = rb"(?:[^%b%b]++|%b)*+" % (quote, delimiter, quoted)
        self._fields = re.compile(rb"(?:\A|%b)(%b)" % (delimiter, field)).findall
        self._quoted = re.compile(rb"%b(%b)%b" % (quote, inside, quote))
        self._pair = re.compile(rb"%b([%b%b])" % (escape, quote, escape))
        self._to_escape = re.compile(rb"[%b%b]" % (quote, escape))
        self._quote_or_escape = re.compile(rb"%b|(%b)|[^%b%b]++" % (quote, escape, quote, escape))

    def _is_open_after(self, segment: bytes, *, at_separator: bool = True) -> bool:
        if self._quote == self._escape:
            self._in_quotes ^= bool(segment.count(self._quote) % 2)
        elif self._in_quotes or self._quote in segment:
            for match in self._quote_or_escape.finditer(segment):
                self._step(match)
            if at_separator:
                self._after_escape = False
        return self._in_quotes

    def _step(self, match: re.Match[bytes]) -> None:
        """Go on over a quote, an escape or a run of other bytes, where quote and escape differ."""
        if match[1] is not None:
            self._after_escape = self._in_quotes and not self._after_escape
            return
        if match[0] == self._quote and not self._after_escape:
            self._in_quotes = not self._in_quotes
        self._after_escape = False

    def _closed(self, rest: bytes) -> bytes:
        if self._in_quotes:
            raise bad_copy("unterminated CSV quoted field")
        return rest

    def _count_line(self, row: bytes) -> None:
        """PostgreSQL counts also what it takes for ends of lines within quotes."""
        if self._quote in row:
            self._number += row.count(b"\n" if self._end == b"\n" and self._number else b"\r")
        self._number += 1

    def _row(self, row: bytes) -> bytes | None:
        fields = self._fields(row) if self._quote in row else row.split(self._delimiter)
        if len(fields) > self._count:
            raise bad_copy("extra data after last expected column")
        for i in self._protected:
            if i >= len(fields):
                break
            raw = fields[i]
            if raw == self._default or (raw == self._null and i not in self._force_not_null):
                continue
            value = self._read(raw) if self._quote in raw else raw
            if value == self._null and raw != self._null and i in self._force_null:
                continue
            try:
                made = self._transformed(i, no_nul(value))
            except NullValue:
                fields[i] = self._null or b""
                continue
            if made is None:
                return self._left_out(i, fields)
            fields[i] = self._written(i, made)
        self._require_all(fields)
        return self._delimiter.join(fields)

    def _values_of(self, row: bytes) -> list[bytes]:
        return [self._read(raw) for raw in self._fields(row)]

    def _write_all(self, column: Values) -> Values | None:
        """The values of a block; None where one of them has to be quoted."""
        joined = b"".join(column)
        if self._null in column or any(special in joined for special in self._specials):
            return None
        return column

    def _read(self, raw: bytes) -> bytes:
        return self._quoted.sub(lambda m: self._pair.sub(rb"\1", m[1]), raw)

    def _written(self, index: int, value: bytes) -> bytes:
        if value == self._null and index in self._force_null:
            # Quoted or not, the server would take it for NULL.
            raise ServerError("a protected value equals the NULL marker of a FORCE_NULL column")
        if index in self._force_quote or self._needs_quotes(value):
            return self._quote + self._to_escape.sub(self._escape_one, value) + self._quote
        return value

    def _escape_one(self, match: re.Match[bytes]) -> bytes:
        return self._escape + match[0]

    def _needs_quotes(self, value: bytes) -> bool:
        if value in (self._null, self._default) or (value == b"\\." and self._count == 1):
            return True
        return len(value.translate(None, self._special)) != len(value)
