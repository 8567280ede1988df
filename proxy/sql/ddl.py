"""Definitions other than of tables: nothing may undo the protection, or show a value to the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policy.binding import BoundField
from policy.catalog import Relation
from policy.model import Field
from policy.names import qualified
from proxy.errors import Refused
from proxy.sql.context import Context, descendants, refuse_statement
from proxy.sql.definitions import changes, column_of, index_element, may_hide, refuse_shadow, relation_scope
from proxy.sql.expressions import condition, infer
from proxy.sql.parse import Node, ast
from proxy.sql.plan import Use
from proxy.sql.queries import refuse_copy
from proxy.sql.scope import Item, Scope
from proxy.sql.value import require_deterministic, require_plain

_ROUTINES = ("OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE", "OBJECT_AGGREGATE")
_RELATIONS = frozenset({"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE"})


def view(context: Context, node: Node) -> None:
    """CREATE VIEW: resolved through its definition from then on."""
    output = context.query(context, Scope(), node.query)
    _keep_in_view(context, output)
    protected = any(value.protected for _, value in output.columns)
    if node.view.relpersistence == "t":
        refuse_shadow(context, node.view)
    if protected and node.view.relpersistence == "t":
        refuse_statement(
            "a temporary view of protected columns is not possible",
            "Make it a permanent view, which pgveil can see in the catalogue.",
        )
    replaced = bool(context.binding.catalog.named(node.view.relname))
    changes(context, node.view.relname if protected or replaced else None)


def _keep_in_view(context: Context, output: Item) -> None:
    """A view's own values may be shown, compared, and stored by whoever reads it."""
    for _, column in output.columns:
        value = context.roles.show(column, "a view")
        for part in [part for _, part in value.row] if value.row is not None else [value]:
            context.roles.use(part, Use.STORED | Use.COMPARED, "a view")


def create_table_as(context: Context, node: Node) -> None:
    """CREATE TABLE AS copies values; CREATE MATERIALIZED VIEW keeps its definition, which is followed."""
    target = node.into.rel
    if isinstance(node.query, ast.ExecuteStmt):
        context.session_dependent = True
        inner = context.prepared(node.query.name)
        if inner is None or inner.first.results is not None or inner.parameters is not None:
            refuse_statement("CREATE TABLE AS EXECUTE of protected values is not possible", "Use INSERT.")
        context.effects += inner.first.effects if inner is not None else ()
        output = Item([])
    else:
        output = context.query(context, Scope(), node.query)
        _keep_in_view(context, output)
    protected = any(value.protected for _, value in output.columns)
    if node.objtype.name != "OBJECT_MATVIEW":
        refuse_copy(context, target, output, "CREATE TABLE AS")
    if target.relpersistence == "t":
        refuse_shadow(context, target)
    else:
        hides = may_hide(context, target.relname)
        changes(context, target.relname if protected or hides else None)


def require_unprotected(context: Context, node: Node, kind: str) -> None:
    """A statement of a kind that has no rule may not name a relation with protected columns."""
    relation = context.relation(node)
    context.all_columns(relation)
    if relation is not None and any(value.protected for _, value in context.columns(relation)):
        refuse_statement(
            f'{kind.removesuffix("Stmt")} on "{relation.name}" cannot be proved safe',
            "Run it on the server directly, after checking that it holds no protected value.",
            "The table has protected columns, and pgveil has no rule for this statement.",
        )


def schema(context: Context, node: Node) -> None:
    """CREATE SCHEMA with definitions in it: none of them may be of a table that the policy names."""
    changes(context)
    created = {
        (item.relation if isinstance(item, ast.CreateStmt) else item.view).relname: item
        for item in node.schemaElts or ()
        if isinstance(item, (ast.CreateStmt, ast.ViewStmt))
    }
    for name in created:
        for known_schema, table in context.binding.policy.tables:
            if table == name and node.schemaname in (known_schema, None):
                refuse_statement(
                    f'creating the protected table "{known_schema}.{table}" with its schema is not possible',
                    "Create the schema, and then the table by a statement of its own.",
                )
    for item in descendants(node):
        if isinstance(item, ast.RangeVar) and (item.schemaname or item.relname not in created):
            require_unprotected(context, item, "CreateSchemaStmt")


def publication(context: Context, node: Node) -> None:
    """CREATE and ALTER PUBLICATION: subscribers get ciphertext; a row filter is judged as a condition."""
    for item in node.pubobjects or ():
        table = item.pubtable
        if table is None or table.whereClause is None:
            continue
        condition(context, relation_scope(context, table.relation), table.whereClause, "a publication")


def statistics(context: Context, node: Node) -> None:
    """CREATE STATISTICS: of columns, not of expressions on a protected one."""
    for source in node.relations or ():
        if not isinstance(source, ast.RangeVar):  # the server takes nothing but tables
            return
        scope = relation_scope(context, source)
        for element in node.exprs or ():
            if element.expr is not None:
                require_plain(infer(context, scope, element.expr), "statistics on an expression")
                _require_no_constant(context, scope, element.expr)


def _require_no_constant(context: Context, scope: Scope, node: Node) -> None:
    """An expression of extended statistics cannot be rewritten: it may not compare a field with a literal."""
    for item in descendants(node):
        if isinstance(item, ast.ColumnRef) and isinstance(item.fields[-1], ast.String):
            value = column_of(context, scope, item.fields[-1].sval)
            require_plain(value, "statistics on an expression")


def index(context: Context, node: Node) -> None:
    """CREATE INDEX: on a deterministic field itself; not on an expression of it."""
    relation = context.relation(node.relation)
    if relation is None or not context.fields_of(relation):
        return
    changes(context)
    scope = relation_scope(context, node.relation)
    for element in node.indexParams or ():
        value = index_element(context, scope, element)
        require_deterministic(value, "an index")
        if value.protected and node.accessMethod not in ("btree", "hash"):
            require_plain(value, f"an index of kind {node.accessMethod}")
    condition(context, scope, node.whereClause, "a partial index")


