"""Definitions: columns of protected tables get their storage type, and nothing may undo the protection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from policy.binding import BoundField
from policy.catalog import Relation
from policy.model import Field, Mode
from policy.types import TYPES, LogicalType
from proxy.errors import Refused
from proxy.sql.context import Context, logical_type, refuse_statement
from proxy.sql.expressions import condition, infer
from proxy.sql.parse import Node, ast
from proxy.sql.plan import CatalogChange
from proxy.sql.scope import Columns, Item, Scope, Source
from proxy.sql.value import PLAIN, Value, fit, refuse, require_deterministic, require_plain

_NO_FIELDS: Mapping[str, Field] = {}


def _changes(context: Context, view: str | None = None) -> None:
    context.effects.append(CatalogChange(view))


# --- tables ----------------------------------------------------------------------------------------------


def create_table(context: Context, node: Node) -> None:
    """CREATE TABLE: protected columns are made with their storage type, their defaults are encrypted."""
    if node.relation.relpersistence == "t":
        _refuse_shadow(context, node.relation)
        return
    _changes(context, _child_name(context, node))
    fields = _fields_of(context, node.relation)
    definitions = [item for item in node.tableElts or () if isinstance(item, ast.ColumnDef)]
    bound = {item.colname: _define(context, item, fields) for item in definitions}
    columns: Columns = [
        (name, Value(field=field) if field is not None else PLAIN) for name, field in bound.items()
    ]
    scope = _table_scope(columns, node.relation.relname)
    for part in node.partspec.partParams if node.partspec is not None else ():
        value = infer(context, scope, part.expr) if part.expr is not None else scope.column(part.name)
        require_plain(value or PLAIN, "a partition key", "Partition by a column that is not protected.")
    for item in definitions:
        _constraints(context, scope, item.constraints or (), bound[item.colname])
    for item in node.tableElts or ():
        if isinstance(item, ast.Constraint):
            _constraint(context, scope, item, None)


def _child_name(context: Context, node: Node) -> str | None:
    """The new table's name, if it is a child of protected tables and so protected itself."""
    parents = [context.relation(parent) for parent in node.inhRelations or ()]
    protected = any(relation is not None and context.binding.of(relation) for relation in parents)
    return node.relation.relname if protected else None


def _refuse_shadow(context: Context, node: Node) -> None:
    """A temporary table under a protected table's name would be taken for it."""
    if any(table == node.relname for _, table in context.binding.policy.tables):
        refuse_statement(
            f'a temporary table named "{node.relname}" would hide the protected table of that name',
            "Give the temporary table another name.",
        )


def _fields_of(context: Context, node: Node) -> Mapping[str, Field]:
    """The policy's fields of a table that is being made."""
    tables = context.binding.policy.tables
    if node.schemaname:
        return tables.get((node.schemaname, node.relname), _NO_FIELDS)
    path = context.search_path
    if path is None:
        candidates = [fields for (_, table), fields in tables.items() if table == node.relname]
        if candidates:
            raise Refused("search_path is not known", hint="Write the schema before the table's name.")
        return _NO_FIELDS
    schema = next((name for name in path if name in context.binding.catalog.schemas), "")
    return tables.get((schema, node.relname), _NO_FIELDS)


def _define(context: Context, node: Node, fields: Mapping[str, Field]) -> BoundField | None:
    """Give a protected column its storage type; the field as it will be bound."""
    field = fields.get(node.colname)
    if field is None or node.typeName is None:
        return None
    written = logical_type(node.typeName)
    logical = field.type or written
    if logical is None:
        _refuse_definition(field, "its type cannot be protected", f"Use one of {', '.join(TYPES)}.")
    if field.type is None and logical.length is not None:
        _refuse_definition(
            field,
            f"its limit of {logical.length} characters is too short for ciphertext",
            f"Write type: {logical} in the policy; pgveil then widens the column and keeps the limit.",
        )
    if field.mode is Mode.DETERMINISTIC and not logical.deterministic:
        _refuse_definition(field, f"type {logical} cannot be deterministic", "Change the policy.")
    storage = "text" if logical.storage in ("text", "varchar", "bpchar") else logical.storage
    site = context.cast_site(node.typeName)
    if site is not None and (written is None or written.name != storage or written.modifier >= 0):
        context.type_edits[site.start] = (site.end, storage)
    return BoundField(field, logical, storage, TYPES[storage].oid, 0, 0, None)


def _refuse_definition(field: Field, problem: str, hint: str) -> NoReturn:
    raise Refused(f'protected column "{field}" cannot be made like this: {problem}', hint=hint)


def _table_scope(columns: Columns, name: str) -> Scope:
    source = Source(name, columns)
    return Scope(sources=[source], items=[Item.of(source)])


def _constraints(context: Context, scope: Scope, constraints: Node, field: BoundField | None) -> None:
    for item in constraints:
        _constraint(context, scope, item, field)


