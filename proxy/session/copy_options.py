"""COPY's options, as far as they say how rows are written. PostgreSQL documentation, COPY."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from proxy.errors import Refused, ServerError
from proxy.values import python_encoding

Transform = Callable[[bytes], bytes]
Transforms = Sequence[Transform | None]


class ColumnTransform:
    """A transform that also takes the values of a column at once, if it can; it then raises CryptoError."""

    __slots__ = ("_one", "all")

    def __init__(self, one: Transform, all_: Callable[[list[bytes]], list[bytes]]) -> None:
        self._one = one
        self.all = all_

    def __call__(self, value: bytes) -> bytes:
        return self._one(value)


ROW_LIMIT = 0x3FFF_FFFE  # a row that the server could not hold either (MaxAllocSize)

_FORMATS = ("text", "csv", "binary")
_KNOWN = {
    *("format", "delimiter", "null", "default", "header", "quote", "escape", "encoding"),
    *("force_quote", "force_not_null", "force_null"),
    *("freeze", "on_error", "reject_limit", "log_verbosity"),
}
# Encodings in which a byte below 0x80 is always the ASCII character, so that a row can be cut at such bytes.
# SJIS, BIG5, GBK, UHC, GB18030 and JOHAB are not among them: a backslash may be half a character there.
_CUTTABLE = ("utf-8", "ascii", "iso8859-", "cp125", "cp866", "cp874", "koi8-", "euc_", "gb2312")


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """How the rows of one COPY are written. None stands for the format's own default.

    `columns` are the names of the fields in order; `force_quote`, `force_null` and `force_not_null` name
    some of them. `encoding` is a Python codec's name. `server_version` is as `server_version_num`.
    `table` is the one that COPY FROM fills, as errors name it; empty for COPY TO. `unreadable` has for each
    column what its storage type cannot read (None where it reads anything); see ON_ERROR in `copy_lines.py`.
    """

    format: str = "text"
    delimiter: str | None = None
    null: str | None = None
    quote: str | None = None
    escape: str | None = None
    header: bool = False
    encoding: str = "utf-8"
    default: str | None = None
    force_quote: frozenset[str] = frozenset()
    force_null: frozenset[str] = frozenset()
    force_not_null: frozenset[str] = frozenset()
    columns: tuple[str, ...] = ()
    server_version: int = 180_000
    row_limit: int = ROW_LIMIT
    table: str = ""
    header_match: bool = False
    ignores_errors: bool = False
    reject_limit: int = 0
    silent: bool = False
    unreadable: tuple[bytes | None, ...] = ()

    @classmethod
    def of(
        cls,
        pairs: Iterable[tuple[str, str]],
        *,
        columns: tuple[str, ...] = (),
        encoding: str = "utf-8",
        server_version: int = 180_000,
        table: str = "",
    ) -> CopyOptions:
        """Options as the statement has them: booleans as true or false, column lists joined by a NUL.

        Raises Refused for an option that could mean a way of writing rows that is not known here.
        """
        given = dict(pairs)
        if unknown := sorted(set(given) - _KNOWN):
            raise Refused(f'COPY of protected columns does not know the option "{unknown[0]}"')
        written_in = python_encoding(given["encoding"]) if "encoding" in given else encoding
        if written_in is None:
            raise Refused("COPY of protected columns cannot use this encoding", hint="Use ENCODING 'UTF8'.")

        def names(option: str) -> frozenset[str]:
            value = given.get(option)
            if value in ("*", "true"):
                return frozenset(columns)
            return frozenset(value.split("\0")) if value else frozenset()

        return cls(
            format=given.get("format", "text").lower(),
            delimiter=given.get("delimiter"),
            null=given.get("null"),
            quote=given.get("quote"),
            escape=given.get("escape"),
            header=given.get("header", "false").lower() not in ("false", "off", "0"),
            encoding=written_in,
            default=given.get("default"),
            force_quote=names("force_quote"),
            force_null=names("force_null"),
            force_not_null=names("force_not_null"),
            columns=columns,
            server_version=server_version,
            table=table,
            header_match=given.get("header", "").lower() == "match",
            ignores_errors=given.get("on_error", "stop").lower() == "ignore",
            silent=given.get("log_verbosity", "").lower() == "silent",
            reject_limit=_number(given.get("reject_limit", "0")),
        )

    def require_known(self) -> None:
        """Raise Refused unless rows of this format and encoding can be cut into fields."""
        if self.format not in _FORMATS:
            raise Refused(f'COPY of protected columns does not know the format "{self.format}"')
        if self.format != "binary" and not codecs.lookup(self.encoding).name.startswith(_CUTTABLE):
            raise Refused("COPY of protected columns cannot use this encoding", hint="Use ENCODING 'UTF8'.")

    def one_byte(self, value: str | None, default: str) -> bytes:
        """A delimiter, quote or escape. Raises Refused unless it is a single byte, as the server would."""
        encoded = (default if value is None else value).encode(self.encoding)
        if len(encoded) != 1:
            raise Refused("COPY delimiter, quote and escape must be a single one-byte character")
        return encoded

    def marker(self, value: str | None) -> bytes | None:
        """A marker of NULL or DEFAULT in the encoding of the rows."""
        return None if value is None else value.encode(self.encoding)

    def indexes(self, names: frozenset[str]) -> frozenset[int]:
        """Which fields these names stand for."""
        return frozenset(i for i, name in enumerate(self.columns) if name in names)

    def name_of(self, index: int) -> str:
        """How an error names the field."""
        return f'column "{self.columns[index]}"' if index < len(self.columns) else f"column {index + 1}"

    def context(self, line: int, index: int | None = None) -> str | None:
        """Where an error of COPY FROM is, in PostgreSQL's words without the value; None for COPY TO."""
        if not self.table:
            return None
        column = "" if index is None or index >= len(self.columns) else f", column {self.columns[index]}"
        return f"COPY {self.table}, line {line}{column}"


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0  # the server refuses what is none


def bad_copy(message: str, hint: str | None = None) -> ServerError:
    """PostgreSQL's bad_copy_file_format."""
    return ServerError(message, sqlstate="22P04", hint=hint)


def too_long() -> ServerError:
    """What PostgreSQL says when a row does not fit its buffer."""
    return ServerError("a row of COPY is too long", sqlstate="54000")


def no_nul(value: bytes) -> bytes:
    """The value itself. Raises 22021 where it holds a NUL byte, as the server would."""
    if 0 in value:
        raise ServerError("invalid byte sequence in COPY data: 0x00", sqlstate="22021")
    return value
