"""References to relations of the catalogue, and the edits that put derived tables in their place.

Where a statement does with such a relation what a derived table cannot do, it stays as it came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pglast.enums import JoinType, ObjectType

from policy.catalog import Catalog, Relation
from proxy.sql.context import children, descendants
from proxy.sql.parse import Node, Parsed, Token, ast, parses
from proxy.sql.scope import SYSTEM_COLUMNS

Table = Callable[[Relation], str | None]
Edits = dict[int, tuple[int, str]]  # start -> end, text

_KEY = frozenset({"attrelid", "attnum"})  # the primary key of pg_attribute


class _Impossible(Exception):
    """A derived table cannot stand here."""


@dataclass(frozen=True, slots=True)
class _Reference:
    """A relation in FROM that is replaced by `text`, and the name that it has in the statement."""

    node: Node
    relation: Relation
    text: str

    @property
    def name(self) -> str:
        return str(self.node.relname if self.node.alias is None else self.node.alias.aliasname)


def redirect(
    parsed: Parsed, catalog: Catalog, table: Table, search_path: Sequence[str] | None, changed: frozenset[str]
) -> Edits:
    """The edits of a text's queries. `changed`: relations that are not what the catalogue says."""
    edits: Edits = {}
    for node in parsed.statements:
        query = _query(node)
        if query is not None:
            edits |= _edits(_Statement(parsed, query, catalog, table, search_path, changed))
    return edits if edits and parses(_applied(parsed.text, edits)) else {}


def redirected(
    parsed: Parsed, catalog: Catalog, table: Table, search_path: Sequence[str], *, qualify: bool
) -> str | None:
    """A view's definition with its relations replaced; None where that cannot be.

    `qualify`: a name without schema, which is one of pg_catalog there, gets it.
    """
    statement = _Statement(parsed, parsed.statements[0], catalog, table, search_path, frozenset())
    edits = _edits(statement)
    if not edits:
        return None
    for node in statement.nodes(ast.RangeVar) if qualify else ():
        if not node.schemaname and node.location not in edits and node.relname not in statement.common:
            edits[node.location] = (node.location, "pg_catalog.")
    return _applied(parsed.text, edits)


def _query(node: Node) -> Node | None:
    """The query of a statement that reads when it runs; None for one that the server keeps."""
    if isinstance(node, ast.ExplainStmt | ast.DeclareCursorStmt | ast.PrepareStmt):
        return _query(node.query)
    if isinstance(node, ast.CopyStmt):
        return node.query
    if isinstance(node, ast.CreateTableAsStmt):
        return node.query if node.objtype == ObjectType.OBJECT_TABLE else None
    queries = ast.SelectStmt | ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt | ast.MergeStmt
    return node if isinstance(node, queries) else None


def _applied(text: str, edits: Edits) -> str:
    parts, position = [], 0
    for start, (end, new) in sorted(edits.items()):
        parts += [text[position:start], new]
        position = end
    return "".join([*parts, text[position:]])


# --- what a statement refers to --------------------------------------------------------------------------


class _Statement:
    """One query: its nodes, and the relations in its FROM clauses that are replaced."""

    def __init__(
        self,
        parsed: Parsed,
        root: Node,
        catalog: Catalog,
        table: Table,
        search_path: Sequence[str] | None,
        changed: frozenset[str],
    ) -> None:
        self.tokens = parsed.tokens
        self.token_at = parsed.token_at
        self.pairs = list(_walk(root, None))
        self.common = {node.ctename for node in self.nodes(ast.CommonTableExpr)}
        self._catalog = catalog
        self._table = table
        self._search_path = search_path
        self._changed = changed
        self.references = [found for node in self._in_from() if (found := self._reference(node)) is not None]

    def nodes(self, kind: type) -> list[Node]:
        return [node for node, _ in self.pairs if isinstance(node, kind)]

    def _in_from(self) -> Iterator[Node]:
        for node, _ in self.pairs:
            if isinstance(node, ast.SelectStmt | ast.UpdateStmt):
                yield from _tables(node.fromClause)
            elif isinstance(node, ast.DeleteStmt):
                yield from _tables(node.usingClause)
            elif isinstance(node, ast.MergeStmt):
                yield from _tables((node.sourceRelation,))

    def _reference(self, node: Node) -> _Reference | None:
        relation = self.relation(node)
        text = self._table(relation) if relation is not None and node.inh else None  # not inh: ONLY
        return _Reference(node, relation, text) if relation is not None and text is not None else None

    def relation(self, node: Node) -> Relation | None:
        """What a name of FROM means, as far as the catalogue of the server's own relations goes."""
        name, catalog, path = node.relname, self._catalog, self._search_path
        if node.catalogname and node.catalogname != catalog.database:
            return None  # which the server refuses
        if node.schemaname:
            return catalog.lookup(node.schemaname, name)
        if name in self.common or name in self._changed:
            return None
        if path is None:
            found = catalog.named(name)
            return found[0] if len(found) == 1 else None
        if "pg_catalog" in path[1:]:
            return None  # what stands before it may hide functions and operators, too
        return catalog.find(name, path)


def _walk(node: Node, parent: Node) -> Iterator[tuple[Node, Node]]:
    """Every node with the one that it belongs to."""
    waiting = [(node, parent)]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend((child, current[0]) for child in children(current[0]))


def _tables(items: Node) -> Iterator[Node]:
    """The tables among the items of FROM, and in its joins."""
    for item in items or ():
        if isinstance(item, ast.RangeVar):
            yield item
        elif isinstance(item, ast.JoinExpr):
            yield from _tables((item.larg, item.rarg))


# --- edits -----------------------------------------------------------------------------------------------