def _constraint(context: Context, scope: Scope, node: Node, field: BoundField | None) -> None:
    """A constraint of a column (then `field` is its field) or of a table."""
    kind = node.contype.name
    if kind == "CONSTR_DEFAULT" and field is not None:
        fit(infer(context, Scope(), node.raw_expr), field, context.roles, "DEFAULT")
    elif kind == "CONSTR_CHECK":
        condition(context, scope, node.raw_expr, "a CHECK constraint")
    elif kind == "CONSTR_GENERATED":
        require_plain(infer(context, scope, node.raw_expr), "a generated column")
    elif kind == "CONSTR_EXCLUSION":
        for element in node.exclusions or ():
            require_plain(_index_element(context, scope, element[0]), "an EXCLUDE constraint")
    elif kind in ("CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_FOREIGN"):
        names = [name.sval for name in node.keys or node.fk_attrs or ()]
        values = [scope.column(name) or PLAIN for name in names]
        if field is not None and not names:
            values = [Value(field=field)]
        _keys(context, node, values)


def _keys(context: Context, node: Node, values: list[Value]) -> None:
    """Primary, unique and foreign keys compare."""
    for value in values:
        require_deterministic(value, "a PRIMARY KEY, UNIQUE or FOREIGN KEY constraint")
    if node.pktable is None:
        return
    relation = context.relation(node.pktable)
    columns = dict(context.columns(relation)) if relation is not None else {}
    for name, value in zip([name.sval for name in node.pk_attrs or ()], values, strict=False):
        other = columns.get(name, PLAIN)
        if value.field is not None and other.field is None:
            refuse(value.field, "a FOREIGN KEY to an unprotected column", "Protect both under one key.")
        if other.field is not None:
            fit(value, other.field, context.roles, "a FOREIGN KEY")


# --- ALTER TABLE -----------------------------------------------------------------------------------------


def alter_table(context: Context, node: Node) -> None:
    """ALTER TABLE: a protected column keeps its storage; new ones are made as in CREATE TABLE."""
    _changes(context)
    relation = context.relation(node.relation) if node.relation is not None else None
    columns = context.columns(relation) if relation is not None else []
    if relation is not None and relation.kind not in "rpf":
        columns = []
    scope = _table_scope(columns, node.relation.relname)
    fields = _fields_by_relation(context, node.relation, relation)
    for command in node.cmds or ():
        _command(context, scope, command, dict(columns), fields)


def _fields_by_relation(context: Context, node: Node, relation: Relation | None) -> Mapping[str, Field]:
    if relation is None:
        return _fields_of(context, node)
    return context.binding.policy.tables.get((relation.schema, relation.name), _NO_FIELDS)


def _command(
    context: Context,
    scope: Scope,
    node: Node,
    columns: Mapping[str, Value],
    fields: Mapping[str, Field],
) -> None:
    kind, definition = node.subtype.name, node.def_
    field = columns.get(node.name, PLAIN).field if node.name else None
    if kind == "AT_AddColumn":
        made = _define(context, definition, fields)
        inner = _table_scope([*columns.items(), (definition.colname, Value(field=made))], "")
        _constraints(context, inner, definition.constraints or (), made)
    elif kind == "AT_AddConstraint":
        _constraint(context, scope, definition, None)
    elif kind == "AT_ColumnDefault" and field is not None and definition is not None:
        fit(infer(context, Scope(), definition), field, context.roles, "DEFAULT")
    elif kind == "AT_AlterColumnType" and field is not None:
        _alter_type(context, field, definition)
    elif kind == "AT_AlterColumnType" and definition.raw_default is not None:
        require_plain(infer(context, scope, definition.raw_default), "ALTER COLUMN ... USING")
    elif kind in ("AT_SetExpression", "AT_AddIdentity") and field is not None:
        refuse(field, "a generated or identity column", "Let the application give the value.")
    elif kind == "AT_AttachPartition":
        _require_same_fields(context, columns, dict(_columns_of(context, definition.name)))
    elif kind == "AT_AddInherit":
        _require_same_fields(context, dict(_columns_of(context, definition)), columns)


def _columns_of(context: Context, node: Node) -> Columns:
    relation = context.relation(node)
    return context.columns(relation) if relation is not None else []


def _require_same_fields(context: Context, parent: Mapping[str, Value], child: Mapping[str, Value]) -> None:
    """A child holds rows of its parent: it has to protect the same columns."""
    for name, value in parent.items():
        if value.field is not None and child.get(name, PLAIN).field is None:
            refuse(value.field, "a child table that does not protect it", "Encrypt the child's rows first.")


def _alter_type(context: Context, field: BoundField, node: Node) -> None:
    """The type of a protected column may change to another spelling of its storage only."""
    new: LogicalType | None = logical_type(node.typeName)
    texts = ("text", "varchar")
    same = new is not None and (
        new.name == field.storage or (new.name in texts and field.storage in (*texts, "bpchar"))
    )
    if not same or (new is not None and new.modifier >= 0) or node.raw_default is not None:
        refuse(
            field,
            "changing the column's type",
            "Change the logical type in the policy; the storage stays as it is.",
        )


# --- views, indexes, triggers, names ---------------------------------------------------------------------


