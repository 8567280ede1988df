"""Django's own suite, from its source distribution: the applications in it that use a database."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from proxy.embedded import Server
from tests.conformance.outcomes import Outcomes, of_unittest
from tests.conformance.sources import fetch

NAME = "django"
_REQUIREMENT = "Django==5.2.19"
_OTHERS = ("psycopg[binary]", "jinja2", "pillow", "pytz", "tblib", "tzdata")
_SETTINGS = """\
import os

DATABASES = {
    name: {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": os.environ["PGUSER"],
        "HOST": os.environ["PGHOST"],
        "PORT": os.environ["PGPORT"],
        "TEST": {"NAME": f"test_{name}"},
    }
    for name in ("default", "other")
}
SECRET_KEY = "none"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
"""
_APPLICATIONS = """
admin_changelist admin_filters admin_views aggregation aggregation_regress annotations async auth_tests
backends basic bulk_create cache composite_pk constraints contenttypes_tests custom_columns custom_lookups
custom_pk datetimes db_functions db_typecasts db_utils defer delete delete_regress distinct_on_fields
expressions expressions_case expressions_window extra_regress fixtures force_insert_update foreign_object
generic_relations generic_relations_regress get_or_create indexes inspectdb introspection
known_related_objects lookup m2m_through many_to_many many_to_one migrations migrations2 model_fields
model_inheritance model_inheritance_regress multiple_database null_fk null_queries one_to_one or_lookups
ordering postgres_tests prefetch_related queries raw_query reverse_lookup schema select_for_update
select_related serializers sessions_tests string_lookup test_utils timezones transaction_hooks transactions
unmanaged_models update update_only_fields validators xor_lookups
"""


class DjangoSuite:
    """The suite, in an environment of its own in `work`."""

    policies = ("unused",)
    known: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    version = _REQUIREMENT.partition("==")[2]

    def __init__(self, work: Path) -> None:
        place = work / _REQUIREMENT
        self._python = fetch(place, _REQUIREMENT, _OTHERS, None)
        self._tests = place / "suite/tests"
        (self._tests / "pgveil_settings.py").write_text(_SETTINGS)

    def run(self, server: Server, port: int, results: Path) -> Outcomes:
        """Run it against a port, and leave what it says in `results`."""
        results.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        environment |= {"PGHOST": server.host, "PGPORT": str(port), "PGUSER": server.user}
        words = [str(self._python), "-W", "ignore", "runtests.py", "--settings=pgveil_settings"]
        words += ["--parallel=1", "--noinput", "-v", "2", *_APPLICATIONS.split()]
        done = subprocess.run(
            words,
            cwd=self._tests,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        (results / "django.log").write_text(done.stdout)
        return of_unittest(done.stdout)
