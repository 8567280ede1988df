"""pgveil with its master key in a real OpenBao, which comes and goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from tests.openbao import Bao, private
from tests.postgres import Database
from tests.proxy.commands.test_serve import wait_for
from tests.proxy_process import CANARY, Veil, Veils

POLICY = {
    "version": 1,
    "classes": {"pii": {"sensitivity": "high", "mode": "randomized"}},
    "tables": {"people": {"name": "pii"}, "letters": {"body": "pii"}},
}


def keys(bao: Bao, token_file: Path) -> dict[str, Any]:
    vault = {"address": bao.address, "key": "pgveil", "token_file": str(token_file), "timeout": "1s"}
    return {"provider": "vault", "vault": vault, "keystore": {"file": "keys/keystore.json"}}


def said(session: psycopg.Connection[Any], sql: str) -> Any:
    """The rows of a statement, or how many; the SQLSTATE where it fails."""
    try:
        cursor = session.execute(sql)
        return cursor.fetchall() if cursor.description else cursor.rowcount
    except psycopg.Error as error:
        return error.sqlstate


def anew(veil: Veil, sql: str) -> Any:
    """The same in a session of its own: a result that cannot be decrypted ends the session."""
    with veil.connect() as session:
        return said(session, sql)


def test_an_outage_takes_away_no_key_that_is_open(
    veil: Veils, database18: Database, own_bao: Bao, tmp_path: Path
) -> None:
    """With two workers: what was connected before the fork must not be used after it."""
    database18.execute("CREATE TABLE people (name text); CREATE TABLE letters (body text)")
    token = own_bao.token("pgveil-transit")
    proxy = veil(database18, POLICY, keys=keys(own_bao, private(tmp_path / "token", token)), workers=2)
    with proxy.connect() as session:  # at one of the workers
        assert said(session, f"INSERT INTO people VALUES ('{CANARY}')") == 1
        assert said(session, "SELECT name FROM people LIMIT 1") == [(CANARY,)]
        own_bao.stop()
        for _ in range(2):
            assert said(session, f"INSERT INTO letters VALUES ('{CANARY}')") == "58000"
            assert said(session, f"INSERT INTO people VALUES ('{CANARY}')") == 1
            assert said(session, "SELECT name FROM people LIMIT 1") == [(CANARY,)]

    proxy.stop()
    proxy.start(503)  # all the same, without what it cannot have yet
    assert anew(proxy, "SELECT name FROM people") == "58000"
    assert "keys cannot be read yet" in proxy.log_text()
    own_bao.start()
    wait_for(lambda: anew(proxy, "SELECT name FROM people LIMIT 1") == [(CANARY,)], 60)
    wait_for(proxy.ready, 60)
    wait_for(lambda: anew(proxy, f"INSERT INTO letters VALUES ('{CANARY}')") == 1, 60)
    assert token not in proxy.log_text()
    assert proxy.stop() == 0


def test_what_is_wrong_for_good_is_one_line_at_the_start(
    veil: Veils, database18: Database, shared_bao: Bao, tmp_path: Path
) -> None:
    token_file = private(tmp_path / "token", shared_bao.token("pgveil-transit"))
    proxy = veil(database18, POLICY, start=False, keys=keys(shared_bao, token_file))
    proxy.make_keys()
    for token, why in ((shared_bao.token("pgveil-kv"), "permission denied"), ("none", "permission denied")):
        token_file.write_text(token)
        done = proxy.command("serve")
        assert done.returncode == 2
        [line] = [line for line in done.stderr.splitlines() if not line.startswith("{")]
        assert line.startswith("pgveil: ")
        assert why in line
        assert token not in done.stderr
