"""ALTER TABLE: protected columns keep their storage type."""

from __future__ import annotations

from collections.abc import Mapping

from policy.binding import BoundField, interchangeable
from policy.catalog import Relation
from policy.conversions import holds
from policy.model import Field
from policy.storage import LONGEST
from policy.types import LogicalType
from proxy.errors import Refused
from proxy.sql.column_definitions import define, refuse_definition, widen
from proxy.sql.constraints import require_constraint, require_constraints
from proxy.sql.context import Context, MaybeOld, logical_type
from proxy.sql.definitions import changes, column_of, table_scope
from proxy.sql.expressions import infer
from proxy.sql.parse import Node, ast
from proxy.sql.plan import Use
from proxy.sql.roles import storage_name
from proxy.sql.scope import Columns, Scope
from proxy.sql.tables import NO_FIELDS, new_fields, refuse_bounds
from proxy.sql.unify import fit
from proxy.sql.value import PLAIN, Value, refuse, require_plain, require_usable

# Commands that give it other columns, and that are about the column that they name.
_OTHER_COLUMNS = frozenset({"AT_AddColumn", "AT_DropColumn"})
_OF_A_COLUMN = frozenset({"AT_ColumnDefault", "AT_AlterColumnType", "AT_SetExpression", "AT_AddIdentity"})


def alter_table(context: Context, node: Node) -> None:
    """ALTER TABLE: a protected column keeps its storage; new ones are made as in CREATE TABLE."""
    composite = node.objtype.name == "OBJECT_TYPE"  # tables may be of it (CASCADE), and parameters
    changes(context, functions=context.listed_functions if composite else (), columns=composite)
    relation = context.relation(node.relation) if node.relation is not None else None
    columns = dict(context.columns(relation)) if relation is not None else {}
    fields = _fields_by_relation(context, node.relation, relation)
    kinds = {command.subtype.name for command in node.cmds or ()}
    added = [command.def_ for command in node.cmds or () if command.subtype.name == "AT_AddColumn"]
    for definition in added:
        _refuse_for_child(context, relation, definition.colname)
    made = [(definition, define(context, definition, fields)) for definition in added]
    for definition, field in made:  # the other commands of the statement may name them
        columns.setdefault(definition.colname, Value(field=field) if field is not None else PLAIN)
    scope = table_scope(list(columns.items()), node.relation.relname, relation)
    for definition, field in made:
        require_constraints(context, scope, definition.constraints or (), field)
    for command in node.cmds or ():
        if command.subtype.name == "AT_AttachPartition" and relation is not None:
            refuse_bounds(context, [relation])
        _command(context, scope, command, columns)
    if relation is not None and not kinds.isdisjoint(_OTHER_COLUMNS):
        context.altered.add(relation.oid)
    if relation is not None and "AT_AttachPartition" in kinds:
        context.gains_child(relation)


def _refuse_for_child(context: Context, relation: Relation | None, column: str) -> None:
    """A new column comes to the children, too: one of them may protect what the table itself does not."""
    if relation is None or column in context.fields_of(relation):
        return
    catalog = context.binding.catalog
    for (schema, table), fields in context.binding.policy.tables.items():
        child = catalog.lookup(schema, table) if column in fields else None
        if child is not None and any(parent.oid == relation.oid for parent in catalog.ancestors(child)):
            refuse_definition(
                fields[column],
                f'it would come from "{relation.name}", which does not protect it',
                f"Name {relation.name} in the policy instead.",
            )


def _fields_by_relation(context: Context, node: Node, relation: Relation | None) -> Mapping[str, Field]:
    if relation is None:
        return new_fields(context, node)
    return context.binding.policy.tables.get((relation.schema, relation.name), NO_FIELDS)


def _command(context: Context, scope: Scope, node: Node, columns: Mapping[str, Value]) -> None:
    """Any but the adding of a column."""
    kind, definition = node.subtype.name, node.def_
    place = f' of relation "{scope.sources[0].name}"'
    field = column_of(context, scope, node.name, place).field if kind in _OF_A_COLUMN else None
    if kind == "AT_AddConstraint":
        require_constraint(context, scope, definition, None)
    elif kind == "AT_ColumnDefault" and field is not None and definition is not None:
        require_usable(field, "DEFAULT")
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
        child = dict(_columns_of(context, context.relation(definition.name)))
        if not context.future:  # a table of the policy that is not there yet: that is said later
            _require_same_fields(columns, child, definition.name.relname)
    elif kind == "AT_AddInherit":
        parent = context.relation(definition)
        _require_same_fields(dict(_columns_of(context, parent)), columns, "the table")
        if parent is not None:
            context.gains_child(parent)


def _columns_of(context: Context, relation: Relation | None) -> Columns:
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
        widen(context, definition, field.field, new)
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
