"""search_path through transactions is what PostgreSQL itself says after every step."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.session.search_path import SearchPath
from tests.postgres import Postgres

STEPS = st.one_of(
    st.sampled_from(
        ["BEGIN", "COMMIT", "ROLLBACK", "RESET", "ERROR", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN"]
    ),
    st.tuples(st.sampled_from(["SET", "SET LOCAL"]), st.sampled_from(["a", "b", "c"])).map(" ".join),
    st.tuples(st.sampled_from(["SAVEPOINT", "ROLLBACK TO", "RELEASE"]), st.sampled_from(["s", "t"])).map(
        " ".join
    ),
)
SQL = {"RESET": "RESET search_path", "ERROR": "SELECT 1/0"}
TRANSACTION = {"BEGIN", "COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN"}


def statement(step: str) -> str:
    verb, _, name = step.rpartition(" ")
    return f"{verb} search_path = {name}" if verb in ("SET", "SET LOCAL") else SQL.get(step, step)


def follow(path: SearchPath, step: str, tag: str, *, idle: bool) -> None:
    """What the session does when the server has completed a step, and told its transaction status."""
    verb, _, name = step.rpartition(" ")
    if step in TRANSACTION:
        if step != "BEGIN":
            path.end(committed=tag.startswith("COMMIT"))
    elif step == "RESET":
        path.set(path.initial)
    elif verb in ("SET", "SET LOCAL"):
        path.set((name,), local=verb == "SET LOCAL")
    elif verb == "SAVEPOINT":
        path.savepoint(name)
    elif verb == "ROLLBACK TO":
        path.rollback_to(name)
    elif verb == "RELEASE":
        path.release(name)
    if idle:
        path.end(committed=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(steps=st.lists(STEPS, max_size=12))
def test_follows_the_server(connection: psycopg.Connection[tuple[str]], steps: list[str]) -> None:
    connection.execute("ROLLBACK")
    connection.execute("RESET search_path")
    path = SearchPath(("start",))
    for step in steps:
        try:
            tag = connection.execute(statement(step).encode()).statusmessage or ""
        except psycopg.Error:
            continue
        idle = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        follow(path, step, tag, idle=idle)
        if connection.info.transaction_status != psycopg.pq.TransactionStatus.INERROR:
            row = connection.execute("SHOW search_path").fetchone()
            assert row is not None
            assert path.value == (row[0],), step


@pytest.fixture(scope="module")
def connection(postgres18: Postgres):  # type: ignore[no-untyped-def]
    with postgres18.connect(options="-c search_path=start") as connected:
        yield connected


# --- a story ---------------------------------------------------------------------------------------------


def test_set_local_ends_with_the_transaction() -> None:
    path = SearchPath(("public",))
    path.set(("audit",), local=True)
    assert path.value == ("audit",)
    assert path.uncommitted
    path.end(committed=True)
    assert path.value == ("public",)
    assert not path.uncommitted


def test_set_is_undone_by_rollback_only() -> None:
    path = SearchPath(("public",))
    path.set(("audit",))
    path.end(committed=False)
    assert path.value == ("public",)
    path.set(("audit",))
    path.end(committed=True)
    path.end(committed=False)
    assert path.value == ("audit",)


def test_a_path_that_is_not_known_is_rolled_back_too() -> None:
    path = SearchPath(("public",))
    path.set(None)
    assert path.value is None
    path.end(committed=False)
    assert path.value == ("public",)


def test_what_the_server_reports_counts() -> None:
    path = SearchPath(("public",))
    path.report(("audit",))
    assert path.value == ("audit",)
    path.set(None, local=True)
    path.report(("archive",))
    assert path.value == ("archive",)
    path.end(committed=True)
    assert path.value == ("audit",)


def test_what_is_not_known_is_known_again_from_servers_that_report_it() -> None:
    path = SearchPath(("start",))
    path.set(None)
    path.settle()
    assert path.value is None  # before PostgreSQL 18 nobody says
    path.report(("other",))
    path.set(None)
    path.settle()
    assert path.value == ("other",)
    path.set(None, local=True)
    path.settle()
    assert path.value == ("other",)
    path.end(committed=True)
    assert path.value == ("other",)
