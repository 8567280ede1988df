"""Constraints of columns and tables, and defaults: a protected value may be compared for equality only."""

from __future__ import annotations

from policy import guard
from policy.binding import BoundField
from proxy.sql.context import Context, descendants
from proxy.sql.definitions import column_of, index_element, relation_scope
from proxy.sql.expressions import condition, infer
from proxy.sql.parse import Node, ast, parse
from proxy.sql.plan import Use
from proxy.sql.scope import Scope
from proxy.sql.unify import fit
from proxy.sql.value import PLAIN, Value, refuse, require_deterministic, require_plain, require_usable


def require_constraints(context: Context, scope: Scope, constraints: Node, field: BoundField | None) -> None:
    for item in constraints:
        require_constraint(context, scope, item, field)


def require_constraint(context: Context, scope: Scope, node: Node, field: BoundField | None) -> None:
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
