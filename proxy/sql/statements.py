"""One statement: which rule judges it. A kind that has no rule may not name a protected table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from policy.types import LogicalType
from proxy.errors import Refused
from proxy.sql import alter_table, ddl, dml, queries, server_code, tables
from proxy.sql.calls import Call
from proxy.sql.context import Context, descendants
from proxy.sql.copy_statement import copy
from proxy.sql.documents import settled
from proxy.sql.expressions import infer
from proxy.sql.parse import Node, ast
from proxy.sql.plan import (
    CatalogChange,
    CloseCursor,
    DeclareCursor,
    DropName,
    Effect,
    ResultColumn,
    Results,
    Role,
    SetSearchPath,
    SettingChange,
    Shape,
    StatementPlan,
    TransactionChange,
    Use,
)
from proxy.sql.scope import Item, Scope
from proxy.sql.unify import fit
from proxy.sql.value import HINTS, Value, refuse, require_plain


def statement(context: Context, node: Node) -> StatementPlan:
    """Judge one statement. Raises Refused; roles and edits are left in the context."""
    context.effects = []
    rule = _RULES.get(type(node))
    if rule is not None:
        plan = rule(context, node)
    else:
        _other(context, node)
        plan = StatementPlan()
    if not context.effects:
        return plan
    return StatementPlan(plan.results, plan.copy, (*plan.effects, *context.effects))


# --- queries ---------------------------------------------------------------------------------------------


def query(context: Context, scope: Scope, node: Node) -> Item:
    """The output columns of a statement that can stand in WITH, a subquery, or alone."""
    rule = _QUERIES.get(type(node))
    if rule is None:
        raise Refused(f"pgveil does not know {type(node).__name__} as a query")
    return rule(context, scope, node)


_QUERIES: dict[type, Callable[[Context, Scope, Node], Item]] = {
    ast.SelectStmt: queries.select,
    ast.InsertStmt: dml.insert,
    ast.UpdateStmt: dml.update,
    ast.DeleteStmt: dml.delete,
    ast.MergeStmt: dml.merge,
}


def _query(context: Context, node: Node) -> StatementPlan:
    context.bare_call = _bare_call(node)
    return StatementPlan(results=results(context, query(context, Scope(), node)))


def _bare_call(node: Node) -> Node:
    """The call of a statement that is nothing but SELECT function(); else None."""
    if not isinstance(node, ast.SelectStmt) or len(node.targetList or ()) != 1:
        return None
    clauses = ("fromClause", "whereClause", "groupClause", "havingClause", "limitCount", "limitOffset")
    others = ("withClause", "distinctClause", "valuesLists", "sortClause")
    return None if any(getattr(node, name) for name in clauses + others) else node.targetList[0].val


def results(context: Context, item: Item) -> Results | None:
    """The result columns that have to be opened; None if there are none."""
    columns = tuple(result_column(context, value) for _, value in item.columns)
    return Results(columns, item.gap) if any(columns) else None


def result_column(context: Context, value: Value) -> ResultColumn | None:
    """How a column's values are opened. Raises Refused for a whole row, which has no text that could be."""
    if value.row is not None:
        require_plain(value, "returning a whole row", "Name the columns, or use row_to_json().")
        return None
    if value.records is not None:
        require_plain(value, "returning the JSON document")
    value = context.roles.show(value, "a result column")
    if value.json is not None and value.json.members:
        members = settled(value.json)
        fields = tuple(sorted(value.fields, key=lambda field: str(field.field)))
        return ResultColumn(fields, Shape.JSON_ARRAY if value.array else Shape.JSON, None, members)
    if value.field is None:
        return None
    logical = value.type or value.field.type
    if value.array and not logical.array:
        return ResultColumn((value.field,), Shape.ARRAY, logical.array_of)
    if value.array:
        require_plain(value, "an array of arrays")
    return ResultColumn((value.field,), Shape.SCALAR, logical)


def _explain(context: Context, node: Node) -> StatementPlan:
    rule = _RULES.get(type(node.query))
    plan = rule(context, node.query) if rule is not None else StatementPlan()
    effects = (*plan.effects, *context.effects)
    context.effects = []
    return StatementPlan(effects=tuple(_perhaps(e) for e in effects if not isinstance(e, DeclareCursor)))


def _perhaps(effect: Effect) -> Effect:
    """What a statement would do that EXPLAIN runs, or not: with ANALYZE."""
    return SetSearchPath(None, known=False) if isinstance(effect, SetSearchPath) else effect


# --- prepared statements and cursors ---------------------------------------------------------------------


def _execute(context: Context, node: Node) -> StatementPlan:
    context.session_dependent = True
    inner = context.prepared(node.name)
    if inner is None:
        raise Refused(f'prepared statement "{node.name}" does not exist', sqlstate="26000")
    roles = {p.source: p.role for p in inner.parameters or () if p.role is not None}
    for i, argument in enumerate(node.params or ()):
        value = infer(context, Scope(), argument)
        if (role := roles.get(i)) is not None and role.json is not None:
            context.roles.give_records(value, role)
        elif role is not None:
            if role.record is not None:
                refuse(role.field, "a composite argument of EXECUTE", HINTS["value"])
            clause = "an argument of EXECUTE"
            fit(value, role.field, context.roles, clause, array=role.array, use=role.use)
            if role.shown is not None:
                context.roles.show_as(value, role.shown)
            _read_by_cast(context, value, role)
        else:
            require_plain(value, "an argument of EXECUTE")
    return StatementPlan(results=inner.first.results, effects=inner.first.effects)


