"""What a column must be to hold the ciphertext of a logical type, and how long that ciphertext gets.

The column's own type is the storage where an ASCII or binary form with a marker fits into it (text, bytea,
json); every other type is kept in a bytea column.
"""

from __future__ import annotations

import re

from policy.catalog import Column
from policy.model import Mode
from policy.types import TYPES, LogicalType

_TEXT_TYPES = ("text", "varchar", "bpchar")
_BYTES_PER_CHARACTER = 4  # the longest UTF-8 sequence of PostgreSQL's encodings

# Bytes that an envelope's ASCII form encodes beside the canonical bytes: header, nonce, tag and format byte
# (docs/envelope.md). Stated here because `policy` does not import `crypto`; a test compares the two.
ENVELOPE_OVERHEAD = {
    "aes-256-gcm": 35,
    "chacha20-poly1305": 35,
    "aes-siv": 23,
    "aes-256-gcm-record": 47,
    "chacha20-poly1305-record": 47,
}
MARKER_LENGTH = len("pgv1:")

# A varchar(n) whose length the policy does not say becomes a varchar(WIDENED + n): any ciphertext fits into
# it, and n can be told from it again. PostgreSQL's own limit is 10485760; the limit itself takes no space.
WIDENED = 8_000_000
LONGEST = 1_000_000

# Ciphertext as pg_get_expr() writes it in a DEFAULT: what is in the quotes is group 1.
SEALED_LITERAL = re.compile(
    r"""\'("?pgv1:[A-Za-z0-9_-]+"?|\\xff5056(?:[0-9a-f]{2})+)\'::[a-z]+(?: [a-z]+)?(?:\(\d+\))?"""
)
_SEALED_DEFAULT = re.compile(rf"\(?{SEALED_LITERAL.pattern}\)?(?:::[a-z]+(?: [a-z]+)?(?:\(\d+\))?)?")


def is_sealed(default: str | None) -> bool:
    """Whether a DEFAULT, as its expression reads, is ciphertext and nothing else."""
    return default is not None and _SEALED_DEFAULT.fullmatch(default) is not None


def ascii_length(canonical_bytes: int, algorithm: str) -> int:
    """Characters of the ASCII form of a value of so many canonical bytes (base64url without padding)."""
    envelope = canonical_bytes + ENVELOPE_OVERHEAD[algorithm]
    return MARKER_LENGTH + (envelope * 4 + 2) // 3


def plaintext_bytes(characters: int, algorithm: str) -> int:
    """Canonical bytes of the longest value whose ASCII form has no more than so many characters."""
    return max(0, (characters - MARKER_LENGTH) * 3 // 4 - ENVELOPE_OVERHEAD[algorithm])


def needed_length(type: LogicalType, algorithm: str) -> int | None:  # noqa: A002 -- PostgreSQL's word
    """Characters that a text column needs for every value of the type; None where the type has no limit."""
    if type.length is None or type.array:
        return None
    return ascii_length(type.length * _BYTES_PER_CHARACTER, algorithm)


def widened(length: int) -> int:
    """The limit of the varchar column that holds the ciphertext of a varchar(length), and remembers it."""
    return WIDENED + length


def logical_of(column: Column) -> LogicalType | None:
    """The logical type of a column whose field names none: its own, or what it was widened from."""
    own = LogicalType.from_catalog(column.type_oid, column.modifier)
    if own is None or own.name != "varchar" or own.array or own.length is None:
        return own
    length = own.length - WIDENED
    return LogicalType.parse(f"varchar({length})") if 0 < length <= LONGEST else own


def length_limit(column: Column) -> int | None:
    """The n of a varchar(n) or char(n) column."""
    own = LogicalType.from_catalog(column.type_oid, column.modifier)
    return None if own is None or own.array else own.length


def spelled(column: Column) -> str:
    """The column's type as SQL spells it, for messages."""
    own = LogicalType.from_catalog(column.type_oid, column.modifier)
    return str(own) if own is not None else column.type_name


def problem(column: Column, type: LogicalType, algorithm: str) -> str | None:  # noqa: A002
    """Why the column cannot hold the ciphertext of any value of the type, in one sentence; None if it can."""
    if LogicalType.from_catalog(column.type_oid, column.modifier) is None:
        return f"its type {column.type_name} cannot be protected (supported: {', '.join(TYPES)})"
    if column.type_name not in storages(type):
        wanted = " or ".join(storages(type)[:2])
        return (
            f"it is of type {spelled(column)}, and ciphertext of {type} is kept in {wanted}: "
            f"change the column to {wanted} and write type: {type} in the policy"
        )
    limit = length_limit(column)
    if limit is None:
        return None
    if column.type_name == "bpchar":
        return (
            f"it is of type {spelled(column)}, which would pad ciphertext with blanks: "
            f"change the column to text and write type: {type} in the policy"
        )
    if limit < (least := ascii_length(0, algorithm)):
        return (
            f"it is of type {spelled(column)}, and the shortest ciphertext has {least} characters: "
            f"change the column to text and write type: {type} in the policy"
        )
    return None


def storages(type: LogicalType) -> tuple[str, ...]:  # noqa: A002
    """Catalogue names of the column types that can hold ciphertext of a logical type, the best first."""
    if type.storage in _TEXT_TYPES:
        return _TEXT_TYPES
    return (type.storage,)


def mode_problem(mode: Mode, logical: LogicalType) -> str | None:
    """Why a field of the type cannot have the mode, as a clause; None if it can."""
    if mode is Mode.RANDOMIZED or logical.deterministic:
        return None
    if logical.name == "numeric":
        return f"type {logical} has no fixed scale, so equal values may differ in bytes: write numeric(p, s)"
    return f"equal values of type {logical} may differ in bytes, so it can only be randomized"