def view(context: Context, node: Node) -> None:
    """CREATE VIEW: resolved through its definition from then on."""
    output = context.query(context, Scope(), node.query)
    protected = any(value.protected for _, value in output.columns)
    if protected and node.view.relpersistence == "t":
        refuse_statement(
            "a temporary view of protected columns is not possible",
            "Make it a permanent view, which pgveil can see in the catalogue.",
        )
    _changes(context, node.view.relname if protected else None)


def create_table_as(context: Context, node: Node) -> None:
    """CREATE TABLE AS copies values; CREATE MATERIALIZED VIEW keeps its definition, which is followed."""
    if not isinstance(node.query, ast.ExecuteStmt):
        output = context.query(context, Scope(), node.query)
        protected = any(value.protected for _, value in output.columns)
    else:
        protected = True  # what EXECUTE returns is not followed here
    materialized = node.objtype.name == "OBJECT_MATVIEW"
    if protected and not materialized:
        refuse_statement(
            "CREATE TABLE AS would copy protected values to a table that the policy does not know",
            "Create the table, classify its columns, and use INSERT ... SELECT.",
        )
    if node.into.rel.relpersistence != "t":
        _changes(context, node.into.rel.relname if protected else None)
    else:
        _refuse_shadow(context, node.into.rel)


def index(context: Context, node: Node) -> None:
    """CREATE INDEX: on a deterministic field itself; not on an expression of it."""
    _changes(context)
    relation = context.relation(node.relation)
    if relation is None:
        return
    scope = _table_scope(context.columns(relation), relation.name)
    for element in node.indexParams or ():
        value = _index_element(context, scope, element)
        require_deterministic(value, "an index")
        if value.protected and node.accessMethod not in ("btree", "hash"):
            require_plain(value, f"an index of kind {node.accessMethod}")
    condition(context, scope, node.whereClause, "a partial index")


def _index_element(context: Context, scope: Scope, node: Node) -> Value:
    if node.expr is not None:
        value = infer(context, scope, node.expr)
        require_plain(value, "an index on an expression")
        return PLAIN
    return scope.column(node.name) or PLAIN


def trigger(context: Context, node: Node) -> None:
    """CREATE TRIGGER: its function sees ciphertext; its WHEN may not look at a protected value."""
    _changes(context)
    relation = context.relation(node.relation)
    if relation is None or node.whenClause is None:
        return
    columns = context.columns(relation)
    scope = Scope(sources=[Source("old", columns), Source("new", columns)])
    condition(context, scope, node.whenClause, "a trigger's WHEN")


def row_policy(context: Context, node: Node) -> None:
    """CREATE POLICY: its conditions are judged like any other."""
    relation = context.relation(node.table)
    if relation is None:
        return
    scope = _table_scope(context.columns(relation), relation.name)
    for clause in (node.qual, node.with_check):
        condition(context, scope, clause, "a row security policy")


def opaque_body(context: Context, node: Node) -> None:
    """DO and CREATE FUNCTION hold code that is not analysed: it may not name a protected table."""
    if isinstance(node, ast.CreateFunctionStmt):
        _changes(context)
    if context.mentions(context.parsed.text):
        refuse_statement(
            "code that names a protected table cannot be proved safe",
            "Create the function on the server directly; inside it, protected columns hold ciphertext.",
            "The bodies of DO and of functions run in the server, where pgveil cannot encrypt their values.",
        )


def rename(context: Context, node: Node) -> None:
    """ALTER ... RENAME: the policy knows columns by name, so that it has to be changed first."""
    _changes(context)
    kind = node.renameType.name
    if kind == "OBJECT_SCHEMA":
        _require_schema(context, node.subname, node.newname)
    relation = context.relation(node.relation) if node.relation is not None else None
    bound = context.binding.of(relation) if relation is not None and relation.kind in "rpf" else {}
    if not bound or relation is None:
        return
    tables = context.binding.policy.tables
    if kind == "OBJECT_COLUMN" and node.subname in bound:
        if node.newname not in tables.get((relation.schema, relation.name), _NO_FIELDS):
            _refuse_rename(bound[node.subname].field)
    elif kind == "OBJECT_TABLE" and (relation.schema, node.newname) not in tables:
        _refuse_rename(next(iter(bound.values())).field)


def _require_schema(context: Context, old: str, new: str) -> None:
    tables = context.binding.policy.tables
    for (schema, table), fields in tables.items():
        if schema == old and (new, table) not in tables:
            _refuse_rename(next(iter(fields.values())))


def move(context: Context, node: Node) -> None:
    """ALTER ... SET SCHEMA: the same for the schema's name."""
    _changes(context)
    relation = context.relation(node.relation) if node.relation is not None else None
    bound = context.binding.of(relation) if relation is not None else {}
    if (
        relation is not None
        and bound
        and (node.newschema, relation.name) not in context.binding.policy.tables
    ):
        _refuse_rename(next(iter(bound.values())).field)


def _refuse_rename(field: Field) -> NoReturn:
    raise Refused(
        f'renaming what holds protected column "{field}" would end its protection',
        hint=f"Write the new name into the policy first, with id: {field.id}",
    )
