"""SQL that a DO block puts together: harmless if it can hold no value, whatever names are put into it."""

from __future__ import annotations

import re
from collections.abc import Collection

from proxy.sql.parse import Node, ast, parse_statements

_NAME = "pgveil_any_name"
_PLACES = re.compile(r"%(?:(?:\d+\$)?([ILs%]))")
_QUOTING = frozenset({"quote_ident", "quote_literal", "quote_nullable"})

# Statements that neither write a value nor take protection away.
_KINDS = frozenset(
    {
        "AlterDefaultPrivilegesStmt",
        "AlterOwnerStmt",
        "AlterRoleStmt",
        "AlterSeqStmt",
        "ClusterStmt",
        "CommentStmt",
        "CreateExtensionStmt",
        "CreateRoleStmt",
        "CreateSchemaStmt",
        "CreateSeqStmt",
        "CreateTrigStmt",
        "DropRoleStmt",
        "DropStmt",
        "GrantRoleStmt",
        "GrantStmt",
        "IndexStmt",
        "ListenStmt",
        "LockStmt",
        "RefreshMatViewStmt",
        "ReindexStmt",
        "TruncateStmt",
        "VacuumStmt",
    }
)
_TABLE_COMMANDS = frozenset(
    {
        "AT_ChangeOwner",
        "AT_DisableRowSecurity",
        "AT_DisableTrig",
        "AT_DisableTrigAll",
        "AT_DisableTrigUser",
        "AT_DropConstraint",
        "AT_EnableRowSecurity",
        "AT_EnableTrig",
        "AT_EnableTrigAll",
        "AT_EnableTrigUser",
        "AT_ForceRowSecurity",
        "AT_NoForceRowSecurity",
        "AT_ReplicaIdentity",
        "AT_SetLogged",
        "AT_SetStatistics",
        "AT_SetUnLogged",
        "AT_ValidateConstraint",
    }
)


def harmless(node: Node, columns: Collection[str]) -> bool:
    """Whether SQL of this expression is harmless; `columns`: the names that protected columns have."""
    skeleton = _skeleton(node)
    statements = parse_statements(skeleton) if skeleton is not None else None
    return statements is not None and all(_is_harmless(statement, columns) for statement in statements)


def _is_harmless(statement: Node, columns: Collection[str]) -> bool:
    if isinstance(statement, ast.AlterTableStmt):
        return all(_keeps_columns(command, columns) for command in statement.cmds or ())
    return type(statement).__name__ in _KINDS


def _keeps_columns(command: Node, columns: Collection[str]) -> bool:
    if command.subtype.name == "AT_AddColumn":  # one of another name than any protected one
        return command.def_.colname not in columns and command.def_.colname != _NAME
    return command.subtype.name in _TABLE_COMMANDS


def _skeleton(node: Node) -> str | None:
    """The SQL with a name in each place of a quoted one; None where something unquoted is put in."""
    while isinstance(node, ast.TypeCast):
        node = node.arg
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.String):
        return str(node.val.sval)
    if isinstance(node, ast.A_Expr) and node.lexpr is not None and node.name[-1].sval == "||":
        left, right = _skeleton(node.lexpr), _skeleton(node.rexpr)
        return left + right if left is not None and right is not None else None
    if not isinstance(node, ast.FuncCall) or not node.args:
        return None
    name = node.funcname[-1].sval
    if name in _QUOTING and len(node.args) == 1:
        return _NAME if name == "quote_ident" else f"'{_NAME}'"
    if name == "format":
        return _formatted(node.args[0])
    return None


def _formatted(node: Node) -> str | None:
    """A format string with its places filled; None where %s puts something in unquoted."""
    if not (isinstance(node, ast.A_Const) and isinstance(node.val, ast.String)):
        return None
    text: str = node.val.sval
    if any(match[1] == "s" for match in _PLACES.finditer(text)):
        return None
    filled = _PLACES.sub(lambda match: {"I": _NAME, "L": f"'{_NAME}'", "%": "%"}[match[1]], text)
    return filled if "%" not in filled.replace("%%", "") else None
