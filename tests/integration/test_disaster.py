"""The drill of docs/backup.md: everything is gone; a dump and an export bring it back."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.postgres import Database
from tests.proxy_process import CANARY, CANARY_NUMBER, Veil, Veils

POLICY = """
version: 1
classes:
  random: {mode: randomized}
  equal: {mode: deterministic}
tables:
  people: {email: equal, note: random, salary: {class: random, type: int4}}
"""
SELECT = "SELECT email, note, salary FROM people WHERE email = %s"
ROW = (CANARY, f"{CANARY} note", CANARY_NUMBER)


def run(proxy: Veil, *arguments: str) -> str:
    done = proxy.command("keys", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def lose_everything(site: Veil) -> None:
    site.stop()
    shutil.rmtree(site.directory)
    site.database.execute("DROP SCHEMA public CASCADE; DROP SCHEMA pgveil CASCADE; CREATE SCHEMA public")


@pytest.mark.parametrize("keystore", ["file", "table"])
def test_a_dump_and_an_export_are_enough(
    keystore: str, database: Database, veil: Veils, tmp_path: Path
) -> None:
    postgres = database.postgres
    dump, export, passphrase = (tmp_path / name for name in ("people.sql", "keys.export", "passphrase"))
    passphrase.write_text("correct horse battery staple")
    passphrase.chmod(0o600)

    def keys(where: Database) -> dict[str, object]:
        in_file = {"file": "keys/keystore.json"}
        return {
            "local": {"file": "keys/master.key"},
            "keystore": in_file if keystore == "file" else {"url": where.dsn},
        }

    here = veil(database, POLICY, start=False, keys=keys(database))
    run(here, "init")
    here.start()
    here.execute("CREATE TABLE people (email text UNIQUE, note text, salary bytea)")
    here.execute("INSERT INTO people VALUES (%s, %s, %s)", ROW)
    run(here, "export", "--out", str(export), "--passphrase-file", str(passphrase))
    subprocess.run([postgres.bin("pg_dump"), "--file", dump, database.dsn], check=True)
    lose_everything(here)

    with postgres.database() as elsewhere:
        subprocess.run(
            [postgres.bin("psql"), "-qX", "-v", "ON_ERROR_STOP=1", "-f", dump, elsewhere.dsn],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        there = veil(elsewhere, POLICY, start=False, keys=keys(elsewhere))
        if keystore == "table":  # it came with the dump, wrapped by the master key that is lost
            assert "restore its master key" in there.command("keys", "init").stderr
            elsewhere.execute("DROP TABLE pgveil.encryption_keys")
        told = there.command("keys", "init")
        assert told.returncode == 1  # the database remembers keys that are not there yet
        assert "HINT: Put the keystore of this database in place, or import an export of it" in told.stderr
        assert "0 there already" in run(there, "import", str(export), "--passphrase-file", str(passphrase))
        verified = run(there, "verify")
        assert "field keys  3 open, and open their canaries\n" in verified
        assert f"3 keys in table pgveil.key_fingerprints of database {elsewhere.name}: these\n" in verified
        there.start()
        assert there.execute(SELECT, [CANARY]) == [ROW]
        there.execute("INSERT INTO people VALUES ('kanarie 2', 'kanarie 2', 2)")
        assert there.execute("SELECT count(*) FROM people WHERE email IN ('kanarie', 'kanarie 2')") == [(2,)]
        assert "WARNING" not in there.log_text()


def test_from_a_keystore_in_a_file_to_one_in_a_table(database18: Database, veil: Veils) -> None:
    """The same two commands move keys; the old keystore is left as it is."""
    files = {"file": "keys/keystore.json"}
    proxy = veil(database18, POLICY, keys={"local": {"file": "keys/master.key"}, "keystore": files})
    proxy.execute("CREATE TABLE people (email text, note text, salary bytea)")
    proxy.execute("INSERT INTO people VALUES (%s, %s, %s)", ROW)
    proxy.stop()
    shares = proxy.directory / "shares"
    shared = ("--shares", "3", "--threshold", "2", "--shares-out", str(shares))
    run(proxy, "export", "--out", "keys.export", *shared)
    proxy.config["keys"]["keystore"] = {"url": database18.dsn}
    proxy.write_config()
    run(proxy, "init")
    run(proxy, "import", "keys.export", "--shares-from", *sorted(str(path) for path in shares.iterdir())[1:])
    proxy.start()
    assert proxy.execute(SELECT, [CANARY]) == [ROW]
