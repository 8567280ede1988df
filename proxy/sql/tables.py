"""CREATE TABLE and ALTER TABLE: protected columns get their storage type and keep it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NoReturn

from policy import guard
from policy.binding import BoundField, interchangeable
from policy.catalog import Relation
from policy.conversions import holds
from policy.model import Field, Mode
from policy.storage import LONGEST, widened
from policy.types import TYPES, LogicalType
from proxy.errors import Refused
from proxy.sql.context import Context, MaybeOld, descendants, logical_type, refuse_statement
from proxy.sql.expressions import condition, infer
from proxy.sql.parse import Node, ast, parse
from proxy.sql.plan import CatalogChange, Use
from proxy.sql.roles import storage_name
from proxy.sql.scope import Columns, Item, Scope, Source
from proxy.sql.unify import fit
from proxy.sql.value import PLAIN, Value, refuse, require_deterministic, require_plain, require_usable

_NO_FIELDS: Mapping[str, Field] = {}
# Commands of ALTER TABLE that give it other columns, and that are about the column that they name.
_OTHER_COLUMNS = frozenset({"AT_AddColumn", "AT_DropColumn"})
_OF_A_COLUMN = frozenset({"AT_ColumnDefault", "AT_AlterColumnType", "AT_SetExpression", "AT_AddIdentity"})


def changes(
    context: Context, *names: str | None, functions: Iterable[str] = (), columns: bool = False
) -> None:
    """The catalogue changes; `names` are relations that may mean protected columns from now on.

    `functions`: they may change search_path from now on, or have other parameters. `columns`: any relation
    may have others then.
    """
    relations = frozenset(name for name in names if name is not None)
    context.effects.append(CatalogChange(relations, frozenset(functions), columns))


def table_scope(columns: Columns, name: str, relation: Relation | None = None) -> Scope:
    """A scope of one table's columns; `relation`: what is known of the table by now."""
    source = Source(name, columns, relation=relation)
    return Scope(sources=[source], items=[Item.of(source)])


def relation_scope(context: Context, node: Node) -> Scope:
    """A scope of a table's columns by its name."""
    relation = context.relation(node)
    context.all_columns(relation)
    return table_scope(context.columns(relation) if relation is not None else [], node.relname, relation)


def column_of(context: Context, scope: Scope, name: str, place: str = "") -> Value:
    """A column by its name, where a definition cannot write an expression; `place` as errors call it."""
    value = scope.column(name)
    if value is None:
        context.unknown_column(name, scope.all_sources(), f'"{name}"{place}')
    return value or PLAIN


def refuse_shadow(context: Context, node: Node) -> None:
    """A temporary relation under the name of one with protected columns would be taken for it."""
    context.look()
    catalog = context.binding.catalog
    known = any(
        value.protected for relation in catalog.named(node.relname) for _, value in context.columns(relation)
    )
    if known or any(table == node.relname for _, table in context.binding.policy.tables):
        refuse_statement(
            f'a temporary table named "{node.relname}" would hide the protected table of that name',
            "Give the temporary table another name.",
        )


def create_table(context: Context, node: Node) -> None:
    """CREATE TABLE: protected columns are made with their storage type, their defaults are encrypted."""
    if node.relation.relpersistence == "t":
        refuse_shadow(context, node.relation)
        return
    parents = _parents(context, node)
    bound = _inherited(context, parents)
    fields = _fields_of(context, node.relation)
    if bound or fields or context.binding.catalog.named(node.relation.relname):
        changes(context, node.relation.relname if bound or fields else None)
    # else its first use will find that the snapshot lacks it: schemas are made without reading each time
    if node.partbound is not None:
        _refuse_bounds(context, parents)
    definitions = [item for item in node.tableElts or () if isinstance(item, ast.ColumnDef)]
    for item in definitions:
        if (made := _define(context, item, fields)) is not None or item.colname not in bound:
            bound[item.colname] = made
    for name, known in fields.items():
        if bound.get(name) is None:
            bound[name] = _unwritten(known)
    columns: Columns = [
        (name, Value(field=field) if field is not None else PLAIN) for name, field in bound.items()
    ]
    scope = table_scope(columns, node.relation.relname)
    for part in node.partspec.partParams if node.partspec is not None else ():
        named = part.expr is None
        value = column_of(context, scope, part.name) if named else infer(context, scope, part.expr)
        require_plain(value, "a partition key", "Partition by a column that is not protected.")
    for item in definitions:
        _constraints(context, scope, item.constraints or (), bound[item.colname])
    for item in node.tableElts or ():
        if isinstance(item, ast.Constraint):
            _constraint(context, scope, item, None)


