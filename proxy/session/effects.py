"""What a completed statement does to the session: settings, transactions, names, the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from proxy.session.names import Cursor, Statement
from proxy.sql.plan import (
    CatalogChange,
    CloseCursor,
    DeclareCursor,
    DropName,
    Effect,
    PrepareName,
    SetSearchPath,
    TextPlan,
    TransactionChange,
)

if TYPE_CHECKING:
    from proxy.session.state import State


_IDLE = ord("I")
_IN_TRANSACTION = ord("T")


def apply_effects(state: State, effects: Iterable[Effect], tag: bytes) -> None:
    """Apply them in order. `tag` is the CommandComplete's: COMMIT of a failed transaction says ROLLBACK."""
    state.unsettled = True
    for effect in effects:
        match effect:
            case SetSearchPath():
                _set_search_path(state, effect)
            case TransactionChange():
                _transaction(state, effect, tag)
            case CatalogChange():
                state.change_catalog(effect)
            case PrepareName(name, plan, text):
                view = state.view()
                statement = Statement(text, plan, state.planner(), view, (), state.names.segment)
                statement.certain = True
                state.names.statements[name.encode()] = statement
            case DropName(None):
                state.names.clear()
            case DropName(str(name)):
                state.names.statements.pop(name.encode(), None)
            case DeclareCursor(name, results, hold, binary):
                state.names.declare(name.encode(), Cursor(results, hold, binary))
            case CloseCursor(None):
                state.names.portals.clear()
                state.names.cursors.clear()
            case CloseCursor(str(name)):
                state.names.portals.pop(name.encode(), None)
                state.names.cursors.pop(name.encode(), None)
            case _:
                pass


def note_effects(state: State, plan: TextPlan) -> None:
    """Whether the next statement has to wait for what this one does to the session."""
    unsettled = state.search_path.uncommitted or state.uncommitted is not None
    for statement in plan.statements:
        for effect in statement.effects:
            if not isinstance(effect, TransactionChange) or (unsettled and effect.kind != "begin"):
                state.barrier = True


def _set_search_path(state: State, effect: SetSearchPath) -> None:
    if not effect.known:
        state.search_path.set(None, local=effect.local)
    elif effect.value is None:
        state.search_path.set(state.search_path.initial, local=effect.local)
    else:
        state.search_path.set(effect.value, local=effect.local)


def _transaction(state: State, effect: TransactionChange, tag: bytes) -> None:
    path = state.search_path
    match effect.kind:
        case "commit":
            path.end(committed=tag != b"ROLLBACK")
            state.end_of_changes()
            state.status = _IDLE
        case "rollback":
            path.end(committed=False)
            state.end_of_changes()
            state.status = _IDLE
        case "savepoint":
            path.savepoint(effect.name)
        case "rollback_to":
            path.rollback_to(effect.name)
            state.status = _IN_TRANSACTION
            if state.uncommitted is not None:
                state.change_catalog(CatalogChange())
        case "release":
            path.release(effect.name)
