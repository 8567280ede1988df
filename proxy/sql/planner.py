"""From a statement text to its plan: cache, analysis, rewriting. One planner serves one binding."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from policy.binding import Binding, BoundField
from policy.catalog import Relation
from policy.server_code import in_any_spelling
from proxy.errors import Refused
from proxy.sql.cache import PlanCache
from proxy.sql.catalog_types import CatalogTypes
from proxy.sql.context import APART, Context, UnknownRelations, UnreadView, Unseen
from proxy.sql.default_texts import DefaultTexts
from proxy.sql.parse import Node, Parsed, SyntaxFailure, ast, parse
from proxy.sql.plan import (
    PLAIN,
    CatalogChange,
    Constant,
    DeclareCursor,
    Described,
    PrepareName,
    Results,
    SetSearchPath,
    SettingChange,
    StatementPlan,
    TextPlan,
    TransactionChange,
)
from proxy.sql.redirect import redirect
from proxy.sql.rewrite import literal_tokens, rewrite
from proxy.sql.roles import Roles
from proxy.sql.scope import Columns, Item, Scope
from proxy.sql.shape import Group, Split, literals_of, pieces_of, shape_of, split
from proxy.sql.statements import query, statement
from proxy.sql.value import PLAIN as PLAIN_VALUE
from proxy.sql.value import Value

_CACHEABLE = (ast.SelectStmt, ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt)
_LONG = 1 << 16  # bytes of a text that is not parsed unless it names something protected, nor kept
_TOO_LONG = 1 << 20  # bytes of a text that is not parsed even if it may change the session's settings
_MAY_CHANGE = re.compile(
    rb"(?i)\b(?:set|reset|discard|set_config|search_path|prepare|deallocate|declare|create|alter|drop|do|call"
    rb"|begin|start|commit|end|rollback|abort|savepoint|release|execute|fetch)\b"
)
_UNICODE_NAME = re.compile(r'[uU]&"')
_EXECUTE = re.compile(rb"(?i)\bexecute\b")
UNKNOWN = TextPlan(
    (StatementPlan(effects=(SetSearchPath(None, known=False), SettingChange(), CatalogChange())),)
)  # of a text that may do anything but touch what is protected
_REPEATED = 2_000  # texts without literals that are found without being split,
_SHORT = 2_000  # bytes of such a text at most
Names = frozenset[str]
_PASSES = 8  # each pass finds at least one new role; more than a few means a statement built to be slow


@dataclass(slots=True)
class SessionView:
    """What a plan may ask of the session: its search_path and the names that it has given."""

    search_path: tuple[str, ...] | None = ("public",)  # None: not known
    prepared: Callable[[str], TextPlan | None] = lambda name: None
    cursors: Callable[[str], Results | None] = lambda name: None
    unseen: bool = False  # the open transaction has changed the catalogue in a way that is not known
    path_unsettled: bool = False  # whether the open transaction has changed search_path


class Planned(NamedTuple):  # one is made for every statement, which a frozen dataclass would make dear
    """A plan, and the literals that fill its template."""

    plan: TextPlan
    literals: Sequence[bytes] = ()
    groups: Mapping[int, Group] = MappingProxyType({})  # rows of literals that follow a literal


@dataclass(frozen=True, slots=True)
class Analysis:
    """A plan, the offsets of the literals that it depends on (None: not to be kept), and all literals."""

    plan: TextPlan
    pinned: list[int] | None
    literals: list[bytes] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)


class Planner:
    """Plans for one binding of policy and catalogue; thrown away with it."""

    def __init__(self, binding: Binding) -> None:
        self.binding = binding
        self.cache = PlanCache()
        self.descriptions: dict[tuple[int, bytes], Described] = {}  # by id of the prediction, and body
        self._repeated: dict[tuple[tuple[str, ...] | None, bytes], Planned] = {}
        self.outdated_since_read = False
        self._views: dict[int, Columns | Refused] = {}
        self._names = _names_pattern(binding)
        self._default_texts = DefaultTexts(binding)
        self._catalog_types = CatalogTypes(binding, self._view_columns)
        self._changing_views = _changing_views(binding)
        self._calls = _calls_pattern(binding, self._changing_views)

    def outdated(self) -> Planner:
        """A planner of the same binding that plans nothing before the catalogue has been read again."""
        other = copy.copy(self)
        other.outdated_since_read = True
        other.cache = PlanCache()
        other._repeated = {}
        return other

    def plan(
        self, text: bytes, session: SessionView, *, final: bool = False, looked_for: Names = frozenset()
    ) -> Planned:
        """The plan of a UTF-8 text.

        Raises Refused (or another ServerError) for what cannot be proved safe, and UnknownRelations where the
        catalogue has to be read again first (`final`: it has been; `looked_for`: as far as these names go).
        """
        if session.unseen:
            return self._plan_anew(text, pieces_of(text), session, None if final else looked_for)
        path = session.search_path
        if (repeated := self._repeated.get((path, text))) is not None:
            return repeated
        pieces = pieces_of(text)
        if (entry := self.cache.get(path, shape_of(pieces))) is not None:
            plan = entry.plan or entry.plan_for(literals_of(pieces))
            if plan is not None:
                planned = Planned(plan, literals_of(pieces) if plan.template is not None else ())
                if len(pieces) == 1 and len(text) <= _SHORT:
                    self._repeat(path, text, planned)
                return planned
        return self._plan_anew(text, pieces, session, None if final else looked_for)

    def _repeat(self, path: tuple[str, ...] | None, text: bytes, planned: Planned) -> None:
        """Keep the plan of a text without literals: drivers that bind parameters send it byte for byte."""
        if _length(planned.plan) > 2 * _SHORT:
            return
        if len(self._repeated) >= _REPEATED:
            self._repeated.clear()
        self._repeated[path, text] = planned

    def _plan_anew(
        self, text: bytes, cut: list[bytes], session: SessionView, looked_for: Names | None
    ) -> Planned:
        if self.outdated_since_read and looked_for is not None:
            raise UnknownRelations(frozenset())
        pieces = split(cut)
        if pieces is not None and pieces.groups and not session.unseen:
            entry = self.cache.get(session.search_path, pieces.shape)
            plan = entry.plan or entry.plan_for(pieces.literals) if entry is not None else None
            if plan is not None:
                return Planned(plan, pieces.literals, pieces.groups)
        if len(text) > _LONG and not self.mentions_bytes(text):
            # too long to be worth a parse, and it names nothing protected
            constant = b"".join(pieces.parts) if pieces is not None else text
            if session.unseen:
                raise Unseen
            if not (_MAY_CHANGE.search(constant) or self._calls.search(constant)):
                return Planned(PLAIN)
            if len(constant) > _TOO_LONG:
                return _unparsed(constant)
        if pieces is not None and (planned := self._plan_split(pieces, session, looked_for)) is not None:
            return planned
        analysis = self._analyse(text.decode(), session, looked_for)
        return Planned(analysis.plan, analysis.literals)

    def _plan_split(self, pieces: Split, session: SessionView, looked_for: Names | None) -> Planned | None:
        """Plan a text that was split; None where PostgreSQL's scanner disagrees with the split."""
        text = pieces.text().decode()
        analysis = self._analyse(text, session, looked_for)
        offsets = _offsets(pieces)
        spans = [(start, start + len(pieces.literals[i].decode())) for start, i in offsets.items()]
        if spans != analysis.spans:
            return None
        if analysis.pinned is not None and len(text) <= _LONG and not session.unseen:
            pinned = [offsets[offset] for offset in analysis.pinned if offset in offsets]
            where = (session.search_path, pieces.shape, pieces.literals)
            self.cache.put(*where, pinned, analysis.plan, max(len(text), _length(analysis.plan)))
        return Planned(analysis.plan, pieces.literals, pieces.groups)

    # --- what a text mentions ---------------------------------------------------------------------------

    def mentions(self, text: str) -> bool:
        """Whether a text holds, in any spelling that it could be sent in, the name of something protected."""
        names = self._names.search
        return names(text) is not None or (
            _UNICODE_NAME.search(text) is not None and in_any_spelling(text, names)
        )

    def mentions_bytes(self, text: bytes) -> bool:
        return self.mentions(text.decode("utf-8", "replace"))

    # --- analysis ---------------------------------------------------------------------------------------

    def _analyse(self, text: str, session: SessionView, looked_for: Names | None) -> Analysis:
        """`looked_for` None: the whole catalogue was read again for this text."""
        try:
            parsed = parse(text)
        except SyntaxFailure:
            if self.mentions(text):
                raise
            if session.unseen:
                raise Unseen from None
            # newer syntax, or an error that the server words better; whatever it does, look again afterwards
            return Analysis(UNKNOWN, None)
        try:
            context, plans = self._passes(parsed, session)
        except UnreadView:
            if looked_for is None:
                raise
            raise UnknownRelations(frozenset()) from None
        if looked_for is not None and (context.unknown - looked_for or context.unknown_columns):
            raise UnknownRelations(frozenset(context.unknown - looked_for))
        self._require_known(context)
        return self._finish(context, plans)

    def _passes(self, parsed: Parsed, session: SessionView) -> tuple[Context, list[StatementPlan]]:
        roles = Roles()
        for _ in range(_PASSES):
            before = len(roles.by_offset)
            context = self._context(parsed, session, roles)
            plans = self._statements(context)
            if len(roles.by_offset) == before:
                return context, plans
        raise Refused("the statement's values depend on each other in too many ways")

    def _context(self, parsed: Parsed, session: SessionView, roles: Roles) -> Context:
        return Context(
            parsed,
            self.binding,
            session.search_path,
            self._view_columns,
            query,
            self.mentions,
            session.prepared,
            session.cursors,
            session.unseen,
            session.path_unsettled,
            roles,
            changing_views=self._changing_views,
        )

    def _statements(self, context: Context) -> list[StatementPlan]:
        """Judge the statements of a text in order: each sees what the ones before have set."""
        plans = []
        prepared: dict[str, TextPlan] = {}
        cursors: dict[str, Results | None] = {}
        outer_prepared, outer_cursors = context.prepared, context.cursors
        context.prepared = lambda name: prepared.get(name) or outer_prepared(name)
        context.cursors = lambda name: cursors[name] if name in cursors else outer_cursors(name)
        for node in context.parsed.statements:
            if isinstance(node, ast.PrepareStmt):
                plan = self._prepare(context, node)
            else:
                plan = statement(context, node)
            for effect in plan.effects:
                match effect:
                    case SetSearchPath():
                        context.search_path = effect.value if effect.known else None
                        context.path_unsettled = True
                    case TransactionChange(kind) if kind != "begin" and context.path_unsettled:
                        context.search_path = None  # back to whatever it was
                    case PrepareName(name, inner):
                        prepared[name] = inner
                    case DeclareCursor(name, results):
                        cursors[name] = results
                    case CatalogChange(names, functions):
                        context.changed |= names | functions
                    case _:
                        pass
            plans.append(plan)
        if len(plans) > 1 and any(isinstance(e, TransactionChange) for plan in plans for e in plan.effects):
            context.session_dependent = True  # what it brings back depends on the transaction it stands in
        return plans

    def _prepare(self, context: Context, node: Node) -> StatementPlan:
        """SQL PREPARE: its parameters are its own, so that it has to be a text of its own."""
        inner = statement(context, node.query)
        for _ in range(_PASSES):  # it is written anew here, for which its roles have to be complete
            before = len(context.roles.by_offset)
            inner = statement(context, node.query)
            if len(context.roles.by_offset) == before:
                break
        if context.roles.by_offset and len(context.parsed.statements) > 1:
            raise Refused(
                "PREPARE of a statement with protected values has to be sent alone",
                hint="Send it apart from other statements.",
            )
        rewritten = rewrite(context, prepare=True)
        plan = TextPlan((inner,), None, rewritten.parameters, rewritten.client_parameters)
        return StatementPlan(effects=(PrepareName(node.name, plan, _prepared_text(context.parsed)),))

    def _require_known(self, context: Context) -> None:
        """What the snapshot cannot show, even when read again, may be protected: refuse where it would be."""
        for written, table in context.future:
            raise Unseen(
                f'relation "{written}" does not exist',
                sqlstate="42P01",
                detail=f'"{table}" is protected by the policy, and pgveil cannot see it yet.',
                hint=APART,
            )
        if context.surplus:
            raise Refused("INSERT has more expressions than target columns", sqlstate="42601")
        for written, column in context.future_columns:
            raise Unseen(
                f"column {written} does not exist",
                sqlstate="42703",
                detail=f'"{column}" is protected by the policy, and pgveil cannot see it yet.',
                hint=APART,
            )

    def _finish(self, context: Context, plans: list[StatementPlan]) -> Analysis:
        nodes = context.parsed.statements
        prepare = any(isinstance(node, ast.PrepareStmt) for node in nodes)
        self._redirect(context, plans)
        self._show_defaults(context, plans)
        rewritten = rewrite(context, prepare)
        plan = TextPlan(
            tuple(plans),
            rewritten.template,
            None if prepare else rewritten.parameters,
            rewritten.client_parameters,
            _written(context, plans),
            context.session_dependent,
        )
        tokens = literal_tokens(context.parsed)
        literals = [token.text.encode() for token in tokens]
        spans = [(token.start, token.end) for token in tokens]
        if context.session_dependent or context.unknown or context.unknown_columns:
            return Analysis(plan, None, literals, spans)
        if all(isinstance(node, _CACHEABLE) for node in nodes):
            return Analysis(plan, sorted(context.pinned), literals, spans)
        return Analysis(plan, [token.start for token in tokens], literals, spans)

    def _show_defaults(self, context: Context, plans: list[StatementPlan]) -> None:
        """Let the answers of the catalogue have DEFAULTs in clear."""
        for i, node in enumerate(context.parsed.statements):
            shown = self._default_texts.results(node, context.parsed.text)
            if shown is not None and plans[i].results is None:
                plans[i] = replace(plans[i], results=shown)

    def _redirect(self, context: Context, plans: list[StatementPlan]) -> None:
        """Let the statement's queries of the catalogue see logical types."""
        parsed, types = context.parsed, self._catalog_types
        if not types.mentioned(parsed.text):
            return
        effects = [effect for plan in plans for effect in plan.effects]
        settled = not any(isinstance(effect, SetSearchPath) for effect in effects)
        path = context.search_path if settled else None
        edits = redirect(parsed, self.binding.catalog, types.table, path, context.changed)
        context.type_edits.update(edits)

    # --- views ------------------------------------------------------------------------------------------

    def _view_columns(self, relation: Relation) -> Columns:
        """The columns of a view by its definition. Raises Refused where the definition cannot be followed."""
        if relation.definition is None and not relation.system:
            raise UnreadView(relation)
        known = self._views.get(relation.oid)
        if known is None:
            self._views[relation.oid] = Refused(f'view "{relation.name}" refers to itself')
            known = self._views[relation.oid] = self._define_view(relation)
        if isinstance(known, Refused):
            raise Refused(
                f'view "{relation.schema}.{relation.name}" cannot be followed to its protected columns',
                detail=f"Its definition does what is refused: {known.message}.",
                hint="Query the tables themselves, or change the view.",
            )
        return known

    def _define_view(self, relation: Relation) -> Columns | Refused:
        names = [column.name for column in relation.columns]
        if not self.mentions(relation.definition or ""):
            return [(name, PLAIN_VALUE) for name in names]
        try:
            parsed = parse(relation.definition or "")
            roles = Roles()
            item = Item([])
            for _ in range(_PASSES):
                before = len(roles.by_offset)
                context = self._context(parsed, SessionView(relation.definition_path), roles)
                item = query(context, Scope(), parsed.statements[0])
                if len(roles.by_offset) == before:
                    break
        except Refused as refused:
            return refused
        except SyntaxFailure:
            return Refused("its definition does not parse")
        if item.gap is not None or len(item.columns) != len(names):
            return Refused("its definition has columns that are not known")
        return [(name, _of_view(value)) for name, (_, value) in zip(names, item.columns, strict=True)]


