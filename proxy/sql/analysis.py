"""The analysis of a text: its statements judged in order over the scopes of one binding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from policy.binding import Binding, BoundField
from policy.catalog import Relation
from proxy.errors import Refused
from proxy.sql.calls import require_all_judged
from proxy.sql.catalog_types import CatalogTypes
from proxy.sql.context import APART, Apart, Context, MaybeOld, UnknownRelations, UnreadView, Unseen
from proxy.sql.default_texts import DefaultTexts
from proxy.sql.mentions import Mentions
from proxy.sql.parse import Node, Parsed, SyntaxFailure, ast, parse
from proxy.sql.plan import (
    CatalogChange,
    DeclareCursor,
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
from proxy.sql.statements import query, statement
from proxy.sql.value import PLAIN as PLAIN_VALUE
from proxy.sql.value import Value

_CACHEABLE = (ast.SelectStmt, ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt)
UNKNOWN = TextPlan(
    (StatementPlan(effects=(SetSearchPath(None, known=False), SettingChange(), CatalogChange())),)
)  # of a text that may do anything but touch what is protected
_PASSES = 8  # each pass finds at least one new role; more than a few means a statement built to be slow
Names = frozenset[str]


@dataclass(slots=True)
class SessionView:
    """What a plan may ask of the session: its search_path and the names that it has given."""

    search_path: tuple[str, ...] | None = ("public",)  # None: not known
    prepared: Callable[[str], TextPlan | None] = lambda name: None
    cursors: Callable[[str], Results | None] = lambda name: None
    unseen: bool = False  # the open transaction has changed the catalogue in a way that is not known
    path_unsettled: bool = False  # whether the open transaction has changed search_path


@dataclass(frozen=True, slots=True)
class Analysis:
    """A plan, the offsets of the literals that it depends on (None: not to be kept), and all literals."""

    plan: TextPlan
    pinned: list[int] | None
    literals: list[bytes] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)


class Analyser:
    """Analyses texts for one binding."""

    def __init__(self, binding: Binding, mentions: Mentions) -> None:
        self._binding = binding
        self._mentions = mentions
        self._views: dict[int, Columns | Refused] = {}
        self._default_texts = DefaultTexts(binding)
        self._catalog_types = CatalogTypes(binding, self._view_columns)

    def analyse(self, text: str, session: SessionView, looked_for: Names | None) -> Analysis:
        """Judge a text. `looked_for` None: the whole catalogue was read again for it.

        Raises Refused (or another ServerError), and UnknownRelations where it has to be read again first.
        """
        try:
            parsed = parse(text)
        except SyntaxFailure:
            if self._mentions.protected(text):
                raise
            if session.unseen:
                raise Unseen from None
            # newer syntax, or an error that the server words better; whatever it does, look again afterwards
            return Analysis(UNKNOWN, None)
        try:
            context, plans = self._passes(parsed, session)
        except MaybeOld:
            if looked_for is None:
                raise
            raise UnknownRelations(frozenset()) from None
        if looked_for is not None and self._lacks(context, looked_for):
            raise UnknownRelations(frozenset(context.unknown - looked_for))
        self._require_known(context)
        require_all_judged(context)
        return self._finish(context, plans)

    def _lacks(self, context: Context, looked_for: Names) -> bool:
        """Whether the statement has to do with what nobody knows, where that may be of concern."""
        unknown = bool(context.unknown - looked_for) or context.unknown_columns
        return unknown and self._binding.policy.protects

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
            self._binding,
            session.search_path,
            self._view_columns,
            query,
            self._mentions.protected,
            session.prepared,
            session.cursors,
            session.unseen,
            session.path_unsettled,
            roles,
            changing_views=self._mentions.changing_views,
        )

    def _statements(self, context: Context) -> list[StatementPlan]:
        """Judge the statements of a text in order: each sees what the ones before have set."""
        plans = []
        prepared: dict[str, TextPlan] = {}
        cursors: dict[str, Results | None] = {}
        outer_prepared, outer_cursors = context.prepared, context.cursors
        redefined = False

        def find_prepared(name: str) -> TextPlan | None:
            if redefined:  # the server plans it anew, by what its names mean now
                raise Unseen
            return prepared.get(name) or outer_prepared(name)

        context.prepared = find_prepared
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
                    case CatalogChange(names, functions, columns):
                        redefined = True
                        context.changed |= names | functions
                        context.all_altered |= columns
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
            raise Apart(
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
        edits = redirect(parsed, self._binding.catalog, types.table, path, context.changed)
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
        if not self._mentions.protected(relation.definition or ""):
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
