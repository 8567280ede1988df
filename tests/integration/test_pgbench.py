"""pgbench, unmodified, in its three query modes: its own TPC-B and a script on protected columns."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.proxy_process import Veil

SCRIPT = """
\\set n random(1, 20)
INSERT INTO users (email, ssn, age) VALUES ('kanarie-' || :n, 'kanarie', :n) ON CONFLICT (email) DO NOTHING;
"""
PROTECTED = """
\\set n random(1, 20)
BEGIN;
UPDATE users SET ssn = 'kanarie ssn', age = :n WHERE email = 'kanarie-7';
INSERT INTO orders (buyer, total) VALUES ('kanarie-7', :n);
SELECT email, ssn FROM users WHERE age = :n;
SELECT count(*) FROM orders o JOIN users u ON u.email = o.buyer;
END;
"""


def _pgbench(proxy: Veil, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = proxy.database.postgres.bin("pgbench")
    return subprocess.run(
        [str(program), *arguments, proxy.dsn()], capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_protected_script(proxy: Veil, tmp_path: Path, mode: str) -> None:
    """Every transaction succeeds, and the rows are there."""
    proxy.execute("INSERT INTO users (email) VALUES ('kanarie-7')")
    script = tmp_path / "protected.sql"
    script.write_text(PROTECTED)
    done = _pgbench(proxy, "-n", "-M", mode, "-c", "2", "-t", "20", "-f", str(script))
    assert done.returncode == 0, done.stderr
    assert "number of transactions actually processed: 40/40" in done.stdout
    assert proxy.execute("SELECT count(*) FROM orders WHERE buyer = 'kanarie-7'") == [(40,)]


def test_tpc_b(proxy: Veil) -> None:
    """pgbench makes its tables through pgveil (COPY, DDL, VACUUM) and runs in each mode."""
    made = _pgbench(proxy, "-i", "-q", "-s", "1")
    assert made.returncode == 0, made.stderr
    try:
        for mode in ("simple", "extended", "prepared"):
            done = _pgbench(proxy, "-M", mode, "-c", "2", "-t", "20")
            assert done.returncode == 0, done.stderr
            assert "number of failed transactions: 0" in done.stdout
    finally:
        _pgbench(proxy, "-i", "-I", "d")


def test_an_expression_that_is_refused(proxy: Veil, tmp_path: Path) -> None:
    """pgbench shows the refusal and ends."""
    script = tmp_path / "refused.sql"
    script.write_text(SCRIPT)
    done = _pgbench(proxy, "-n", "-t", "1", "-f", str(script))
    assert done.returncode != 0
    assert "public.users.email" in done.stderr
