"""Django: two releases of a clinic's application, with migrations, the ORM, the admin and its own tables.

The project is `clinic`, its second release `clinic_second` is laid over it. Both know nothing of pgveil.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.applications.policies import CLINIC
from tests.integration.applications.watch import watched
from tests.postgres import Database
from tests.proxy_process import Veil, Veils

HERE = Path(__file__).parent

# Parts of values that are neither text nor one of the canaries of all tests.
WORDS = ("17331733.17", "6b616e61-7269", "17.33.173.17", "1733 days", "1733 00:00:17", "17:33:17", "md5$")


class Project:
    """A copy of the project, whose database is behind pgveil."""

    def __init__(self, directory: Path, veil: Veil, driver: str) -> None:
        self._directory = directory
        self._environment = {
            **os.environ,
            "CLINIC_HOST": veil.host,
            "CLINIC_PORT": str(veil.port),
            "CLINIC_DATABASE": veil.database.name,
            "CLINIC_DRIVER": driver,
        }
        self.release("clinic")

    def release(self, name: str) -> None:
        """Lay the files of a release over what is there."""
        shutil.copytree(HERE / name, self._directory, dirs_exist_ok=True)

    def run(self, *words: str) -> str:
        """Run a program of the project; what it prints."""
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self._directory,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout


def test_a_clinic(database: Database, veil: Veils, tmp_path: Path) -> None:
    """From an empty database to the second release, with psycopg."""
    _live_through(database, veil, tmp_path, "psycopg")


@pytest.mark.parametrize("driver", ["psycopg-server", "psycopg2"])
def test_a_clinic_with_another_driver(database18: Database, veil: Veils, tmp_path: Path, driver: str) -> None:
    """The same with parameters that are bound in the server, and with psycopg2."""
    _live_through(database18, veil, tmp_path, driver)


def _live_through(database: Database, veil: Veils, directory: Path, driver: str) -> None:
    proxy = veil(database, CLINIC)
    project = Project(directory / "clinic", proxy, driver)
    with watched(proxy, WORDS):
        project.run("manage.py", "makemigrations", "people")
        project.run("manage.py", "migrate")
        project.run("steps.py", "create", "read", "change", "refusals", "users", "admin", "dump")
        project.release("clinic_second")
        project.run("manage.py", "migrate")
        project.run("steps.py", "second")
        project.run("manage.py", "makemigrations", "--check")
        models = project.run("manage.py", "inspectdb", "people_person")
    for line in (
        "born = models.DateField(blank=True, null=True)",
        "balance = models.DecimalField(max_digits=12, decimal_places=2, blank=True, null=True)",
        "document = models.JSONField()",
        "address = models.GenericIPAddressField(blank=True, null=True)",
        "patience = models.DurationField(blank=True, null=True)",
        "phone = models.CharField(max_length=20)",
    ):
        assert line in models
