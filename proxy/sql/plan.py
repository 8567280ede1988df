"""The statement plan: what to do with a text's literals and parameters, and with what comes back.

A plan is immutable, shared by sessions, and names fields, never roles or keys.
On the wire `$n` is not always `$n` as the client wrote it: a parameter with two roles is sent twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, Flag

from policy.binding import BoundField
from policy.types import LogicalType

# What a text is made of: (characters in the client's text, in the server's). Both are the same of what went
# as it came; what was replaced is (0, its new width) and (its old width, 0).
Widths = tuple[tuple[int, int], ...]


class Use(Flag):
    """What becomes of an open value, which decides how it is read.

    Stored, it has the field's limits; compared, it has what equals it there; shown, it stays as it is.
    """

    NONE = 0
    STORED = 1
    COMPARED = 2
    SHOWN = 4


@dataclass(frozen=True, slots=True)
class Record:
    """A composite value: which attributes, by index, are values of which fields."""

    members: tuple[tuple[int, BoundField], ...]


@dataclass(frozen=True, slots=True)
class Role:
    """What an open value stands for: a value (or an array of values) of a field, perhaps cast before.

    With `record`: a composite (or an array of them) whose attributes are values of fields, `field` the first.
    """

    field: BoundField
    array: bool = False
    cast: LogicalType | None = None
    use: Use = Use.STORED
    shown: LogicalType | None = None  # the type that it has where it is shown
    record: Record | None = None
    json: JsonRecords | None = None  # a document, whose members have roles; `field` is one of theirs

    @property
    def type(self) -> LogicalType:
        """The logical type that the application sees for a parameter of this role."""
        if self.json is not None:
            return LogicalType(self.json.kind)
        logical = self.cast or self.shown or self.field.type
        return logical.array_of if self.array and not logical.array else logical


@dataclass(frozen=True, slots=True)
class JsonRecords:
    """A JSON document, of one record or of `many`, that is sealed in parts: the roles of its members by name.

    Members of other `names` go as they came; what no column reads goes as null.
    """

    kind: str  # json or jsonb
    many: bool
    members: tuple[tuple[str, Role], ...]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Slot:
    """A literal's place in the template: which literal, its role, and what surrounds its ciphertext."""

    ordinal: int
    role: Role | None = None
    negative: bool = False  # the minus sign before the number belongs to the value
    lead: int = 0  # characters from the sign to the number
    fixed: str | None = None  # the value where it is a keyword (TRUE, FALSE) and no literal
    suffix: bytes = b""  # a cast to the storage type, where the literal had none
    blank: str = ""  # what stands for the literal, of which only matters that it is not NULL
    elements: tuple[Slot, ...] | None = None  # of ARRAY[...], which is one value then
    kind: str = ""  # the elements' type, "number" for the one that their size gives them, "" for the role's


@dataclass(frozen=True, slots=True)
class Constant:
    """A part of the text between literals, as it goes to the server; `widths`: of what it is made of."""

    text: str
    widths: Widths


@dataclass(frozen=True, slots=True)
class WireParameter:
    """A parameter as the server knows it: the client's parameter it is made from (0-based), and its role."""

    source: int
    role: Role | None = None


class Shape(Enum):
    """How a result column holds protected values."""

    SCALAR = "scalar"
    ARRAY = "array"
    JSON = "json"
    JSON_ARRAY = "json array"  # an array whose elements are documents
    DEFAULT = "default"  # anything, and perhaps the text of a DEFAULT that is ciphertext


@dataclass(frozen=True, slots=True)
class JsonMember:
    """A field whose values stand in a JSON document, and the type that they have there.

    `normal`: written as jsonb writes them; `indented`: arrays that json_agg() puts on lines of their own.
    """

    field: BoundField
    type: LogicalType
    normal: bool = False
    indented: bool = False


