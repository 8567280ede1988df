"""`pgveil check` as a person and as a script sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy import cli
from tests.postgres import Database, Postgres

POLICY = """\
version: 1
classes: {lookup: {mode: deterministic}, pii: {mode: randomized}}
tables:
  users:
    email: lookup
    name: pii
"""


@pytest.fixture(autouse=True)
def no_settings_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What chooses the servers of the tests is no setting of pgveil, which would warn of it."""
    monkeypatch.delenv("PGVEIL_TEST_POSTGRES", raising=False)


def run(
    directory: Path, postgres: Postgres, database: str, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    """Exit code, standard output and standard error, with a configuration for the server."""
    server = f"{postgres.host}:{postgres.port}"
    (directory / "pgveil.yaml").write_text(
        f"upstream: postgresql://{server}\nmaintenance: postgresql://ordinary@{server}/{database}\n"
    )
    if not (directory / "policy.yaml").exists():
        (directory / "policy.yaml").write_text(POLICY)
    code = cli.main(["check", "--config", str(directory / "pgveil.yaml"), *arguments])
    output = capsys.readouterr()
    return code, output.out.replace(f"{directory}/", ""), output.err.replace(f"{directory}/", "")


def test_a_policy_that_fits(database16: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database16.execute("CREATE TABLE users (email text UNIQUE, name text)")
    assert run(tmp_path, database16.postgres, database16.name, capsys) == (
        0,
        "policy.yaml:5:5: note: public.users.email: the server takes plaintext that is written past pgveil:"
        " see pgveil guard install\n"
        "policy.yaml:6:5: note: public.users.name: the server takes plaintext that is written past pgveil:"
        " see pgveil guard install\n"
        f"2 protected columns, compared with database {database16.name}: 0 errors, 0 warnings, 2 notes\n",
        "",
    )


def test_an_error_ends_with_1_and_a_warning_with_0(
    database16: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database16.execute("CREATE TABLE users (email text, name text); CREATE INDEX i ON users (name)")
    code, out, _ = run(tmp_path, database16.postgres, database16.name, capsys)
    warning = "policy.yaml:6:5: warning: public.users.name: the index i is of no use on randomized ciphertext"
    assert (code, out.splitlines()[0]) == (0, warning)
    database16.execute("ALTER TABLE users DROP COLUMN email")
    code, out, _ = run(tmp_path, database16.postgres, database16.name, capsys)
    assert (code, out.splitlines()[0]) == (
        1,
        "policy.yaml:5:5: error: column public.users.email does not exist",
    )
    assert out.splitlines()[-1].endswith("1 errors, 1 warnings, 1 notes")


def test_another_database_may_be_named(
    database16: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database16.execute("CREATE TABLE users (email text, name text)")
    code, out, _ = run(tmp_path, database16.postgres, "postgres", capsys)
    assert (code, "table public.users does not exist" in out) == (1, True)
    code, out, _ = run(tmp_path, database16.postgres, "postgres", capsys, "--database", database16.name)
    assert (code, database16.name in out) == (0, True)


def test_json_has_every_finding_with_its_place(
    database16: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(tmp_path, database16.postgres, database16.name, capsys, "--json")
    assert code == 1
    assert json.loads(out) == {
        "database": database16.name,
        "findings": [
            {
                "severity": "error",
                "file": "policy.yaml",
                "line": 5,
                "column": 5,
                "message": "table public.users does not exist",
            }
        ],
        "statements": [],
    }


def test_a_server_that_is_away_is_one_line(
    database16: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(tmp_path, database16.postgres, "nowhere", capsys)
    assert (code, out) == (2, "")
    assert err.startswith(f"pgveil: maintenance: {database16.postgres.host}:{database16.postgres.port}: ")
    assert "nowhere" in err
    assert err.count("\n") == 1


def test_a_wrong_policy_is_told_line_by_line(
    database16: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.yaml").write_text(
        POLICY.replace("email: lookup", "email: lokup").replace("name: pii", "name:")
    )
    code, out, err = run(tmp_path, database16.postgres, database16.name, capsys)
    assert (code, out) == (2, "")
    first, second = err.splitlines()
    assert first.startswith("pgveil: policy.yaml:5:12: class 'lokup' of public.users.email does not exist")
    assert second.startswith("pgveil: policy.yaml:6:10: public.users.name needs a class")


def test_a_misspelt_variable_is_warned_of(
    database16: Database,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database16.execute("CREATE TABLE users (email text, name text)")
    monkeypatch.setenv("PGVEIL_WORKRES", "2")
    code, _, err = run(tmp_path, database16.postgres, database16.name, capsys)
    assert code == 0
    assert err.startswith("pgveil: warning: environment variable PGVEIL_WORKRES: no such setting")


def test_what_in_the_server_uses_protected_columns(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database.execute(
        "CREATE TABLE users (email text, name text);"
        "CREATE FUNCTION by_name(text) RETURNS bigint LANGUAGE sql AS"
        " 'SELECT count(*) FROM users WHERE name = $1';"
        "CREATE FUNCTION parsed() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM users; END;"
        "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN NEW.name := upper(NEW.name); RETURN NEW; END';"
        "CREATE TRIGGER loud BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION shout();"
        "CREATE PUBLICATION feed FOR TABLE users (email)"
    )
    code, out, _ = run(tmp_path, database.postgres, database.name, capsys)
    assert code == 1
    for words in (
        "warning: public.users: the function public.by_name names it and uses name: it sees ciphertext",
        "warning: public.users: the function public.parsed names it: it sees ciphertext",
        "error: public.users.name: the trigger loud writes it, and would spoil the ciphertext",
        "note: public.users: the publication feed sends email to subscribers, as ciphertext",
    ):
        assert words in out, out
