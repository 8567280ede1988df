"""What one walk over a statement knows and collects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from policy.binding import TABLE_KINDS, Binding, BoundField
from policy.catalog import SYSTEM_SCHEMAS, Relation
from policy.model import Field
from policy.types import TYPES, LogicalType
from proxy.errors import Refused
from proxy.sql.literal import LITERAL_TOKENS
from proxy.sql.parse import Node, Parsed, ast
from proxy.sql.plan import Effect, Results, Role, SetSearchPath, TextPlan
from proxy.sql.roles import Roles
from proxy.sql.scope import Columns, Item, Scope, Source, relation_columns
from proxy.sql.value import CastSite

SERVER_SCHEMAS = SYSTEM_SCHEMAS | {"pg_toast", "pg_temp"}


APART = "Send it apart from the statement that makes it, and after that."


class Apart(Refused):
    """Refused for the statements that stand in one text with it: alone it may be another matter."""


class Unseen(Apart):
    """The open transaction, or the text itself, has changed what a name means, and that was not seen yet."""

    def __init__(
        self,
        message: str = "the catalogue was changed in a transaction that is still open",
        *,
        sqlstate: str | None = None,
        detail: str | None = "What the statement means now has not been seen by pgveil.",
        hint: str | None = APART,
    ) -> None:
        super().__init__(message, sqlstate=sqlstate, detail=detail, hint=hint)


class MaybeOld(Refused):
    """A refusal because of what the snapshot shows: it holds where the catalogue was read again for it."""


class UnreadView(MaybeOld):
    """A view whose definition could not be read with the catalogue."""

    def __init__(self, view: Relation) -> None:
        super().__init__(
            f'the definition of view "{view.schema}.{view.name}" cannot be read now',
            detail="It may lead to protected columns.",
            hint="Somebody has locked it, or search_path has a schema before pg_catalog: try again.",
        )


class UnknownRelations(Exception):
    """Names that the catalogue's snapshot lacks: it has to be read again before the statement is judged."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__("unknown relations")
        self.names = names