def _edits(statement: _Statement) -> Edits:
    """The edits of one query; none where one of its constructs does not go with them."""
    if not statement.references:
        return {}
    try:
        _require_possible(statement)
        edits = dict(_table_edit(statement, reference) for reference in statement.references)
        for node, parent in statement.pairs:
            if isinstance(node, ast.ColumnRef):
                edits.update(_column_edit(statement, node, parent))
    except _Impossible:
        return {}
    return edits


def _require_possible(statement: _Statement) -> None:
    attributes = {id(r.node) for r in statement.references if r.relation.name == "pg_attribute"}
    unnamed = {r.name: r.relation.oid for r in statement.references if r.node.alias is None}
    for node in statement.nodes(ast.RangeVar):
        if node.alias is None and node.relname in unnamed:
            other = statement.relation(node)
            if other is None or other.oid != unnamed[node.relname]:
                raise _Impossible  # two relations of one name, told from each other by their schemas
    for node in statement.nodes(ast.SelectStmt):
        if node.lockingClause:
            raise _Impossible
        if node.groupClause and any(id(item) in attributes for item in _tables(node.fromClause)):
            grouped = {_names(item)[-1] for item in descendants(node.groupClause) if _is_column(item)}
            if grouped >= _KEY:
                raise _Impossible  # what is grouped by a primary key may show all columns


def _table_edit(statement: _Statement, reference: _Reference) -> tuple[int, tuple[int, str]]:
    node = reference.node
    parts = [name for name in (node.catalogname, node.schemaname, node.relname) if name]
    first, last = _span(statement, node.location, len(parts))
    tokens, text = statement.tokens, reference.text
    if last + 1 < len(tokens) and tokens[last + 1].text == "*":
        raise _Impossible
    if node.alias is None:
        text += f" AS {_quoted(node.relname)}"
    start = tokens[first].start
    if first > 0 and tokens[first - 1].name == "TABLE":
        start, text = tokens[first - 1].start, f"SELECT * FROM {text}"  # noqa: S608
    return start, (tokens[last].end, text)


def _column_edit(statement: _Statement, node: Node, parent: Node) -> Edits:
    """A name that a derived table does not answer to, and a row that has to have the relation's type."""
    names = _names(node)
    if names[-1] in SYSTEM_COLUMNS and (len(names) == 1 or _source(statement, names[:-1]) is not None):
        raise _Impossible
    starred = names[-1] == "*"
    if (starred and len(names) > 1) or len(names) == 1:
        source = _source(statement, names[:-1] if starred else names)
        expanded = starred and isinstance(parent, ast.ResTarget | ast.RowExpr)
        if source is not None and not expanded:
            return _row_edit(statement, source, node, parent, len(names))
    if len(names) > 2 and (source := _source(statement, names[:-1])) is not None:
        first, last = _span(statement, node.location, len(names))
        own = statement.tokens[last - 2]  # in place of all, so that an error's position is the beginning
        return {statement.tokens[first].start: (own.end, own.text)}
    return {}


def _row_edit(statement: _Statement, source: _Reference, node: Node, parent: Node, width: int) -> Edits:
    """A whole row as a function's argument, if nothing else can be meant by its name."""
    if width == 1 or not isinstance(parent, ast.FuncCall) or _aliases(statement).count(source.name) > 1:
        raise _Impossible
    if any(node is source.node for node in _nullable(statement)):
        raise _Impossible
    first, last = _span(statement, node.location, width)
    relation = source.relation
    text = f"ROW({_quoted(source.name)}.*)::{_quoted(relation.schema)}.{_quoted(relation.name)}"
    return {statement.tokens[first].start: (statement.tokens[last].end, text)}


def _nullable(statement: _Statement) -> list[Node]:
    """The tables whose rows an outer join may leave out."""
    found: list[Node] = []
    for join in statement.nodes(ast.JoinExpr):
        if join.jointype in (JoinType.JOIN_LEFT, JoinType.JOIN_FULL):
            found += _tables((join.rarg,))
        if join.jointype in (JoinType.JOIN_RIGHT, JoinType.JOIN_FULL):
            found += _tables((join.larg,))
    return found


def _aliases(statement: _Statement) -> list[str]:
    """Every name that something has in a FROM of the statement."""
    named = [node.alias.aliasname for node, _ in statement.pairs if getattr(node, "alias", None) is not None]
    tables = [node.relname for node in statement.nodes(ast.RangeVar) if node.alias is None]
    return [*named, *tables, *statement.common]


def _source(statement: _Statement, names: list[str]) -> _Reference | None:
    """The replaced relation that a qualifier names."""
    for reference in statement.references:
        own = (reference.relation.schema, reference.name)
        if names[-1:] == [reference.name] and (
            len(names) == 1 or (reference.node.alias is None and names[-2] == own[0])
        ):
            return reference
    return None


def _is_column(node: Node) -> bool:
    return isinstance(node, ast.ColumnRef)


def _names(node: Node) -> list[str]:
    return [part.sval if isinstance(part, ast.String) else "*" for part in node.fields]


def _span(statement: _Statement, offset: int, parts: int) -> tuple[int, int]:
    """The first and last token of a name of so many parts. Raises _Impossible for another spelling."""
    first = statement.token_at(offset)
    if first is None:
        raise _Impossible
    last = first + 2 * (parts - 1)
    tokens: Sequence[Token] = statement.tokens[first : last + 1]
    if len(tokens) != 2 * parts - 1 or any(token.text != "." for token in tokens[1::2]):
        raise _Impossible
    if any(token.name == "UIDENT" for token in tokens):
        raise _Impossible
    return first, last


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
