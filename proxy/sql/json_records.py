"""JSON documents that bring values: json_to_recordset() and its kind, whose columns are a document's members.

A column that becomes a field's makes the document one whose members of that name are sealed (JsonRecords in
plan.py, json_records.py). Only a parameter or a literal that stands alone as the argument is such a document.
"""

from __future__ import annotations

from policy.types import LogicalType
from proxy.sql.context import Context
from proxy.sql.expressions import infer
from proxy.sql.parse import Node, ast
from proxy.sql.plan import Role
from proxy.sql.scope import Columns, Scope
from proxy.sql.value import PLAIN, Open, Value, refuse, require_usable

_TABLES = "rpf"  # kinds of relations whose row type has the storage types
_ONE = ("json_to_record", "json_populate_record")
_READERS = dict.fromkeys(_ONE, False) | {f"{name}set": True for name in _ONE}
READERS = _READERS | {name.replace("json", "jsonb"): many for name, many in _READERS.items()}


def record_columns(
    context: Context, scope: Scope, call: Node, definitions: tuple[Node, ...]
) -> Columns | None:
    """The columns that a call of these functions has in FROM; None where its argument is no such document."""
    name = _name(call)
    if name is None:
        return None
    populate = "populate" in name
    if len(call.args or ()) != 1 + populate or (populate and definitions):
        return None
    kind = "jsonb" if name.startswith("jsonb") else "json"
    document = _document(infer(context, scope, call.args[-1]), kind)
    if document is None:
        return None
    if populate:
        return _row_type(context, call.args[0], document, kind, many=READERS[name])
    return _defined(context, definitions, document, kind, many=READERS[name])


def _name(call: Node) -> str | None:
    if not isinstance(call, ast.FuncCall) or call.func_variadic:
        return None
    names = [part.sval for part in call.funcname]
    known = names[-1] in READERS and (len(names) == 1 or names[0] == "pg_catalog")
    named = any(isinstance(argument, ast.NamedArgExpr) for argument in call.args or ())
    return names[-1] if known and not named else None


def _document(value: Value, kind: str) -> Open | None:
    """The parameter or literal that an argument is."""
    if value.records is not None:
        return None if value.records.doubtful else value.records
    if len(value.opens) != 1 or value.wholes:
        return None
    (item,) = value.opens
    casts = all(site.type == LogicalType(kind) for site in item.casts)
    alone = item.type is None and not (
        item.null or item.levels or item.elements or item.member or item.doubtful
    )
    return item if casts and alone else None


def _defined(
    context: Context, definitions: tuple[Node, ...], document: Open, kind: str, *, many: bool
) -> Columns:
    columns: Columns = []
    offsets = {}
    for definition in definitions:
        site = context.cast_site(definition.typeName)
        if site is None:
            columns.append((definition.colname, PLAIN))
            continue
        offsets[definition.location] = definition.colname
        item = Open(definition.location, casts=(site,), member=True)
        columns.append((definition.colname, context.roles.of(item) or Value(opens=(item,))))
    names = [name for name, _ in columns]
    context.roles.read_records(document, kind, many=many, names=names, columns=offsets)
    return columns


def require_no_leftovers(context: Context) -> None:
    """A member with the name of a protected column, which no field takes, would go in clear for nothing."""
    for role in list(context.roles.by_offset.values()):
        if role.json is None:
            continue
        members = dict(role.json.members)
        for member in members.values():
            relation = context.binding.catalog.relations[member.field.relation_oid]
            for name in sorted(role.json.names & context.bound(relation).keys() - members.keys()):
                refuse(
                    context.bound(relation)[name],
                    "a JSON document whose member of that name is stored elsewhere, or nowhere,",
                    "Leave it out of the column definitions, or give it another name.",
                )


def _row_type(context: Context, base: Node, document: Open, kind: str, *, many: bool) -> Columns | None:
    """The columns of NULL::table: those of a field hold its ciphertext."""
    null = isinstance(base, ast.TypeCast) and isinstance(base.arg, ast.A_Const) and base.arg.isnull
    if not null or base.typeName.arrayBounds:
        return None
    names = [part.sval for part in base.typeName.names]
    schema = names[-2] if len(names) > 1 else None
    relation = context.relation(ast.RangeVar(relname=names[-1], schemaname=schema))
    if relation is None or relation.kind not in _TABLES:
        return None
    context.all_columns(relation)
    columns = context.columns(relation)
    fields = {name: value.field for name, value in columns if value.field is not None}
    if not fields:
        return None
    for field in fields.values():
        context.touched.add(field)
        require_usable(field, "a record of the table")
    fixed = {name: Role(field) for name, field in fields.items()}
    context.roles.read_records(document, kind, many=many, names=[name for name, _ in columns], fixed=fixed)
    return columns