@dataclass(slots=True)
class Context:
    """Shared by the passes over one statement text.

    `search_path` None: not known, so that an unqualified name may mean any relation of that name.
    `prepared` and `cursors` answer from the session; a plan that asked them is not cached.
    """

    parsed: Parsed
    binding: Binding
    search_path: tuple[str, ...] | None
    views: Callable[[Relation], Columns]
    query: Callable[[Context, Scope, Node], Item]
    mentions: Callable[[str], bool]
    prepared: Callable[[str], TextPlan | None] = lambda name: None
    cursors: Callable[[str], Results | None] = lambda name: None
    unseen: bool = False  # the open transaction has changed the catalogue, which was not looked at since
    path_unsettled: bool = False  # whether the open transaction has changed search_path
    roles: Roles = field(default_factory=Roles)
    unknown: set[str] = field(default_factory=set)  # relations and functions that the snapshot lacks
    unknown_columns: bool = False
    # of those, the ones that the policy protects: as they are written, and by their full names
    future_columns: list[tuple[str, str]] = field(default_factory=list)
    future: list[tuple[str, str]] = field(default_factory=list)
    surplus: bool = False  # more values than columns, for a table of the policy
    pinned: set[int] = field(default_factory=set)  # literals whose value the plan depends on
    session_dependent: bool = False
    judged_calls: set[int] = field(default_factory=set)  # offsets of calls whose arguments were looked at
    bare_call: Node = None  # the target of a statement that is nothing but SELECT function()
    changed: frozenset[str] = frozenset()  # relations and functions that this text has changed the meaning of
    altered: set[int] = field(default_factory=set)  # oids of relations to which it gives columns or children
    all_altered: bool = False  # or it may have given any relation other columns, by CASCADE
    changing_views: frozenset[int] = frozenset()  # oids of views that call a function which may set the path
    effects: list[Effect] = field(default_factory=list)
    type_edits: dict[int, tuple[int, str]] = field(default_factory=dict)  # types in DDL
    tested: dict[int, Role] = field(default_factory=dict)  # booleans as conditions, by offset
    touched: set[BoundField] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    # --- search_path ------------------------------------------------------------------------------------

    def called(self, name: str) -> None:
        """A function of this name is called, in any schema: one that may change search_path may do so."""
        self.look()
        catalog = self.binding.catalog
        if name in catalog.path_changers or name in self.changed:
            self.lose_search_path()
        elif catalog.functions is not None and name not in catalog.functions:
            self.unknown.add(name)

    @property
    def listed_functions(self) -> set[str]:
        """The names of functions whose arguments and results the policy describes."""
        return {function.name for function in self.binding.policy.functions.values()}

    def lose_search_path(self) -> None:
        """The statement may leave another search_path behind."""
        self.effects.append(SetSearchPath(None, known=False))

    # --- names ------------------------------------------------------------------------------------------

    def look(self) -> None:
        """The catalogue is about to be asked. Raises Unseen where it is not as the transaction sees it."""
        if self.unseen:
            raise Unseen

    def relation(self, node: Node) -> Relation | None:
        """The relation that a name means; None for one that cannot hold a protected column.

        A name that is not in the snapshot is noted in `unknown`. Raises Refused where an unqualified name
        may or may not mean a protected relation.
        """
        name, schema = node.relname, node.schemaname
        if schema and (schema in SERVER_SCHEMAS or schema.startswith("pg_temp")):
            return None
        self.look()
        catalog = self.binding.catalog
        if name in self.changed:
            raise Unseen(
                f'relation "{name}" is changed by the same text',
                detail="What it is then cannot be seen by pgveil yet, and it may hold protected columns.",
            )
        if schema:
            found = catalog.lookup(schema, name)
        elif self.search_path is None:
            found = self._anywhere(name)
        else:
            found = catalog.find(name, self.search_path)
        if found is not None:
            self._refuse_altered(found)
        if found is not None and found.kind not in TABLE_KINDS:
            self._refuse_stand_in(found)
            if found.oid in self.changing_views:
                self.lose_search_path()
        if found is None and not (name.startswith("pg_") and not schema):
            self.unknown.add(name)
            self._note_future(schema, name)
        return found

    def _refuse_altered(self, relation: Relation) -> None:
        """Which columns it has by now is not known: no concern of a text without protected names."""
        if not self.altered and not self.all_altered:
            return
        concerned = self.all_altered or any(one.oid in self.altered for one in self._family(relation))
        if concerned and self.mentions(self.parsed.text):
            raise Unseen(
                f'the columns of relation "{relation.name}" are changed by the same text',
                detail="Which of them are protected then cannot be seen by pgveil yet.",
                hint=APART,
            )

    def gains_child(self, parent: Relation) -> None:
        """Rows that are written to it, and to its own parents, may now be kept where more is protected."""
        self.altered.update(one.oid for one in self._family(parent))

    def missing_column(self, relation: Relation) -> None:
        """A column that the policy names and nobody knows may have come, if the text has its name.

        Whatever that seems to mean: the new column may stand before another one of the same name.
        """
        missing = self._missing(relation)
        self.unknown_columns |= bool(missing) and any(
            _identifier(token.text) in missing or token.name == "UIDENT" for token in self.parsed.tokens
        )

    def _missing(self, relation: Relation) -> set[str]:
        """The columns that the policy names and the snapshot lacks."""
        return self.fields_of(relation).keys() - {column.name for column in relation.columns}

    def _family(self, relation: Relation) -> Iterator[Relation]:
        """A relation, and those that it has its columns from."""
        yield relation
        yield from self.binding.catalog.ancestors(relation)

    def fields_of(self, relation: Relation) -> dict[str, Field]:
        """What the policy says of its columns, or of those of its parents, whether they exist or not."""
        tables = self.binding.policy.tables
        found: dict[str, Field] = {}
        for one in self._family(relation):
            found = {**tables.get((one.schema, one.name), {}), **found}
        return found

    def _refuse_stand_in(self, relation: Relation) -> None:
        """A view under a protected table's name stands where the policy expects ciphertext."""
        if (relation.schema, relation.name) in self.binding.policy.tables:
            raise Refused(
                f'"{relation.schema}.{relation.name}" is protected by the policy, but it is not a table',
                hint="Name the table that holds the rows in the policy.",
            )

    def _anywhere(self, name: str) -> Relation | None:
        candidates = self.binding.catalog.named(name)
        if len(candidates) > 1 and any(self.binding.of(r) or r.kind in "vm" for r in candidates):
            raise Refused(
                f'relation "{name}" exists in several schemas and search_path is not known',
                hint="Write the schema before the table's name, or set search_path to a constant.",
            )
        return candidates[0] if candidates else None

    def _note_future(self, schema: str | None, name: str) -> None:
        """A table that the policy protects and the snapshot lacks may be one that nobody else sees yet."""
        for known_schema, table in self.binding.policy.tables:
            reachable = known_schema == schema if schema else self._reachable(known_schema)
            if table == name and reachable:
                written = f"{schema}.{name}" if schema else name
                self.future.append((written, f"{known_schema}.{table}"))

    def unknown_column(self, name: str, sources: Iterable[Source], written: str) -> None:
        """A column that no source has: the snapshot is old, or only this transaction sees it, or nobody.

        `written`: how PostgreSQL's error would name it.
        """
        self.unknown_columns = True
        for source in sources:
            relation = source.relation
            if relation is None:
                continue
            if (found := self.fields_of(relation).get(name)) is not None:
                self.future_columns.append((written, str(found)))

    def more_values(self, relation: Relation | None) -> None:
        """More values than the columns that are known: the snapshot is old, or the server will refuse it."""
        if relation is not None:
            self.unknown_columns = True
            self.surplus |= (relation.schema, relation.name) in self.binding.policy.tables

    def all_columns(self, relation: Relation | None) -> None:
        """All columns are meant, however many: one that the policy names and nobody knows may have come."""
        if relation is not None:
            self.unknown_columns |= bool(self._missing(relation))

    def _reachable(self, schema: str) -> bool:
        return self.search_path is None or schema in self.search_path

    def bound(self, relation: Relation) -> dict[str, BoundField]:
        """The protected columns of a table. Raises Refused later, where a field's storage cannot hold it."""
        return {
            name: bound
            for name, bound in self.binding.of(relation).items()
            if bound.problem is None or not bound.field.plaintext_allowed
        }

    def columns(self, relation: Relation) -> Columns:
        """The columns of a table or view."""
        if relation.kind in "vm":
            return self.views(relation)
        return relation_columns(relation, self.bound(relation))

    # --- types --------------------------------------------------------------------------------------------

    def cast_site(self, node: Node) -> CastSite | None:
        """Where a type's name stands in the text, and what it is; None for a type that is not written."""
        start = node.location
        index = self.parsed.token_at(start) if start is not None and start >= 0 else None
        if index is None:
            return None
        end = self.type_end(index)
        while index < len(self.parsed.tokens) and self.parsed.tokens[index].start < end:
            if (
                self.parsed.tokens[index].name in LITERAL_TOKENS
            ):  # a limit decides whether the cast is allowed
                self.pinned.add(self.parsed.tokens[index].start)
            index += 1
        return CastSite(start, end, logical_type(node))

    def type_end(self, index: int) -> int:
        """End offset of the type's name whose first token is `index` (PostgreSQL's grammar, `Typename`)."""
        tokens = self.parsed.tokens
        words = ("double", "precision", "varying", "character", "char", "national", "nchar", "bit", "setof")
        last = index
        while tokens[last].text.lower() in words and _text(tokens, last + 1) in words:
            last += 1
        while _text(tokens, last + 1) == ".":
            last += 2
        if _text(tokens, last + 1) == "(":
            last = _closing(tokens, last + 1, "(", ")")
        if _text(tokens, last + 1) in ("with", "without") and _text(tokens, last + 2) == "time":
            last += 3
        if _text(tokens, last + 1) == "array":
            last += 1
        while _text(tokens, last + 1) == "[":
            last = _closing(tokens, last + 1, "[", "]")
        return tokens[last].end