@dataclass(frozen=True, slots=True)
class DefaultText:
    """A DEFAULT as pg_get_expr() shows it: what its literal has in quotes, and what stands around that."""

    field: BoundField
    before: str
    sealed: str
    after: str
    text: str


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A result column that has to be opened: its fields, how it holds them, and the type it shows."""

    fields: tuple[BoundField, ...]
    shape: Shape
    type: LogicalType | None  # None for JSON, whose type on the wire stays
    members: tuple[JsonMember, ...] = ()  # of JSON
    # of DEFAULT; that others are made later does not make it another result
    defaults: tuple[DefaultText, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Results:
    """The predicted result columns. Columns after `gap` are counted from the end: a star of unknown width.

    `rest`: what each of those in the gap is.
    """

    columns: tuple[ResultColumn | None, ...]
    gap: int | None = None
    rest: ResultColumn | None = None

    def fit(self, width: int) -> tuple[ResultColumn | None, ...] | None:
        """The prediction for a result of so many columns; None if it cannot be that wide."""
        missing = width - len(self.columns)
        if self.gap is None:
            return self.columns if missing == 0 else None
        if missing < 0:
            return None
        return self.columns[: self.gap] + (self.rest,) * missing + self.columns[self.gap :]


@dataclass(frozen=True, slots=True)
class Described:
    """A RowDescription that was judged: the message for the client (None: as it came), and its formats.

    `results`, the prediction it was compared with, is held so that nothing else gets its id.
    """

    results: Results | None
    message: bytes | None
    formats: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """COPY between client and table (or query): direction, format options and the protected columns.

    `table` is the one that is filled, as errors name it.
    """

    to_server: bool
    columns: tuple[ResultColumn | None, ...]
    names: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    table: str = ""


# --- what a statement does to the session, applied when its CommandComplete arrives ----------------------


@dataclass(frozen=True, slots=True)
class SetSearchPath:
    """`value` None: back to the session's default; `known` False: set to something that is not known."""

    value: tuple[str, ...] | None
    local: bool = False
    known: bool = True


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that pgveil follows through ParameterStatus is about to change."""


@dataclass(frozen=True, slots=True)
class CatalogChange:
    """The catalogue changes: it is looked at again before the next statement is analysed.

    `names`: relations, some of which may mean protected columns now; `functions`: which may now change
    search_path. Nobody else can see either before the commit. `columns`: any relation may have others now.
    """

    names: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    columns: bool = False


@dataclass(frozen=True, slots=True)
class TransactionChange:
    """`kind`: begin, commit, rollback, savepoint, rollback_to, release."""

    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class PrepareName:
    """SQL PREPARE: the name now stands for `plan`, which is that of `text`."""

    name: str
    plan: TextPlan
    text: bytes


@dataclass(frozen=True, slots=True)
class DropName:
    """DEALLOCATE; None: all of them. `everything`: DISCARD ALL, which also resets settings."""

    name: str | None
    everything: bool = False


@dataclass(frozen=True, slots=True)
class DeclareCursor:
    """A cursor by its name; without `hold` it ends with the transaction. `binary`: its rows' format."""

    name: str
    results: Results | None
    hold: bool = False
    binary: bool = False


@dataclass(frozen=True, slots=True)
class CloseCursor:
    """CLOSE; None: all of them."""

    name: str | None


Effect = (
    SetSearchPath
    | SettingChange
    | CatalogChange
    | TransactionChange
    | PrepareName
    | DropName
    | DeclareCursor
    | CloseCursor
)


@dataclass(frozen=True, slots=True)
class StatementPlan:
    """One statement of a text: its result columns (None: nothing protected), COPY and effects."""

    results: Results | None = None
    copy: CopyPlan | None = None
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class TextPlan:
    """The plan of a whole text.

    `template` None: the text goes as it came. `parameters` None: parameters go as they came.
    `client_parameters`: how many parameters the client knows of (only counted where `parameters` is set).
    """

    statements: tuple[StatementPlan, ...]
    template: tuple[Constant | Slot, ...] | None = None
    parameters: tuple[WireParameter, ...] | None = None
    client_parameters: int = 0
    writes: frozenset[BoundField] = frozenset()
    by_name: bool = False  # it depends on what the session has given a name, such as that of a cursor

    plain: bool = field(init=False)  # neither text, parameters nor results hold anything protected
    quiet: bool = field(
        init=False
    )  # its results hold nothing protected, and it changes nothing of the session
    in_order: bool = field(init=False)  # the server's parameters are the client's, one by one
    protects: bool = field(init=False)  # values of fields are sealed by it, or opened

    @property
    def first(self) -> StatementPlan:
        """The statement of a text that has one; a text may also be empty."""
        return self.statements[0] if self.statements else PLAIN_STATEMENT

    def __post_init__(self) -> None:
        untouched = self.template is None and self.parameters is None
        quiet = all(statement == PLAIN_STATEMENT for statement in self.statements)
        object.__setattr__(self, "quiet", quiet)
        object.__setattr__(self, "plain", untouched and quiet)
        sources = [wire.source for wire in self.parameters or ()]
        object.__setattr__(self, "in_order", sources == list(range(self.client_parameters)))
        opened = any(statement.results or statement.copy for statement in self.statements)
        sealed = any(wire.role for wire in self.parameters or ()) or any(
            part.role or part.elements for part in self.template or () if isinstance(part, Slot)
        )
        object.__setattr__(self, "protects", opened or sealed)


PLAIN_STATEMENT = StatementPlan()
PLAIN = TextPlan((PLAIN_STATEMENT,))