def _length(plan: TextPlan) -> int:
    """Characters of a plan's template, which may be much longer than the client's text."""
    return sum(len(part.text) for part in plan.template or () if isinstance(part, Constant))


def _of_view(value: Value) -> Value:
    """A value outside its view, whose text is another one: what is open there is not open here."""
    if value.row is not None:
        return replace(value, row=tuple((name, _of_view(part)) for name, part in value.row))
    return PLAIN_VALUE if value.opens else replace(value, sources=())


def _prepared_text(parsed: Parsed) -> bytes:
    """The statement that a PREPARE prepares: what follows its first AS outside parentheses."""
    depth = 0
    for token in parsed.tokens:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.name == "AS":
            return parsed.text[token.end :].encode()
    return parsed.text.encode()


def _unparsed(constant: bytes) -> Planned:
    """A text that is too long to be parsed. Raises Refused where its values might belong to a field."""
    if _EXECUTE.search(constant) is not None:
        raise Refused(
            "EXECUTE in a text that is too long to be analysed",
            sqlstate="54000",
            hint="Send EXECUTE apart, or bind its values as parameters of the protocol.",
        )
    return Planned(UNKNOWN)


def _written(context: Context, plans: list[StatementPlan]) -> frozenset[BoundField]:
    """The fields whose keys have to be there before the statement is sent."""
    roles = list(context.roles.by_offset.values())
    fields = {role.field for role in roles}
    for role in roles:
        fields |= {field for _, field in role.record.members} if role.record is not None else set()
        fields |= {member.field for _, member in role.json.members} if role.json is not None else set()
    for plan in plans:
        if plan.copy is not None and plan.copy.to_server:
            fields |= {column.fields[0] for column in plan.copy.columns if column is not None}
    return frozenset(fields)