def create_foreign_table(context: Context, node: Node) -> None:
    """CREATE FOREIGN TABLE: another server has its rows, and so their ciphertext."""
    create_table(context, node.base)


def _parents(context: Context, node: Node) -> list[Relation]:
    found = [context.relation(parent) for parent in node.inhRelations or ()]
    return [relation for relation in found if relation is not None]


def _inherited(context: Context, parents: Iterable[Relation]) -> dict[str, BoundField | None]:
    """The protected columns that a child has from its parents."""
    bound: dict[str, BoundField | None] = {}
    for relation in parents:
        context.all_columns(relation)
        bound.update(context.binding.of(relation))
    return bound


def _refuse_bounds(context: Context, parents: Iterable[Relation]) -> None:
    """The bounds of a partition are values of its key."""
    for relation in parents:
        fields = context.binding.of(relation)
        keys = [d for d in relation.dependents if d.kind == "partition key"]
        for name in (column for key in keys for column in key.columns):
            if name in fields:
                refuse(fields[name], "a partition's bounds", "Partition by a column that is not protected.")


def _fields_of(context: Context, node: Node) -> Mapping[str, Field]:
    """The policy's fields of a table that is being made."""
    context.look()
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
    if field.type is None:
        _require_kept(field, logical)
        if logical.length is not None:
            return _widen(context, node, field, logical)
    if field.mode is Mode.DETERMINISTIC and not logical.deterministic:
        _refuse_definition(field, f"type {logical} cannot be deterministic", "Change the policy.")
    storage = logical.storage
    if field.type is not None and storage in ("varchar", "bpchar"):
        storage = "text"
    site = context.cast_site(node.typeName)
    if site is not None and (written is None or written.name != storage or written.modifier >= 0):
        context.type_edits[site.start] = (site.end, storage)
    return BoundField(field, logical, storage, TYPES[storage].oid, 0, 0, None)


def _unwritten(field: Field) -> BoundField:
    """A column that comes from a type, from LIKE, or from a parent that does not protect it."""
    logical = field.type or LogicalType("text")
    problem = "its type is not written in the statement"
    return BoundField(field, logical, logical.storage, TYPES[logical.storage].oid, 0, 0, problem)


def _widen(context: Context, node: Node, field: Field, logical: LogicalType) -> BoundField:
    """A varchar(n) of which the policy does not say the length: the column remembers it."""
    site = context.cast_site(node.typeName)
    if site is not None and logical.length is not None:
        context.type_edits[site.start] = (site.end, f"varchar({widened(logical.length)})")
    return BoundField(field, logical, "varchar", TYPES["varchar"].oid, 0, 0, None)


def _require_kept(field: Field, written: LogicalType) -> None:
    """Without a type in the policy the column's own is the logical one, so that it may not become another."""
    if written.name == "bpchar":
        _refuse_definition(
            field,
            f"{written} would pad ciphertext with blanks",
            f"Write type: {written} in the policy; pgveil then makes it text, and keeps the length.",
        )
    if written.array or written.storage != written.name or (written.length or 0) > LONGEST:
        _refuse_definition(
            field,
            f"ciphertext of {written} is kept in {written.storage}, which would then be its type",
            f"Write type: {written} in the policy.",
        )


def _refuse_definition(field: Field, problem: str, hint: str) -> NoReturn:
    raise Refused(f'protected column "{field}" cannot be made like this: {problem}', hint=hint)


def _constraints(context: Context, scope: Scope, constraints: Node, field: BoundField | None) -> None:
    for item in constraints:
        _constraint(context, scope, item, field)


def _constraint(context: Context, scope: Scope, node: Node, field: BoundField | None) -> None:
    """A constraint of a column (then `field` is its field) or of a table."""
    kind = node.contype.name
    if kind == "CONSTR_DEFAULT" and field is not None:
        require_usable(field, "DEFAULT")
        fit(infer(context, Scope(), node.raw_expr), field, context.roles, "DEFAULT", use=Use.STORED)
    elif kind == "CONSTR_CHECK" and not _is_guard(scope, node):
        condition(context, scope, node.raw_expr, "a CHECK constraint")
    elif kind == "CONSTR_GENERATED":
        require_plain(infer(context, scope, node.raw_expr), "a generated column")
    elif kind == "CONSTR_EXCLUSION":
        for element in node.exclusions or ():
            require_plain(index_element(context, scope, element[0]), "an EXCLUDE constraint")
    elif kind in ("CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_FOREIGN"):
        names = [name.sval for name in node.keys or node.fk_attrs or ()]
        values = [column_of(context, scope, name, " named in key") for name in names]
        if field is not None and not names:
            values = [Value(field=field)]
        _keys(context, node, values)


