"""`pgveil keys` as a person meets it: what it makes, what it prints, and that it never shows a key."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
from pathlib import Path

import pytest

from crypto import master_key_file
from crypto.assembly import open_manager
from crypto.manager import KeyNeed
from crypto.nonces import WARN_AT
from crypto.providers import local
from tests.postgres import Database
from tests.proxy.commands.site import Site, use

EMAIL = KeyNeed("public.users.email", "public.users", "aes-siv")
QUERY = KeyNeed("public.conversations.user_query", "public.conversations", "aes-256-gcm")


@pytest.fixture(autouse=True)
def quick_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(master_key_file, "SCRYPT_N", 1 << 10)


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    site = Site(tmp_path, capsys)
    site.configure("{keystore: {file: keys/keystore.json}}")
    return site


def test_init_makes_both_files_and_tells_to_back_them_up(site: Site) -> None:
    code, output, errors = site.run("init")
    assert (code, errors) == (0, "")
    assert f"{site.key_file}: made" in output
    assert "Back up both, apart from each other" in output
    for path in (site.key_file, site.keystore):
        assert path.stat().st_mode & 0o777 == 0o600
    assert site.key_file.parent.stat().st_mode & 0o777 == 0o700


def test_init_again_changes_nothing(site: Site) -> None:
    site.run("init")
    before = site.key_file.read_bytes(), site.keystore.read_bytes()
    code, output, _ = site.run("init")
    assert code == 0
    assert "exists already, left as it is" in output
    assert (site.key_file.read_bytes(), site.keystore.read_bytes()) == before


def test_init_makes_no_new_master_key_for_an_old_keystore(site: Site) -> None:
    site.run("init")
    site.key_file.unlink()
    code, _, errors = site.run("init")
    assert code == 2
    assert "there is no such file, but the keystore exists: restore its master key" in errors
    assert not site.key_file.exists()


def test_list_of_a_new_keystore_shows_the_master_keys_name(site: Site) -> None:
    site.run("init")
    code, output, _ = site.run("list")
    assert code == 0
    assert re.fullmatch(r"TYPE +NAME .*\nmaster +local:[0-9a-f]{16} .*\n", output)


def test_a_table_for_people_and_json_for_programs(site: Site) -> None:
    site.run("init")
    use(site, EMAIL, QUERY)
    code, output, _ = site.run("list", "--json")
    rows = [(row["type"], row["name"], row["version"], row["encryptions"]) for row in json.loads(output)]
    assert code == 0
    assert rows[1:] == [
        ("dek", "public.conversations", 1, 0),
        ("dek", "public.users", 1, 0),
        ("fek", "public.conversations.user_query", 1, 64),
        ("fek", "public.users.email", 1, 0),
    ]
    code, table, _ = site.run("list")
    assert code == 0
    assert [line.split()[:2] for line in table.splitlines()[2:]] == [[row[0], row[1]] for row in rows[1:]]


def test_status_of_healthy_keys(site: Site) -> None:
    site.run("init")
    code, output, _ = site.run("status")
    assert code == 0
    assert "dek keys    none yet\n" in output
    use(site, EMAIL, QUERY)
    code, output, _ = site.run("status")
    assert code == 0
    assert "dek keys    2 active\nfek keys    2 active\n" in output
    code, output, _ = site.run("status", "--json")
    status = json.loads(output)
    assert code == 0
    assert status["provider"] == "local"
    assert status["keys"]["fek"] == {"pending": 0, "active": 2, "retiring": 0, "destroyed": 0}
    assert status["findings"] == []


def test_status_finds_an_altered_keystore(site: Site) -> None:
    site.run("init")
    site.keystore.write_text(site.keystore.read_text().replace('"active"', '"retiring"'))
    code, output, _ = site.run("status")
    assert code == 1
    assert f"problem     {site.keystore}: its seal is broken: the file was altered\n" in output
    code, output, _ = site.run("status", "--json")
    assert code == 1
    assert len(json.loads(output)["findings"]) == 1


def test_status_finds_altered_rows_and_used_up_keys_of_a_table(site: Site, database18: Database) -> None:
    site.configure(f"{{keystore: {{url: '{database18.dsn}', schema: vault}}}}")
    assert site.run("init")[0] == 0
    assert "table vault.encryption_keys: ready" in site.run("init")[1]

    async def use_table() -> None:
        manager = open_manager(key_file=site.key_file, keystore_url=database18.dsn, keystore_schema="vault")
        await manager.ensure([EMAIL, QUERY])
        await manager.close()

    asyncio.run(use_table())
    assert site.run("status")[0] == 0
    database18.execute(
        f"UPDATE vault.encryption_keys SET metadata = '{{\"encryptions\": {WARN_AT}}}'"
        f" WHERE key_id = '{QUERY.name}'; "
        f"UPDATE vault.encryption_keys SET key_id = 'renamed' WHERE key_id = '{EMAIL.name}'"
    )
    code, output, _ = site.run("status")
    assert code == 1
    assert "problem     fek 'renamed' version 1 does not open: its record was altered" in output
    told = f"problem     fek '{QUERY.name}' version 1 has encrypted {WARN_AT} values: it needs a new version"
    assert told in output


def test_init_makes_no_new_master_key_for_an_old_table(site: Site, database18: Database) -> None:
    site.configure(f"{{keystore: {{url: '{database18.dsn}'}}}}")
    site.run("init")
    site.key_file.unlink()
    code, _, errors = site.run("init")
    assert code == 2
    assert "restore its master key" in errors


def test_a_keystore_of_another_master_key(site: Site) -> None:
    site.run("init")
    site.key_file.unlink()
    local.create(site.key_file)
    for action in ("init", "list"):
        code, _, errors = site.run(action)
        assert code == 2
        assert "its seal does not open" in errors
    code, output, _ = site.run("status")
    assert code == 1
    assert "its seal does not open" in output


def test_before_init_each_command_says_what_to_do(site: Site) -> None:
    for action in ("list", "status"):
        code, _, errors = site.run(action)
        assert code == 2
        assert errors == f"pgveil: {site.key_file}: there is no master key: run pgveil keys init\n"


def test_a_key_file_that_others_can_read(site: Site) -> None:
    site.run("init")
    site.key_file.chmod(0o644)
    code, _, errors = site.run("status")
    assert code == 2
    assert errors == f"pgveil: {site.key_file}: can be used by others (mode 0644); chmod 600 it\n"


def test_a_passphrase_in_a_file(site: Site) -> None:
    site.configure("{local: {passphrase_file: passphrase}, keystore: {file: keys/keystore.json}}")
    passphrase = site.directory / "passphrase"
    passphrase.touch(0o600)
    passphrase.write_text("correct horse\n")
    assert site.run("init")[0] == 0
    assert json.loads(site.key_file.read_bytes())["protection"] == "scrypt"
    assert site.run("status")[0] == 0
    passphrase.write_text("battery staple\n")
    code, _, errors = site.run("status")
    assert code == 2
    assert errors == f"pgveil: {site.key_file}: wrong passphrase\n"


class Terminal:
    """Stands in for a terminal at which a person types passphrases."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *typed: str) -> None:
        self._typed = list(typed)
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("getpass.getpass", lambda prompt: self._typed.pop(0))