def _identifier(text: str) -> str:
    """A name as the catalogue holds it. Source: PostgreSQL's rules for identifiers (4.1.1 of its manual)."""
    return text[1:-1].replace('""', '"') if text.startswith('"') else text.lower()


def _text(tokens: tuple[Node, ...], index: int) -> str:
    return tokens[index].text.lower() if index < len(tokens) else ""


def _closing(tokens: tuple[Node, ...], index: int, opening: str, closing: str) -> int:
    depth = 0
    for i in range(index, len(tokens)):
        depth += (tokens[i].text == opening) - (tokens[i].text == closing)
        if depth == 0:
            return i
    return len(tokens) - 1


def logical_type(node: Node) -> LogicalType | None:
    """The logical type that a TypeName spells; None if pgveil does not know it."""
    names = [part.sval for part in node.names or ()]
    if not names or (len(names) == 2 and names[0] != "pg_catalog") or len(names) > 2 or node.setof:
        return None
    if (
        names[-1] not in TYPES
    ):  # the grammar has turned SQL's spellings into these; what is left was quoted: "char"
        return None
    limits = []
    for modifier in node.typmods or ():
        if not (isinstance(modifier, ast.A_Const) and isinstance(modifier.val, ast.Integer)):
            return None
        limits.append(str(modifier.val.ival))
    spelling = names[-1] + (f"({','.join(limits)})" if limits else "") + ("[]" if node.arrayBounds else "")
    if names[-1] == "interval" and limits:
        return None
    try:
        return LogicalType.parse(spelling)
    except ValueError:
        return None


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below a node, or in a (nested) list."""
    if isinstance(node, ast.Node):
        for name in node:
            value = getattr(node, name)
            if isinstance(value, ast.Node | tuple):
                yield from _flat(value)
    elif isinstance(node, tuple):
        yield from _flat(node)


def _flat(value: Node) -> Iterator[Node]:
    if isinstance(value, tuple):
        for item in value:
            yield from _flat(item)
    elif isinstance(value, ast.Node):
        yield value


def descendants(node: Node) -> Iterator[Node]:
    """A node and every node below it."""
    waiting = list(_flat(node))
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(children(current))


def refuse_statement(message: str, hint: str, detail: str | None = None) -> NoReturn:
    """Refuse a statement as a whole."""
    raise Refused(message, hint=hint, detail=detail)