def _is_guard(scope: Scope, node: Node) -> bool:
    """Whether a CHECK is the guard that `pgveil guard` makes, as pg_dump brings it along."""
    if not (node.conname or "").startswith(guard.PREFIX):
        return False
    names = {c.fields[-1].sval for c in descendants(node.raw_expr) if isinstance(c, ast.ColumnRef)}
    name = names.pop() if len(names) == 1 else ""
    field = (scope.column(name) or PLAIN).field
    if field is None:
        return False
    made = parse(f"SELECT {guard.condition(name, field.storage)}").statements[0]
    return bool(node.raw_expr == made.targetList[0].val)


def _keys(context: Context, node: Node, values: list[Value]) -> None:
    """Primary, unique and foreign keys compare."""
    for value in values:
        require_deterministic(value, "a PRIMARY KEY, UNIQUE or FOREIGN KEY constraint")
    if node.pktable is None:
        return
    scope = relation_scope(context, node.pktable)
    for name, value in zip([name.sval for name in node.pk_attrs or ()], values, strict=False):
        other = column_of(context, scope, name, " referenced in foreign key constraint")
        if value.field is not None and other.field is None:
            refuse(value.field, "a FOREIGN KEY to an unprotected column", "Protect both under one key.")
        if other.field is not None:
            fit(value, other.field, context.roles, "a FOREIGN KEY")


# --- ALTER TABLE -----------------------------------------------------------------------------------------


def alter_table(context: Context, node: Node) -> None:
    """ALTER TABLE: a protected column keeps its storage; new ones are made as in CREATE TABLE."""
    composite = node.objtype.name == "OBJECT_TYPE"  # tables may be of it (CASCADE), and parameters
    changes(context, functions=context.listed_functions if composite else (), columns=composite)
    relation = context.relation(node.relation) if node.relation is not None else None
    columns = dict(context.columns(relation)) if relation is not None else {}
    fields = _fields_by_relation(context, node.relation, relation)
    kinds = {command.subtype.name for command in node.cmds or ()}
    added = [command.def_ for command in node.cmds or () if command.subtype.name == "AT_AddColumn"]
    made = [(definition, _define(context, definition, fields)) for definition in added]
    for definition, field in made:  # the other commands of the statement may name them
        columns.setdefault(definition.colname, Value(field=field) if field is not None else PLAIN)
    scope = table_scope(list(columns.items()), node.relation.relname, relation)
    for definition, field in made:
        _constraints(context, scope, definition.constraints or (), field)
    for command in node.cmds or ():
        if command.subtype.name == "AT_AttachPartition" and relation is not None:
            _refuse_bounds(context, [relation])
        _command(context, scope, command, columns)
    if relation is not None and not kinds.isdisjoint(_OTHER_COLUMNS):
        context.altered.add(relation.oid)


def _fields_by_relation(context: Context, node: Node, relation: Relation | None) -> Mapping[str, Field]:
    if relation is None:
        return _fields_of(context, node)
    return context.binding.policy.tables.get((relation.schema, relation.name), _NO_FIELDS)


