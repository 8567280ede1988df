"""psql and pg_dump through pgveil, as a person or a script uses them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.proxy_process import Veil


def _psql(proxy: Veil, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    program = proxy.database.postgres.psql
    return subprocess.run(
        [str(program), "-X", "-q", "-v", "VERBOSITY=verbose", proxy.dsn(), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _shown(proxy: Veil, sql: str) -> str:
    done = _psql(proxy, "-A", "-t", "-c", sql)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def filled(proxy: Veil) -> Veil:
    _shown(
        proxy,
        "INSERT INTO users (email, ssn, age, born) VALUES ('kanarie-1', 'kanarie', 1733173317, '1973-03-31'),"
        " ('kanarie-2', NULL, 17, NULL)",
    )
    return proxy


def test_statements(filled: Veil) -> None:
    """Results look as they always do; several statements in one -c each show theirs."""
    assert _shown(filled, "SELECT email, ssn, age, born FROM users ORDER BY id") == (
        "kanarie-1|kanarie|1733173317|1973-03-31\nkanarie-2||17|\n"
    )
    both = "SELECT 1; SELECT email FROM users WHERE age = 17; UPDATE users SET ssn = 'kanarie' RETURNING ssn"
    assert _shown(filled, both) == "1\nkanarie-2\nkanarie\nkanarie\n"
    table = _psql(filled, "-c", "SELECT email, age FROM users ORDER BY id").stdout.splitlines()
    assert table[0].split("|") == ["   email   ", "    age     "]
    assert table[2] == " kanarie-1 | 1733173317"  # numbers to the right: the type shown is the logical one


def test_a_script(filled: Veil, tmp_path: Path) -> None:
    """Variables, \\gset, \\bind, \\if, transactions and an error in the middle."""
    script = tmp_path / "script.sql"
    script.write_text(
        "\\set mail kanarie-1\n"
        "SELECT ssn AS found FROM users WHERE email = :'mail' \\gset\n"
        "\\echo :found\n"
        "SELECT age FROM users WHERE email = $1 \\bind kanarie-2 \\g\n"
        "BEGIN;\nSAVEPOINT s;\nSELECT max(email) FROM users;\nROLLBACK TO s;\n"
        "INSERT INTO users (email) VALUES ('kanarie-3');\nCOMMIT;\n"
        "SELECT count(*) FROM users WHERE email IS NOT NULL;\n"
        "\\gdesc\n"
    )
    done = _psql(filled, "-A", "-t", "-f", str(script))
    assert done.stdout.splitlines()[:3] == ["kanarie", "17", "3"]
    assert "0A000" in done.stderr
    assert "public.users.email" in done.stderr


def test_describe_a_result(filled: Veil) -> None:
    """\\gdesc describes with logical types (lesson 22)."""
    done = _psql(filled, "-A", "-t", stdin="SELECT age, born, balance, nick FROM users \\gdesc\n")
    assert done.stdout.splitlines() == [
        "age|integer",
        "born|date",
        "balance|numeric(12,2)",
        "nick|character varying(20)",
    ]


def test_copy_from_and_to_files(filled: Veil, tmp_path: Path) -> None:
    """\\copy both ways (lesson 3)."""
    there, back = tmp_path / "there.csv", tmp_path / "back.csv"
    there.write_text('email,ssn\nkanarie-5,"kanarie, 5"\nkanarie-6,\n')
    done = _psql(
        filled,
        "-c",
        f"\\copy users (email, ssn) FROM '{there}' CSV HEADER",
        "-c",
        "\\copy (SELECT email, ssn FROM users WHERE email IN ('kanarie-5', 'kanarie-6') ORDER BY id)"
        f" TO '{back}' CSV HEADER",
    )
    assert done.returncode == 0, done.stderr
    assert back.read_text() == there.read_text()


@pytest.mark.parametrize(
    "command", ["\\d", "\\d+ contacts", "\\dt+", "\\df", "\\l", "\\dn+", "\\dp", "\\sv contacts"]
)
def test_commands_about_the_catalogue(filled: Veil, command: str) -> None:
    """Where no type is shown that the policy changes, the output is the same as directly."""
    through = _psql(filled, "-c", command)
    program = filled.database.postgres.psql
    direct = subprocess.run(
        [str(program), "-X", "-q", filled.database.dsn, "-c", command],
        capture_output=True,
        text=True,
        check=True,
    )
    assert through.returncode == 0, through.stderr
    assert through.stdout == direct.stdout


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id, nosuch FROM users WHERE email = 'kanarie-1' AND nosuch = 'x'",
        "SELECT id FROM users WHERE email = 'kanarie-1' AND id = nosuch",
        "SELECT id, 'ä€👋'\n  FROM users\n WHERE nick = 'kanarie ü' AND age = 17::int4 AND nosuch = 1",
        "INSERT INTO users (email, note) VALUES ('kanarie', 'ü'), ('kanarie-€', 'x') RETURNING id, nosuch",
        "SELECT format_type(atttypid, -1), nosuch FROM pg_attribute WHERE attrelid = 'users'::regclass",
        "PREPARE p AS UPDATE users SET born = '1973-03-31'::date, ssn = 'kanarie' WHERE nosuch = $1",
    ],
)
def test_the_position_of_an_error(filled: Veil, statement: str) -> None:
    """The caret points into the text as it was typed, not into the one that was sent."""
    done = _psql(filled, "-c", statement)
    lines = done.stderr.splitlines()
    number = next(i for i, line in enumerate(lines) if line.startswith("LINE "))
    assert lines[number + 1].strip() == "^"
    assert lines[number][lines[number + 1].index("^") :].startswith("nosuch")


def test_pg_dump(filled: Veil) -> None:
    """A dump through pgveil holds what the application sees; one past it holds ciphertext."""
    program = filled.database.postgres.bin("pg_dump")
    dumps = [
        subprocess.run(
            [str(program), "--data-only", "--table", "users", dsn],
            capture_output=True,
            text=True,
            check=False,
        )
        for dsn in (filled.dsn(), filled.database.dsn)
    ]
    assert dumps[0].returncode == 0, dumps[0].stderr
    assert "kanarie-1\tkanarie\t1733173317\t1973-03-31" in dumps[0].stdout
    assert "kanarie" not in dumps[1].stdout
