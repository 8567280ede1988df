"""What `pgveil guard` says of a wrong command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy import cli
from proxy.commands import guard
from tests.postgres import Database

POLICY = "version: 1\nclasses: {pii: {mode: randomized}}\ntables:\n  users: {email: pii}\n"


@pytest.fixture
def config(database16: Database, tmp_path: Path) -> Path:
    server = f"{database16.postgres.host}:{database16.postgres.port}"
    file = tmp_path / "pgveil.yaml"
    file.write_text(f"upstream: postgresql://{server}\nmaintenance: {database16.dsn}\n")
    (tmp_path / "policy.yaml").write_text(POLICY)
    database16.execute("CREATE TABLE users (email text)")
    return file


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--field", "users.mail"), "--field: the policy has no field 'users.mail'"),
        (("--table", "other"), "--table: the policy has no table 'other'"),
        (("--login", "postgresql://127.0.0.1/app"), "--login: the URL names no user"),
        (("--login", "postgresql://a:secret@127.0.0.1/app"), "--login: a password does not belong"),
        (("--database", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    config: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert cli.main(["guard", "status", "--config", str(config), *arguments]) == guard.USAGE
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert "secret" not in error


def test_json(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["guard", "status", "--json", "--config", str(config)]) == guard.FOUND
    assert json.loads(capsys.readouterr().out) == [
        {"field": "public.users.email", "state": "no guard", "reason": None}
    ]
    assert cli.main(["guard", "install", "--json", "--config", str(config), "--field", "users.email"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "columns": [
            {
                "field": "public.users.email",
                "message": "guarded, and every row validated",
                "failed": False,
            }
        ],
        "statements": None,
    }
