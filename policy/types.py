"""Logical types: what the application sees of a protected column.

The table of supported types stands here once; `proxy/values.py` has one codec for each row.
OIDs and lengths: PostgreSQL's `pg_type.dat`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TypeRow:
    """One supported type: its catalogue name, OIDs, length in bytes (-1 variable) and storage."""

    name: str
    oid: int
    array_oid: int
    typlen: int
    storage: str  # how a column of this logical type is stored: its own type, or bytea
    family: str  # types of one family share their canonical bytes, so a column may move between them
    deterministic: bool = True  # whether equal values always have equal canonical bytes


TYPES: dict[str, TypeRow] = {
    row.name: row
    for row in (
        TypeRow("text", 25, 1009, -1, "text", "text"),
        TypeRow("varchar", 1043, 1015, -1, "varchar", "text"),
        TypeRow("bpchar", 1042, 1014, -1, "bpchar", "text"),
        TypeRow("bytea", 17, 1001, -1, "bytea", "bytea"),
        TypeRow("bool", 16, 1000, 1, "bytea", "bool"),
        TypeRow("int2", 21, 1005, 2, "bytea", "int"),
        TypeRow("int4", 23, 1007, 4, "bytea", "int"),
        TypeRow("int8", 20, 1016, 8, "bytea", "int"),
        TypeRow("float4", 700, 1021, 4, "bytea", "float4"),
        TypeRow("float8", 701, 1022, 8, "bytea", "float8"),
        TypeRow("numeric", 1700, 1231, -1, "bytea", "numeric"),
        TypeRow("date", 1082, 1182, 4, "bytea", "date"),
        TypeRow("time", 1083, 1183, 8, "bytea", "time"),
        TypeRow("timestamp", 1114, 1115, 8, "bytea", "timestamp"),
        TypeRow("timestamptz", 1184, 1185, 8, "bytea", "timestamptz"),
        # '1 day' equals '24 hours' but prints differently: no canonical form has both.
        TypeRow("interval", 1186, 1187, 16, "bytea", "interval", deterministic=False),
        TypeRow("uuid", 2950, 2951, 16, "bytea", "uuid"),
        # json has no equality; jsonb's 1 equals 1.0 but prints differently.
        TypeRow("json", 114, 199, -1, "json", "json", deterministic=False),
        TypeRow("jsonb", 3802, 3807, -1, "jsonb", "jsonb", deterministic=False),
        TypeRow("inet", 869, 1041, -1, "bytea", "inet"),
    )
}

BY_OID: dict[int, tuple[str, bool]] = {
    **{row.oid: (row.name, False) for row in TYPES.values()},
    **{row.array_oid: (row.name, True) for row in TYPES.values()},
}

# The spellings of SQL, beside the catalogue's own names.
ALIASES = {
    "character varying": "varchar",
    "char": "bpchar",
    "character": "bpchar",
    "boolean": "bool",
    "smallint": "int2",
    "int": "int4",
    "integer": "int4",
    "bigint": "int8",
    "real": "float4",
    "double precision": "float8",
    "float": "float8",
    "decimal": "numeric",
    "time without time zone": "time",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
}

_SPELLING = re.compile(r"\s*([a-z][a-z0-9 ]*?)\s*(?:\(\s*(\d+)\s*(?:,\s*(-?\d+)\s*)?\))?\s*(\[\s*\])?\s*\Z")
_LENGTH_LIMIT = 10_485_760  # MaxAttrSize, the limit of varchar(n) and char(n)


@dataclass(frozen=True, slots=True)
class LogicalType:
    """A type as the application sees it: catalogue name, `atttypmod` (-1: none), whether an array."""

    name: str
    modifier: int = -1
    array: bool = False

    @property
    def row(self) -> TypeRow:
        return TYPES[self.name]

    @property
    def oid(self) -> int:
        return self.row.array_oid if self.array else self.row.oid

    @property
    def typlen(self) -> int:
        return -1 if self.array else self.row.typlen

    @property
    def storage(self) -> str:
        """Catalogue name of the column's storage type: text, varchar, bpchar, json, jsonb or bytea."""
        return "bytea" if self.array else self.row.storage

    @property
    def family(self) -> str:
        """What the associated data names: types of one family have the same canonical bytes."""
        return self.row.family + ("[]" if self.array else "")

    @property
    def deterministic(self) -> bool:
        """Whether equality of values is equality of canonical bytes (numeric: given a fixed scale)."""
        if self.array:  # arrays compare dimensions and NULL elements too: bytes would do, scales would not
            return self.row.deterministic and self.element.deterministic
        if self.name == "numeric":
            return self.modifier >= 0
        return self.row.deterministic

    @property
    def element(self) -> LogicalType:
        return LogicalType(self.name, self.modifier)

    @property
    def array_of(self) -> LogicalType:
        return LogicalType(self.name, self.modifier, array=True)

    @property
    def length(self) -> int | None:
        """Characters of varchar(n) and char(n); None without a limit."""
        if self.name in ("varchar", "bpchar") and self.modifier >= 4:
            return self.modifier - 4
        return None

    @property
    def precision_scale(self) -> tuple[int, int] | None:
        """Digits in all and after the point of numeric(p, s); None without a limit."""
        if self.name != "numeric" or self.modifier < 4:
            return None
        packed = self.modifier - 4
        scale = packed & 0x7FF
        return (packed >> 16) & 0xFFFF, (scale ^ 1024) - 1024

    def __str__(self) -> str:
        suffix = ""
        if (length := self.length) is not None:
            suffix = f"({length})"
        elif (digits := self.precision_scale) is not None:
            suffix = f"({digits[0]},{digits[1]})"
        elif self.modifier >= 0:
            suffix = f"({self.modifier})"
        name = "char" if self.name == "bpchar" else self.name
        return f"{name}{suffix}{'[]' if self.array else ''}"

    @classmethod
    def parse(cls, spelling: str) -> LogicalType:
        """Read a type as SQL spells it: `varchar(50)`, `numeric(10, 2)`, `integer[]`.

        Raises ValueError, with a message for the policy's author, for a type that pgveil cannot protect.
        """
        match = _SPELLING.match(spelling.lower())
        if match is None:
            raise ValueError(f"cannot read the type {spelling!r}")
        written, first, second, brackets = match.groups()
        written = " ".join(written.split())
        name = ALIASES.get(written, written)
        if name not in TYPES:
            raise ValueError(f"type {spelling!r} cannot be protected (supported: {', '.join(TYPES)})")
        if written in ("char", "character") and first is None:
            first = "1"
        return cls(name, _modifier(name, first, second), array=brackets is not None)

    @classmethod
    def from_catalog(cls, oid: int, modifier: int) -> LogicalType | None:
        """The logical type of a column by `atttypid` and `atttypmod`; None if it cannot be protected."""
        if (known := BY_OID.get(oid)) is None:
            return None
        name, array = known
        return cls(name, modifier, array)


def _modifier(name: str, first: str | None, second: str | None) -> int:
    """`atttypmod` of a type written with its limits in parentheses."""
    if first is None:
        return -1
    number = int(first)
    if name in ("varchar", "bpchar") and second is None and 1 <= number <= _LENGTH_LIMIT:
        return number + 4
    if name == "numeric":
        scale = int(second or 0)
        if 1 <= number <= 1000 and -1000 <= scale <= 1000:
            return ((number << 16) | (scale & 0x7FF)) + 4
    if name in ("time", "timestamp", "timestamptz") and second is None and number <= 6:
        return number
    raise ValueError(f"type {name} cannot have the limit ({first}{', ' + second if second else ''})")
