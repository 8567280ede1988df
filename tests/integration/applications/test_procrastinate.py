"""Procrastinate: a queue of jobs in PostgreSQL, whose arguments are a protected jsonb column."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.integration.applications.policies import PROCRASTINATE
from tests.integration.applications.watch import watched
from tests.postgres import Database
from tests.proxy_process import Veil, Veils

HERE = Path(__file__).parent


def run(directory: Path, veil: Veil, *words: str) -> str:
    """Run Python in the application's folder; what it prints."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=directory,
        env={**os.environ, "DATABASE_URL": veil.dsn(), "PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_jobs(database: Database, veil: Veils, tmp_path: Path) -> None:
    """From an empty database: the schema by psql, jobs deferred in every way, a worker, administration."""
    proxy = veil(database, PROCRASTINATE)
    directory = tmp_path / "letters"
    shutil.copytree(HERE / "letters", directory)
    with watched(proxy):
        schema = run(directory, proxy, "-m", "procrastinate", "--app=jobs.app", "schema", "--read")
        psql = [database.postgres.psql, proxy.dsn(), "-qX", "-v", "ON_ERROR_STOP=1"]
        done = subprocess.run(psql, input=schema, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        run(directory, proxy, "steps.py", "defer", "defer_async", "work", "manage")


def test_the_schema_in_one_text(database18: Database, veil: Veils, tmp_path: Path) -> None:
    """`procrastinate schema --apply` sends all of it at once: tables, and what is made on them."""
    directory = tmp_path / "letters"
    shutil.copytree(HERE / "letters", directory)
    proxy = veil(database18, PROCRASTINATE)
    with watched(proxy):
        run(directory, proxy, "-m", "procrastinate", "--app=jobs.app", "schema", "--apply")
        run(directory, proxy, "steps.py", "defer")
