"""What completed statements leave in the session."""

from __future__ import annotations

import pytest

from proxy.session.effects import apply_effects
from proxy.session.state import SessionContext, State
from proxy.sql.plan import (
    PLAIN,
    CatalogChange,
    CloseCursor,
    DeclareCursor,
    DropName,
    Effect,
    PrepareName,
    SetSearchPath,
    SettingChange,
    TransactionChange,
)
from proxy.sql.planner import Planner
from tests.session.playbook import KEYS
from tests.sql.world import world


@pytest.fixture
def state() -> State:
    planner = Planner(world())
    return State(SessionContext(lambda: planner, lambda: KEYS, "app"))


def done(state: State, *effects: Effect, tag: bytes = b"") -> State:
    apply_effects(state, effects, tag)
    return state


def path(state: State) -> tuple[str, ...] | None:
    return state.view().search_path


def test_search_path(state: State) -> None:
    assert path(state) == ("app", "public")
    assert path(done(state, SetSearchPath(("audit", "$user")))) == ("audit", "app")
    assert path(done(state, SetSearchPath(("archive",), local=True))) == ("archive",)
    assert path(done(state, SetSearchPath(None))) == ("app", "public")
    assert path(done(state, SetSearchPath(None, known=False))) is None


def test_transactions(state: State) -> None:
    done(state, TransactionChange("begin"), SetSearchPath(("audit",)))
    assert path(done(state, TransactionChange("rollback"))) == ("app", "public")
    done(
        state,
        TransactionChange("begin"),
        SetSearchPath(("audit",)),
        TransactionChange("commit"),
        tag=b"COMMIT",
    )
    assert path(state) == ("audit",)
    done(state, SetSearchPath(("archive",)), TransactionChange("commit"), tag=b"ROLLBACK")
    assert path(state) == ("audit",)
    done(state, TransactionChange("savepoint", "a"), SetSearchPath(("archive",)))
    assert path(done(state, TransactionChange("rollback_to", "a"))) == ("audit",)
    done(state, SetSearchPath(("archive",)), TransactionChange("release", "a"))
    assert path(done(state, TransactionChange("rollback_to", "a"))) == ("archive",)


def test_names(state: State) -> None:
    done(state, PrepareName("p", PLAIN, b"SELECT 1"), PrepareName("Q", PLAIN, b"SELECT 2"))
    assert set(state.names.statements) == {b"p", b"Q"}
    assert state.view().prepared("p") is PLAIN
    assert set(done(state, DropName("p")).names.statements) == {b"Q"}
    assert not done(state, DropName(None)).names.statements
    assert not done(state, DropName("never")).names.statements


def test_cursors(state: State) -> None:
    done(state, DeclareCursor("c", None), DeclareCursor("d", None, hold=True))
    assert set(state.names.cursors) == {b"c", b"d"}
    assert set(done(state, CloseCursor("c")).names.cursors) == {b"d"}
    assert not done(state, CloseCursor(None)).names.cursors


def test_the_catalogue(state: State) -> None:
    done(state, CatalogChange(frozenset({"names"})))
    assert state.view().unseen
    assert state.uncommitted is not None
    assert state.uncommitted.names == {"names"}
    assert not state.catalog_changed
    state.end_of_transaction()
    assert state.catalog_changed
    assert state.announce_ddl
    assert not state.view().unseen


def test_settings_come_from_the_server(state: State) -> None:
    before = state.settings
    assert done(state, SettingChange()).settings == before


def test_the_view_stays_the_same_while_nothing_changes(state: State) -> None:
    """Prepared statements are confirmed by it."""
    view = state.view()
    assert (
        done(state, TransactionChange("begin"), SettingChange(), PrepareName("p", PLAIN, b"")).view() is view
    )
    assert done(state, SetSearchPath(("audit",))).view() is not view
