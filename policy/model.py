"""The policy as loaded: which columns are protected, and how. Frozen; no YAML and no catalogue here."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from policy.names import qualified
from policy.rotation import DAY, KeyRules, Rotation
from policy.types import LogicalType


class Mode(enum.Enum):
    """How a field is protected."""

    RANDOMIZED = "randomized"  # equal values have different ciphertexts
    DETERMINISTIC = "deterministic"  # equal values have equal ciphertexts, so that they can be compared


# The algorithms of each mode; the first is the default. Names are those of the keystore.
ALGORITHMS: Mapping[Mode, tuple[str, ...]] = {
    Mode.RANDOMIZED: ("aes-256-gcm", "chacha20-poly1305"),
    Mode.DETERMINISTIC: ("aes-siv",),
}


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a configuration file, counted from 1. Line 0: no file, but what `file` says."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


# What an algorithm is called where each value has a key of its own (`record_key: true`).
RECORD_KEY = "-record"


@dataclass(frozen=True, slots=True)
class FieldClass:
    """A named kind of data, shared by fields. `algorithm` also says whether each value has its own key."""

    name: str
    sensitivity: str
    mode: Mode
    algorithm: str
    null_if_destroyed: bool = False  # what a value reads as whose key was destroyed: NULL, or an error
    rotate_every: float = 30 * DAY  # seconds after which its keys get a new version; inf is never


@dataclass(frozen=True, slots=True)
class Field:
    """One protected column. `type` is the logical type the policy names; None means the column's own."""

    schema: str
    table: str
    column: str
    id: str
    key: str | None
    field_class: FieldClass
    type: LogicalType | None
    plaintext_allowed: bool
    location: Location = field(compare=False)  # where it is written changes nothing about it
    null_if_destroyed: bool = False

    @property
    def mode(self) -> Mode:
        return self.field_class.mode

    @property
    def algorithm(self) -> str:
        return self.field_class.algorithm

    @property
    def key_name(self) -> str:
        """The name of the field's encryption key, which the associated data holds."""
        return self.key or self.id

    @property
    def dek_name(self) -> str:
        """The name of the data encryption key that the field's key is made from."""
        return self.key or qualified(self.schema, self.table)

    def is_alike(self, other: Field) -> bool:
        """Whether both protect a column in the same way: a value sealed as one is a value of the other."""
        return (self.key_name, self.field_class, self.type, self.plaintext_allowed) == (
            other.key_name,
            other.field_class,
            other.type,
            other.plaintext_allowed,
        )

    def __str__(self) -> str:
        return qualified(self.schema, self.table, self.column)


@dataclass(frozen=True)
class FunctionFields:
    """What of a function's arguments and results are values of fields.

    `args`: by a parameter's name, or its position ("1" is the first); of a composite, or an array of them, by
    attribute. `returns`: of a scalar its field, of a row its columns'.
    """

    schema: str
    name: str
    args: Mapping[str, Field | Mapping[str, Field]]
    returns: Field | Mapping[str, Field] | None
    location: Location = field(compare=False)

    def __str__(self) -> str:
        return qualified(self.schema, self.name)


@dataclass(frozen=True)
class Policy:
    """Every class and every field; tables by (schema, name), their fields by column name.

    `functions`: those that protected values may be given to, by (schema, name).
    `trusted_functions`: those whose code may name protected tables; "" for a schema: in any.
    `trusted_blocks`: bodies of DO that may, by their SHA-256 in hexadecimal.
    """

    classes: Mapping[str, FieldClass]
    tables: Mapping[tuple[str, str], Mapping[str, Field]]
    functions: Mapping[tuple[str, str], FunctionFields] = field(default_factory=dict)
    trusted_functions: frozenset[tuple[str, str]] = frozenset()
    trusted_blocks: frozenset[str] = frozenset()
    rotation: Rotation = field(default_factory=Rotation)
    keys: KeyRules = field(default_factory=KeyRules)
    audit_required: bool = False  # without an audit trail, nothing is done with protected fields

    @property
    def protects(self) -> bool:
        """Whether there is anything at all that it is about."""
        return bool(self.tables or self.functions)

    def fields(self) -> Iterator[Field]:
        for columns in self.tables.values():
            yield from columns.values()

    def find(self, schema: str, table: str, column: str) -> Field | None:
        return self.tables.get((schema, table), {}).get(column)