def _read_by_cast(context: Context, value: Value, role: Role) -> None:
    """An argument is read as the parameter is: by the cast around it, or the type of what it meets.

    It becomes a value of the parameter's type first, as if it were assigned: 5.5 to an integer is 6.
    """
    cast = role.cast
    if cast is None and role.use is Use.COMPARED and not (role.array or role.field.type.array):
        cast = LogicalType(role.field.type.name)
    if cast is None:
        return
    for item in value.opens:
        if not item.casts:
            own = context.roles.by_offset[item.offset]
            context.roles.by_offset[item.offset] = replace(own, cast=cast)
        elif role.cast is None and (item.casts[-1].type is None or item.casts[-1].type.name != cast.name):
            refuse(role.field, "a cast to another type in an argument of EXECUTE", HINTS["value"])
        elif cast.family != role.field.type.family:
            refuse(role.field, "a cast within a cast in an argument of EXECUTE", HINTS["value"])


def _deallocate(context: Context, node: Node) -> StatementPlan:
    return StatementPlan(effects=(DropName(node.name),))


_CURSOR_OPT_BINARY = 0x0001  # CURSOR_OPT_BINARY and CURSOR_OPT_HOLD of PostgreSQL's parsenodes.h
_CURSOR_OPT_HOLD = 0x0020


def _declare(context: Context, node: Node) -> StatementPlan:
    output = results(context, query(context, Scope(), node.query))
    hold = bool(node.options & _CURSOR_OPT_HOLD)
    binary = bool(node.options & _CURSOR_OPT_BINARY)
    return StatementPlan(effects=(DeclareCursor(node.portalname, output, hold, binary),))


def _fetch(context: Context, node: Node) -> StatementPlan:
    context.session_dependent = True
    return StatementPlan() if node.ismove else StatementPlan(results=context.cursors(node.portalname))


def _close(context: Context, node: Node) -> StatementPlan:
    return StatementPlan(effects=(CloseCursor(node.portalname),))


# --- transactions and settings ---------------------------------------------------------------------------

_TRANSACTION = {
    "TRANS_STMT_BEGIN": "begin",
    "TRANS_STMT_START": "begin",
    "TRANS_STMT_COMMIT": "commit",
    "TRANS_STMT_ROLLBACK": "rollback",
    "TRANS_STMT_SAVEPOINT": "savepoint",
    "TRANS_STMT_ROLLBACK_TO": "rollback_to",
    "TRANS_STMT_RELEASE": "release",
    "TRANS_STMT_PREPARE": "commit",
}


def _transaction(context: Context, node: Node) -> StatementPlan:
    kind = _TRANSACTION.get(node.kind.name)
    if kind is None:
        return StatementPlan()
    return StatementPlan(effects=(TransactionChange(kind, node.savepoint_name or ""),))


_FOLLOWED = frozenset(
    {"client_encoding", "names", "standard_conforming_strings", "datestyle", "intervalstyle", "timezone"}
)


def _set(context: Context, node: Node) -> StatementPlan:
    name = (node.name or "").lower()
    kind = node.kind.name
    effects: tuple[Effect, ...] = ()
    if kind == "VAR_RESET_ALL":
        effects = (SetSearchPath(None), SettingChange())
    elif name == "search_path":
        effects = (_search_path(node, kind),)
    elif name in ("role", "session_authorization"):
        effects = (SetSearchPath(None, local=bool(node.is_local), known=False),)
    elif name in _FOLLOWED:
        effects = (SettingChange(),)
    return StatementPlan(effects=effects)


def _search_path(node: Node, kind: str) -> SetSearchPath:
    local = bool(node.is_local)
    if kind in ("VAR_SET_DEFAULT", "VAR_RESET"):
        return SetSearchPath(None, local=local)
    if kind != "VAR_SET_VALUE":  # SET search_path FROM CURRENT
        return SetSearchPath(None, local=local, known=False)
    names: list[str] = []
    for argument in node.args or ():
        if not (isinstance(argument, ast.A_Const) and isinstance(argument.val, ast.String)):
            return SetSearchPath(None, local=local, known=False)
        names.append(argument.val.sval)
    if len(names) == 1 and "," in names[0]:
        # one string is one quoted name, whatever commas it holds
        return SetSearchPath((names[0],), local=local)
    return SetSearchPath(tuple(n for name in names for n in _one(name)), local=local)


def _one(name: str) -> tuple[str, ...]:
    return (name,) if name else ()


def _discard(context: Context, node: Node) -> StatementPlan:
    if node.target.name == "DISCARD_ALL":
        everything = (
            DropName(None, everything=True),
            CloseCursor(None),
            SetSearchPath(None),
            SettingChange(),
        )
        return StatementPlan(effects=everything)
    return StatementPlan()


