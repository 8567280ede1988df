"""`pgveil explain`: what would be sent, or why it is refused, for people and for scripts."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from proxy import cli
from tests.postgres import Database, Postgres

POLICY = """\
version: 1
classes: {lookup: {mode: deterministic}, pii: {mode: randomized}}
tables:
  users: {email: lookup, name: pii}
  other.users: {email: pii}
"""
TABLES = """
CREATE TABLE users (id int, email text, name text);
CREATE SCHEMA other;
CREATE TABLE other.users (email text);
"""


@pytest.fixture
def server(database16: Database, tmp_path: Path) -> Postgres:
    database16.execute(TABLES)
    postgres = database16.postgres
    address = f"{postgres.host}:{postgres.port}"
    (tmp_path / "pgveil.yaml").write_text(
        f"upstream: postgresql://{address}\nmaintenance: postgresql://ordinary@{address}/{database16.name}\n"
    )
    (tmp_path / "policy.yaml").write_text(POLICY)
    return postgres


def explain(directory: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(["explain", "--config", str(directory / "pgveil.yaml"), *arguments])
    output = capsys.readouterr()
    return code, output.out, output.err


@pytest.mark.usefixtures("server")
def test_a_statement_that_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT id, name FROM users WHERE email = 'ada' OR email = $1"
    assert explain(tmp_path, capsys, sql) == (
        0,
        "works: sent as\n"
        "  SELECT id, name FROM users WHERE email = <users.email> OR email = $1\n"
        "  $1: your $1, a value of type text, encrypted for users.email\n"
        "  column 2: text, decrypted from users.name\n",
        "",
    )


@pytest.mark.usefixtures("server")
def test_a_statement_on_nothing_protected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(tmp_path, capsys, "SELECT id FROM users")[:2] == (
        0,
        "works: it goes to the server byte for byte\n",
    )


@pytest.mark.usefixtures("server")
def test_a_refused_statement_says_why_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = explain(tmp_path, capsys, "SELECT 1 FROM users WHERE name = 'ada'")
    assert (code, err) == (1, "")
    first, detail, hint = out.splitlines()
    assert first.startswith("refused (0A000): ")
    assert "public.users.name" in first
    assert detail.strip().startswith("detail: The column is encrypted with mode randomized")
    assert hint.strip().startswith("hint: Give the field a class with mode deterministic")
    assert "ada" not in out


@pytest.mark.usefixtures("server")
def test_for_scripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = explain(tmp_path, capsys, "--json", "UPDATE users SET email = 'ada'")
    assert code == 0
    told = json.loads(out)
    assert told["works"] is True
    assert told["sent"] == "UPDATE users SET email = <users.email>"
    code, out, _ = explain(tmp_path, capsys, "--json", "SELECT lower(email) FROM users")
    assert code == 1
    told = json.loads(out)
    assert (told["works"], told["sqlstate"]) == (False, "0A000")


@pytest.mark.usefixtures("server")
def test_in_another_search_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT 1 FROM users WHERE email = 'ada'"
    assert explain(tmp_path, capsys, sql)[0] == 0
    assert explain(tmp_path, capsys, "--search-path", "other, public", sql)[0] == 1


@pytest.mark.usefixtures("server")
def test_reads_standard_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT id FROM users"))
    assert explain(tmp_path, capsys, "-")[0] == 0


@pytest.mark.usefixtures("server")
def test_a_database_that_does_not_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = explain(tmp_path, capsys, "--database", "nowhere", "SELECT 1")
    assert (code, out) == (2, "")
    assert err.startswith("pgveil: maintenance: ")
    assert len(err.splitlines()) == 1
