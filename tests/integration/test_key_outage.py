"""The keystore goes away and comes back: keys are used for the policy's grace, and all heals by itself."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import pytest

from tests.postgres import Database, newest_only
from tests.proxy_process import CANARY, Veil, Veils

pytestmark = newest_only()

POLICY = """\
version: 1
classes: {secret: {mode: randomized}}
tables: {users: {note: secret}}
keys: {grace: %s}
"""
SELECT = "SELECT note FROM users"


@dataclass
class Site:
    """A proxy whose keystore is in a database of its own, which can be closed to everybody."""

    veil: Veil
    keystore: str

    def close(self) -> None:
        self.veil.database.postgres.execute(f'ALTER DATABASE "{self.keystore}" ALLOW_CONNECTIONS false')
        self.veil.database.postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (self.keystore,)
        )

    def open(self) -> None:
        self.veil.database.postgres.execute(f'ALTER DATABASE "{self.keystore}" ALLOW_CONNECTIONS true')

    def metric(self, name: str) -> int:
        _, text = self.veil.admin("/metrics")
        return int(re.findall(rf"^pgveil_{name} (\d+)$", text, re.MULTILINE)[0])


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.fixture
def site(database: Database, veil: Veils) -> Iterator[Site]:
    """Its keys are asked about every second."""
    keystore = database.postgres.create_database().rsplit("/", 1)[1]
    database.execute("CREATE TABLE users (note text)")
    keys = {"keystore": {"url": database.postgres.dsn(keystore)}, "cache_ttl": "1s"}
    yield Site(veil(database, POLICY % "unlimited", start=False, keys=keys), keystore)
    database.at_end.callback(database.postgres.drop_database, keystore)


def test_an_outage_of_the_keystore(site: Site) -> None:
    veil = site.veil
    veil.make_keys()
    site.close()
    veil.start(status=503)  # it starts all the same
    eventually(lambda: "the keys could not be read yet" in veil.admin("/readyz")[1], "no reason is given")
    assert veil.execute("SELECT 1") == [(1,)]
    with pytest.raises(psycopg.errors.SystemError, match="keys of a protected column cannot be had now"):
        veil.execute("INSERT INTO users VALUES (%s)", (CANARY,))

    site.open()
    eventually(veil.ready, "the keys are not read")
    veil.execute("INSERT INTO users VALUES (%s)", (CANARY,))
    eventually(lambda: site.metric("key_outage") == 0, "the end of the outage does not show")

    site.close()
    eventually(lambda: site.metric("key_outage") == 1, "the outage does not show")
    eventually(lambda: site.metric("key_outage_seconds") > 1, "the outage does not last")
    assert veil.ready()
    veil.execute("INSERT INTO users VALUES (%s)", (CANARY,))
    assert veil.execute(SELECT) == [(CANARY,)] * 2
    assert "keys could not be read again" in veil.log_text()

    assert veil.process is not None
    veil.write_policy(POLICY % "0s")
    veil.process.send_signal(signal.SIGHUP)
    eventually(lambda: not veil.ready(), "the keys are kept")
    assert "nobody could be asked about the keys for too long" in veil.admin("/readyz")[1]
    eventually(lambda: site.metric("keys_open") == 0, "the keys are kept")
    with pytest.raises(psycopg.errors.SystemError):
        veil.execute(SELECT)

    site.open()
    eventually(veil.ready, "the keys are not read again")
    assert veil.execute(SELECT) == [(CANARY,)] * 2


def test_a_keystore_of_another_master_key_is_no_outage(site: Site) -> None:
    site.veil.make_keys()
    (site.veil.directory / "keys" / "master.key").unlink()
    assert site.veil.command("serve").returncode == 2
