"""The search for leaks finds them: in the tables, in the server's log, in pgveil's own."""

from __future__ import annotations

import pytest

from tests.postgres import Database
from tests.proxy_process import CANARY, CANARY_NUMBER, Veils, canaries_in

POLICY = {"version": 1}


def test_what_is_written_past_pgveil_is_found_in_the_tables_only(database18: Database, veil: Veils) -> None:
    proxy = veil(database18, POLICY, start=False, leaks=True)
    database18.execute("CREATE TABLE notes (body text)")
    database18.execute("INSERT INTO notes VALUES (%s)", [f"a {CANARY}"])
    assert CANARY in database18.log_text()
    with pytest.raises(AssertionError, match="the tables hold"):
        proxy.assert_no_leak()
    database18.execute("TRUNCATE notes")
    proxy.assert_no_leak()


@pytest.mark.parametrize("value", [CANARY, str(CANARY_NUMBER)])
def test_a_parameter_that_came_another_way_is_found_in_the_log(
    database18: Database, veil: Veils, value: str
) -> None:
    proxy = veil(database18, POLICY, start=False, leaks=True)
    with database18.connect(application_name="an application") as connection:
        connection.execute("SELECT %s::text", [value])
    with pytest.raises(AssertionError, match="the server's log holds"):
        proxy.assert_no_leak()


def test_pgveils_own_log_is_searched(database18: Database, veil: Veils) -> None:
    proxy = veil(database18, POLICY, start=False, leaks=True)
    proxy.log_path.write_text(f"something with {CANARY}\n")
    with pytest.raises(AssertionError, match="pgveil's log holds"):
        proxy.assert_no_leak()


def test_bytea_is_read_as_the_server_prints_it(database18: Database) -> None:
    database18.execute("CREATE TABLE notes (body bytea)")
    database18.execute("INSERT INTO notes VALUES (%s)", [CANARY.encode()])
    assert canaries_in(database18.contents()) == [CANARY]
    database18.execute("UPDATE notes SET body = 'nothing'")
    assert canaries_in(database18.contents()) == []