# --- everything else -------------------------------------------------------------------------------------

# Kinds that hold no value and show none: they may name protected tables.
_HARMLESS = frozenset(
    {
        "CheckPointStmt",
        "ClusterStmt",
        "CommentStmt",
        "ConstraintsSetStmt",
        "GrantStmt",
        "ListenStmt",
        "LockStmt",
        "NotifyStmt",
        "RefreshMatViewStmt",
        "ReindexStmt",
        "SecLabelStmt",
        "TruncateStmt",
        "UnlistenStmt",
        "VacuumStmt",
        "VariableShowStmt",
        "AlterObjectDependsStmt",
        "AlterOwnerStmt",
        "CompositeTypeStmt",
        "ImportForeignSchemaStmt",
        "DropOwnedStmt",
        "AlterSeqStmt",
        "CreateSeqStmt",
    }
)
_OF_NO_CONCERN = frozenset({"CreateSeqStmt", "AlterSeqStmt", "CreateRoleStmt", "DropRoleStmt"})
_DDL = ("Create", "Alter", "Drop", "Rename", "Import", "Define", "Rule")


def _other(context: Context, node: Node) -> None:
    kind = type(node).__name__
    if kind not in _HARMLESS:
        for item in descendants(node):
            if isinstance(item, ast.RangeVar):
                ddl.require_unprotected(context, item, kind)
    if kind.startswith(_DDL) and kind not in _OF_NO_CONCERN:
        context.effects.append(CatalogChange(columns=kind == "DropOwnedStmt"))


def _call(context: Context, node: Node) -> StatementPlan:
    value = infer(context, Scope(), node.funccall)
    if not value.protected:
        return StatementPlan()
    if isinstance(node.funccall, ast.FuncCall) and (columns := Call(context, node.funccall).columns()):
        return StatementPlan(results=results(context, Item(columns)))
    require_plain(value, "an argument of CALL")
    return StatementPlan()


def _copy(context: Context, node: Node) -> StatementPlan:
    return StatementPlan(copy=copy(context, node, result_column))


def _checked(rule: Callable[[Context, Node], None]) -> Callable[[Context, Node], StatementPlan]:
    """A rule that only judges."""

    def judge(context: Context, node: Node) -> StatementPlan:
        if not isinstance(node, _WITH_QUERIES):
            _refuse_subqueries(context, node)
        rule(context, node)
        return StatementPlan()

    return judge


# Definitions that may have queries in them; each has a rule that judges those.
_WITH_QUERIES = (
    ast.AlterPolicyStmt,
    ast.CreateFunctionStmt,
    ast.CreatePolicyStmt,
    ast.CreateTableAsStmt,
    ast.ViewStmt,
)


def _refuse_subqueries(context: Context, node: Node) -> None:
    """The server refuses a subquery in a definition when it has read, and logged, the values in it."""
    for item in descendants(node):
        if isinstance(item, ast.SubLink):
            for source in descendants(item):
                if isinstance(source, ast.RangeVar):
                    ddl.require_unprotected(context, source, "a subquery")


_RULES: dict[type, Callable[[Context, Node], StatementPlan]] = {
    ast.AlterObjectSchemaStmt: _checked(ddl.move),
    ast.AlterPolicyStmt: _checked(ddl.row_policy),
    ast.AlterPublicationStmt: _checked(ddl.publication),
    ast.AlterTableStmt: _checked(alter_table.alter_table),
    ast.CallStmt: _call,
    ast.ClosePortalStmt: _close,
    ast.CopyStmt: _copy,
    ast.CreateForeignTableStmt: _checked(tables.create_foreign_table),
    ast.CreateFunctionStmt: _checked(server_code.create_function),
    ast.CreatePolicyStmt: _checked(ddl.row_policy),
    ast.CreatePublicationStmt: _checked(ddl.publication),
    ast.CreateSchemaStmt: _checked(ddl.schema),
    ast.CreateStatsStmt: _checked(ddl.statistics),
    ast.CreateStmt: _checked(tables.create_table),
    ast.CreateTableAsStmt: _checked(ddl.create_table_as),
    ast.CreateTrigStmt: _checked(server_code.trigger),
    ast.DeallocateStmt: _deallocate,
    ast.DeclareCursorStmt: _declare,
    ast.DeleteStmt: _query,
    ast.DiscardStmt: _discard,
    ast.DoStmt: _checked(server_code.do_block),
    ast.DropStmt: _checked(ddl.drop),
    ast.ExecuteStmt: _execute,
    ast.ExplainStmt: _explain,
    ast.FetchStmt: _fetch,
    ast.IndexStmt: _checked(ddl.index),
    ast.InsertStmt: _query,
    ast.MergeStmt: _query,
    ast.RenameStmt: _checked(ddl.rename),
    ast.SelectStmt: _query,
    ast.TransactionStmt: _transaction,
    ast.UpdateStmt: _query,
    ast.VariableSetStmt: _set,
    ast.ViewStmt: _checked(ddl.view),
}