def drop(context: Context, node: Node) -> None:
    """DROP: the catalogue is read again unless what goes cannot have hidden anything protected."""
    kind = node.removeType.name
    if kind in ("OBJECT_INDEX", "OBJECT_SEQUENCE"):
        return
    if node.behavior.name == "DROP_CASCADE":  # columns go with their type, or the function that they use
        changes(context, functions=_dropped_functions(context, node), columns=True)
        return
    if kind in _ROUTINES:
        if dropped := _dropped_functions(context, node):
            changes(context, functions=dropped)
        return
    names = {name[-1].sval for name in node.objects} if kind in _RELATIONS else set()
    if kind == "OBJECT_TABLE":
        names = {name for name in names if _stands_out(context, name)}
        if not names:
            return
    changes(context, *names)


def _stands_out(context: Context, name: str) -> bool:
    """Whether a table of this name is protected, or hides another one by search_path."""
    relations = context.binding.catalog.named(name)
    return len(relations) > 1 or any(context.binding.of(relation) for relation in relations)


def _dropped_functions(context: Context, node: Node) -> set[str]:
    """The functions of the policy that go: others of the same name may come, with other parameters."""
    if node.removeType.name not in _ROUTINES:
        return set()
    return {item.objname[-1].sval for item in node.objects} & context.listed_functions


def row_policy(context: Context, node: Node) -> None:
    """CREATE POLICY: its conditions are judged like any other."""
    scope = relation_scope(context, node.table)
    for clause in (node.qual, node.with_check):
        condition(context, scope, clause, "a row security policy")


def rename(context: Context, node: Node) -> None:
    """ALTER ... RENAME: the policy knows columns by name, so that it has to be changed first."""
    kind = node.renameType.name
    names = _touched_names(context, node.relation, node.newname)
    if kind == "OBJECT_SCHEMA":
        _require_schema(context, node.subname, node.newname)
        names = _names_in(context, {node.subname, node.newname})
    attribute = kind == "OBJECT_ATTRIBUTE"
    functions = context.listed_functions if attribute else _new_functions(context, node)
    changes(
        context, *names, functions=functions, columns=attribute or bool(names)
    )  # views and children follow
    relation = context.relation(node.relation) if node.relation is not None else None
    context.all_columns(relation)
    bound = context.binding.of(relation) if relation is not None and relation.kind in "rpf" else {}
    if not bound or relation is None:
        return
    if kind == "OBJECT_COLUMN" and node.subname in bound:
        _require_followed(context, bound[node.subname].field, relation.schema, relation.name, node.newname)
    elif kind == "OBJECT_TABLE":
        for name, field in _own(relation, bound):
            _require_followed(context, field, relation.schema, node.newname, name)


def _names_in(context: Context, schemas: set[str]) -> tuple[str, ...]:
    """The names of all relations of some schemas."""
    context.look()
    relations = context.binding.catalog.relations.values()
    return tuple(relation.name for relation in relations if relation.schema in schemas)


def _new_functions(context: Context, node: Node) -> set[str]:
    """The new name of a function that may change search_path, or both of one that the policy describes."""
    if node.renameType.name not in _ROUTINES:
        return set()
    context.look()
    old, new = node.object.objname[-1].sval, str(node.newname)
    known = old in context.binding.catalog.path_changers
    return {new} if known else {old, new} & context.listed_functions


def _touched_names(context: Context, node: Node, *new: str) -> tuple[str, ...]:
    """The names of a relation with protected columns, before and after: nobody else knows the new one yet."""
    if node is None:
        return ()
    relation, names = context.relation(node), (node.relname, *new)
    protected = relation is not None and any(value.protected for _, value in context.columns(relation))
    known = any(table in names for _, table in context.binding.policy.tables)
    return names if protected or known else ()


def _require_schema(context: Context, old: str, new: str) -> None:
    for field in context.binding.policy.fields():
        if field.schema == old and context.binding.catalog.lookup(old, field.table) is not None:
            _require_followed(context, field, new, field.table, field.column)


def move(context: Context, node: Node) -> None:
    """ALTER ... SET SCHEMA: the same for the schema's name."""
    names = _touched_names(context, node.relation)
    changes(context, *names, columns=bool(names))
    relation = context.relation(node.relation) if node.relation is not None else None
    context.all_columns(relation)
    bound = context.binding.of(relation) if relation is not None else {}
    if relation is not None:
        for name, field in _own(relation, bound):
            _require_followed(context, field, node.newschema, relation.name, name)


def _own(relation: Relation, bound: Mapping[str, BoundField]) -> Iterator[tuple[str, Field]]:
    """The fields that the policy knows by a table's own name: a child table's stay those of its parent."""
    for name, found in bound.items():
        if (found.field.schema, found.field.table) == (relation.schema, relation.name):
            yield name, found.field


def _require_followed(context: Context, field: Field, schema: str, table: str, column: str) -> None:
    """What becomes of a protected column has to be the same field under its new name."""
    new = context.binding.policy.find(schema, table, column)
    if new is None:
        problem = f'"{qualified(schema, table, column)}" is not in the policy'
    elif not field.is_alike(new):
        problem = f"{new.location} protects the new name in another way"
    else:
        return
    raise Refused(
        f'renaming what holds protected column "{field}" would end its protection',
        detail=f"The column is protected by {field.location}, and {problem}.",
        hint=f"Write the new name into the policy beside the old one, with id: {field.id}, "
        "and the same class, type and key; then rename.",
    )