def _names_pattern(binding: Binding) -> re.Pattern[str]:
    """Finds the names of protected tables, of the views over them, and spellings that could hide one."""
    names = {table for _, table in binding.policy.tables}
    names |= {binding.catalog.relations[oid].name for oid in binding.fields}
    views = [r for r in binding.catalog.relations.values() if r.kind in "vm" and not r.system]
    names |= {view.name for view in views if view.definition is None}  # what they lead to is not known
    grown = True
    while grown:  # views over views
        pattern = _any_of(names)
        found = {view.name for view in views if pattern.search(view.definition or "")}
        grown = not found <= names
        names |= found
    return _any_of(names)


def _changing_views(binding: Binding) -> frozenset[int]:
    """The views that call a function which may change search_path, or name such a view."""
    names = set(binding.catalog.path_changers)
    found: set[int] = set()
    grown = bool(names)
    while grown:
        pattern = _any_of(names)
        calling = [
            r
            for r in binding.catalog.relations.values()
            if r.kind == "v" and r.oid not in found and not r.system and pattern.search(r.definition or "")
        ]
        grown = bool(calling)
        found |= {view.oid for view in calling}
        names |= {view.name for view in calling}
    return frozenset(found)


def _calls_pattern(binding: Binding, views: frozenset[int]) -> re.Pattern[bytes]:
    """Finds the names of functions and views that may change search_path."""
    names = {binding.catalog.relations[oid].name for oid in views} | binding.catalog.path_changers
    return re.compile(rf'[uU]&"|{_any_of(names).pattern}'.encode(), re.IGNORECASE)


def _any_of(names: set[str]) -> re.Pattern[str]:
    spelled = names | {name.replace('"', '""') for name in names}
    words = "|".join(re.escape(name) for name in sorted(spelled))
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)" if words else r"(?!)", re.IGNORECASE)


def _offsets(pieces: Split) -> dict[int, int]:
    """Character offset of each literal of a split text, to its ordinal."""
    offsets, position = {}, 0
    for i, literal in enumerate(pieces.literals):
        position += len(pieces.parts[i].decode())
        offsets[position] = i
        position += len(literal.decode())
    return offsets
