"""Every kind of statement that PostgreSQL's grammar knows has a case that says what becomes of it.

The kinds are the classes of pglast's nodes; the cases are tests/sql/fixtures and the statements that are run
against live servers. Where the syntax of a kind has room for a table, one of its cases names a protected one.
"""

from __future__ import annotations

from pglast import ast

from proxy.sql.context import descendants
from proxy.sql.parse import SyntaxFailure, parse
from proxy.sql.planner import Planner
from tests.integration import cases as live
from tests.sql.test_statements import CASES
from tests.sql.world import world

KINDS = {name for name in dir(ast) if name.endswith("Stmt")}
# What the parser makes of no text of its own.
INNER = {
    "PLAssignStmt": "an assignment of PL/pgSQL",
    "RawStmt": "around every statement",
    "SetOperationStmt": "made when a query is analysed",
}
# Kinds whose syntax has no room for a relation, nor for a type or an object that could have its name.
ABOUT_OTHER_THINGS = {
    *("AlterCollationStmt", "AlterDatabaseRefreshCollStmt", "AlterDatabaseSetStmt", "AlterDatabaseStmt"),
    *("AlterDefaultPrivilegesStmt", "AlterDomainStmt", "AlterEventTrigStmt", "AlterExtensionStmt"),
    *("AlterFdwStmt", "AlterForeignServerStmt", "AlterOpFamilyStmt", "AlterOperatorStmt"),
    *("AlterRoleSetStmt", "AlterRoleStmt", "AlterStatsStmt", "AlterSubscriptionStmt", "AlterSystemStmt"),
    *("AlterTSConfigurationStmt", "AlterTSDictionaryStmt", "AlterTableMoveAllStmt"),
    *("AlterTableSpaceOptionsStmt", "AlterTypeStmt", "AlterUserMappingStmt", "CheckPointStmt"),
    *("ConstraintsSetStmt", "CreateAmStmt", "CreateConversionStmt", "CreateEventTrigStmt"),
    *("CreateExtensionStmt", "CreateFdwStmt", "CreateForeignServerStmt", "CreateOpClassStmt"),
    *("CreateOpFamilyStmt", "CreatePLangStmt", "CreateRangeStmt", "CreateRoleStmt"),
    *("CreateSubscriptionStmt", "CreateTableSpaceStmt", "CreateUserMappingStmt", "CreatedbStmt"),
    *("DeallocateStmt", "DiscardStmt", "DropOwnedStmt", "DropRoleStmt", "DropSubscriptionStmt"),
    *("DropTableSpaceStmt", "DropUserMappingStmt", "DropdbStmt", "GrantRoleStmt", "LoadStmt"),
    *("ReassignOwnedStmt", "ReturnStmt", "TransactionStmt", "ClosePortalStmt", "FetchStmt"),
    *("VariableSetStmt", "CallStmt"),
}


def texts() -> list[str]:
    """Every statement that is a case."""
    fixtures = [step.text for case in CASES for step in case.steps]
    return fixtures + [case.sql for file in live.DIRECTORY.glob("*.sql") for case in live.load(file.name)]


def kinds_in(text: str) -> set[str]:
    """The kinds of the statements of a text, and of those within them."""
    try:
        parsed = parse(text)
    except SyntaxFailure:
        return set()
    return {type(node).__name__ for item in parsed.statements for node in descendants(item)} & KINDS


def test_every_kind_of_statement_has_a_case() -> None:
    mentions = Planner(world()).mentions
    found: set[str] = set()
    protected: set[str] = set()
    for text in texts():
        kinds = kinds_in(text)
        found |= kinds
        if mentions(text):
            protected |= kinds
    assert KINDS - found == INNER.keys()
    assert KINDS - protected - INNER.keys() <= ABOUT_OTHER_THINGS
    assert KINDS >= ABOUT_OTHER_THINGS