def _command(context: Context, scope: Scope, node: Node, columns: Mapping[str, Value]) -> None:
    """Any but the adding of a column."""
    kind, definition = node.subtype.name, node.def_
    place = f' of relation "{scope.sources[0].name}"'
    field = column_of(context, scope, node.name, place).field if kind in _OF_A_COLUMN else None
    if kind == "AT_AddConstraint":
        _constraint(context, scope, definition, None)
    elif kind == "AT_ColumnDefault" and field is not None and definition is not None:
        fit(infer(context, Scope(), definition), field, context.roles, "DEFAULT", use=Use.STORED)
    elif kind == "AT_AlterColumnType" and field is not None:
        _alter_type(context, field, node)
    elif kind == "AT_AlterColumnType" and definition.raw_default is not None:
        require_plain(infer(context, scope, definition.raw_default), "ALTER COLUMN ... USING")
    elif kind in ("AT_SetExpression", "AT_AddIdentity") and field is not None:
        refuse(field, "a generated or identity column", "Let the application give the value.")
    if kind == "AT_SetExpression":
        require_plain(infer(context, scope, definition), "a generated column")
    if kind in ("AT_AttachPartition", "AT_AddInherit"):
        context.unknown_columns = True  # judged by a fresh snapshot: rare, and what is old here would leak
    if kind == "AT_AttachPartition":
        child = dict(_columns_of(context, definition.name))
        if not context.future:  # a table of the policy that is not there yet: that is said later
            _require_same_fields(columns, child, definition.name.relname)
    elif kind == "AT_AddInherit":
        _require_same_fields(dict(_columns_of(context, definition)), columns, "the table")


def _columns_of(context: Context, node: Node) -> Columns:
    relation = context.relation(node)
    return context.columns(relation) if relation is not None else []


def _require_same_fields(parent: Mapping[str, Value], child: Mapping[str, Value], table: str) -> None:
    """A child holds rows of its parent: it has to protect the same columns, and in the same way."""
    for name, value in parent.items():
        if value.field is None:
            continue
        own = child.get(name, PLAIN).field
        if own is not None and interchangeable(own.field, value.field.field):
            continue
        how = "does not protect it" if own is None else "protects it otherwise"
        try:
            refuse(value.field, f"a child table that {how}", _named(value.field.field, table))
        except Refused as refused:
            raise MaybeOld(refused.message, detail=refused.detail, hint=refused.hint) from None


def _named(field: Field, table: str) -> str:
    """How a child table is protected before it is one."""
    written = {"class": field.field_class.name, "type": field.type, "id": field.id, "key": field.key}
    line = ", ".join(f"{key}: {value}" for key, value in written.items() if value is not None)
    return (
        f"Name {table} in the policy, too, before it holds rows, with {field.column}: {{{line}}}. "
        "Or make it with CREATE TABLE ... PARTITION OF, or INHERITS, which needs no line of policy."
    )


def _alter_type(context: Context, field: BoundField, node: Node) -> None:
    """The type may become another spelling of the storage, or one whose values the policy's type holds.

    The storage stays; `USING column::type`, as migration tools write it, changes no value then.
    """
    definition = node.def_
    new: LogicalType | None = logical_type(definition.typeName)
    texts = ("text", "varchar")
    same = new is not None and (
        new.name == field.storage or (new.name in texts and field.storage in (*texts, "bpchar"))
    )
    declared = field.field.type if field.problem is None else None
    if new is not None and declared is not None and holds(declared, new):
        written = [definition.typeName, *_own_cast(definition.raw_default, node.name, new)]
        if definition.raw_default is None or len(written) == 2:
            for name in written:
                if (site := context.cast_site(name)) is not None:
                    context.type_edits[site.start] = (site.end, storage_name(field))
            return
    if _is_longer(field, new) and new is not None and definition.raw_default is None:
        _widen(context, definition, field.field, new)
        return
    if not same or (new is not None and new.modifier >= 0) or definition.raw_default is not None:
        refuse(
            field,
            "changing the column's type",
            "Change the logical type in the policy; the storage stays as it is.",
        )


def _own_cast(node: Node, column: str, new: LogicalType) -> list[Node]:
    """The type's name of USING column::type, in a list; none of another expression."""
    if not isinstance(node, ast.TypeCast) or not isinstance(node.arg, ast.ColumnRef):
        return []
    names = [part.sval for part in node.arg.fields if isinstance(part, ast.String)]
    return [node.typeName] if names == [column] and logical_type(node.typeName) == new else []


def _is_longer(field: BoundField, new: LogicalType | None) -> bool:
    """Whether a varchar(n) whose column remembers its length gets a greater one."""
    old = field.type.length
    return (
        new is not None
        and field.field.type is None
        and field.storage == "varchar"
        and new.name == field.type.name == "varchar"
        and not new.array
        and (old or LONGEST) <= (new.length or 0) <= LONGEST
    )


def index_element(context: Context, scope: Scope, node: Node) -> Value:
    """The column of an index or exclusion element. Raises Refused for an expression on a field."""
    if node.expr is not None:
        value = infer(context, scope, node.expr)
        require_plain(value, "an index on an expression")
        return PLAIN
    return column_of(context, scope, node.name)