def test_a_passphrase_from_a_terminal(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    Terminal(monkeypatch, "correct horse", "correct horse")
    assert site.run("init", "--sealed")[0] == 0
    Terminal(monkeypatch, "correct horse")
    assert site.run("status")[0] == 0
    Terminal(monkeypatch, "wrong")
    assert site.run("status") == (2, "", f"pgveil: {site.key_file}: wrong passphrase\n")


@pytest.mark.parametrize(
    ("typed", "error"),
    [(("one", "other"), "the two passphrases differ"), (("",), "the passphrase is empty")],
)
def test_a_new_passphrase_is_asked_twice(
    site: Site, monkeypatch: pytest.MonkeyPatch, typed: tuple[str, ...], error: str
) -> None:
    Terminal(monkeypatch, *typed)
    assert site.run("init", "--sealed") == (2, "", f"pgveil: {error}\n")
    assert not site.key_file.exists()


def test_without_a_terminal_nothing_is_asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    Terminal(monkeypatch, "correct horse", "correct horse")
    site.run("init", "--sealed")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    code, _, errors = site.run("status")
    assert code == 2
    assert "there is no terminal to ask for its passphrase" in errors
    shutil.rmtree(site.key_file.parent)
    code, _, errors = site.run("init", "--sealed")
    assert code == 2
    assert "set keys.local.passphrase_file" in errors


def test_no_command_shows_a_key(site: Site) -> None:
    site.run("init")
    use(site, EMAIL, QUERY)
    shown = "".join(
        "".join(site.run(*arguments)[1:])
        for arguments in (["list"], ["list", "--json"], ["status"], ["status", "--json"], ["init"])
    )
    master = json.loads(site.key_file.read_bytes())["key"]
    wrapped = [key["encrypted_key"] for key in json.loads(site.keystore.read_bytes())["keys"]]
    for secret in filter(None, [master, *wrapped]):
        assert secret not in shown
        assert base64.b64decode(secret).hex() not in shown
