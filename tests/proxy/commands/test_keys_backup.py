"""`pgveil keys export`, `import` and `verify` as a person meets them, in the worst case and in others."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crypto import export_file
from crypto.manager import KeyNeed
from tests.documents import ROOT
from tests.proxy.commands.site import Site, reads, use

EMAIL = KeyNeed("public.users.email", "public.users", "aes-siv")
QUERY = KeyNeed("public.conversations.user_query", "public.conversations", "aes-256-gcm")


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    """A site with two keys."""
    site = Site(tmp_path / "here", capsys)
    site.directory.mkdir()
    site.configure("{keystore: {file: keys/keystore.json}}")
    site.run("init")
    return site


@pytest.fixture
def elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    """Another one, with a master key of its own and no keys yet."""
    site = Site(tmp_path / "elsewhere", capsys)
    site.directory.mkdir()
    site.configure("{keystore: {file: keys/keystore.json}}")
    site.run("init")
    return site


@pytest.fixture
def passphrase(tmp_path: Path) -> str:
    path = tmp_path / "passphrase"
    path.write_text("correct horse battery staple\n")
    path.chmod(0o600)
    return str(path)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_file.seal_with_passphrase, "__kwdefaults__", {"n": 1 << 10})


def export(site: Site, *options: str) -> str:
    path = site.directory / "keys.export"
    code, output, errors = site.run("export", "--out", str(path), *options)
    assert code == 0, errors
    assert f"{path}: " in output
    return str(path)


@pytest.mark.usefixtures("quick")
def test_with_a_passphrase(site: Site, elsewhere: Site, passphrase: str) -> None:
    values = use(site, EMAIL, QUERY)
    file = export(site, "--passphrase-file", passphrase)
    shutil.rmtree(site.directory / "keys")
    code, output, _ = elsewhere.run("import", file, "--passphrase-file", passphrase)
    assert code == 0
    assert output == f"{elsewhere.keystore}: 4 keys added, 0 there already, 0 of these in a later state now\n"
    assert reads(elsewhere, values)
    code, output, _ = elsewhere.run("import", file, "--passphrase-file", passphrase)
    assert (code, "0 keys added, 4 there already" in output) == (0, True)
    code, output, _ = elsewhere.run("verify")
    assert code == 0
    assert "field keys  2 open, and open their canaries\n" in output


def test_with_custodians(site: Site, elsewhere: Site) -> None:
    values = use(site, EMAIL, QUERY)
    shares = site.directory / "shares"
    file = export(site, "--shares", "5", "--threshold", "3", "--shares-out", str(shares))
    files = sorted(str(path) for path in shares.iterdir())
    assert len(files) == 5
    assert {os.stat(path).st_mode & 0o777 for path in files} == {0o600}
    code, _, errors = elsewhere.run("import", file, "--shares-from", *files[:2])
    assert (code, errors) == (2, "pgveil: 3 different shares are needed, and 2 are given\n")
    Path(files[1]).write_text(Path(files[1]).read_text().replace(" ", "  ").upper())
    text = Path(files[2]).read_text()
    Path(files[2]).write_text(text.rsplit(" ", 1)[0])
    code, _, errors = elsewhere.run("import", file, "--shares-from", *files[:3])
    assert code == 2
    assert errors == (
        f"pgveil: {files[2]}: is not a share: a word is missing, misspelt, or in another place\n"
    )
    assert elsewhere.run("import", file, "--shares-from", *files[:2], files[4])[0] == 0
    assert reads(elsewhere, values)


def test_shares_are_printed_where_they_go_to_no_file(site: Site) -> None:
    code, output, _ = site.run(
        "export", "--out", str(site.directory / "x"), "--shares", "3", "--threshold", "2"
    )
    assert code == 0
    assert [len(line.split()) for line in output.splitlines()].count(33) == 3
    assert "Share 3 of 3 of x; any 2 open it.\n" in output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--shares", "5"], "--shares and --threshold go together"),
        (["--shares", "5", "--threshold", "6"], "of at most 16 shares at least 2"),
        (["--shares", "5", "--threshold", "3", "--passphrase-file", "x"], "or for custodians, not both"),
        (["--shares-out", "x"], "--shares-out needs --shares"),
        ([], "there is no terminal to ask for a passphrase: use --passphrase-file"),
    ],
)
def test_what_makes_no_export(
    site: Site, options: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    code, _, errors = site.run("export", "--out", str(site.directory / "x"), *options)
    assert code == 2
    assert told in errors
    assert not (site.directory / "x").exists()


@pytest.mark.usefixtures("quick")
def test_an_export_overwrites_nothing(site: Site, passphrase: str) -> None:
    file = export(site, "--passphrase-file", passphrase)
    before = Path(file).read_bytes()
    code, _, errors = site.run("export", "--out", file, "--passphrase-file", passphrase)
    assert (code, "exists already; an export never overwrites a file" in errors) == (2, True)
    assert Path(file).read_bytes() == before


@pytest.mark.usefixtures("quick")
def test_a_wrong_passphrase_and_no_export(site: Site, elsewhere: Site, passphrase: str) -> None:
    file = export(site, "--passphrase-file", passphrase)
    Path(passphrase).write_text("wrong")
    code, _, errors = elsewhere.run("import", file, "--passphrase-file", passphrase)
    assert (code, errors) == (
        2,
        f"pgveil: {file}: does not open: wrong passphrase, or the file was altered\n",
    )
    code, _, errors = elsewhere.run("import", str(site.keystore), "--passphrase-file", passphrase)
    assert (code, errors) == (2, f"pgveil: {site.keystore}: is not an export of pgveil\n")


@pytest.mark.usefixtures("quick")
def test_a_kill_in_the_middle_of_an_import_leaves_all_or_nothing(
    site: Site, elsewhere: Site, passphrase: str
) -> None:
    """Killed at the two steps that put the new file in its place; the next run finishes."""
    values = use(site, EMAIL, QUERY)
    file = export(site, "--passphrase-file", passphrase)
    empty = elsewhere.keystore.read_bytes()
    for step, whole in (("_write_temporary", False), ("_sync_directory", True)):
        config = str(elsewhere.directory / "pgveil.yaml")
        words = ["keys", "import", file, "--passphrase-file", passphrase, "--config", config]
        killed = subprocess.run(
            [sys.executable, "-c", _KILLED_AT.format(step=step), *words], cwd=ROOT, check=False
        )
        assert killed.returncode == -signal.SIGKILL
        if not whole:
            assert elsewhere.keystore.read_bytes() == empty
    assert reads(elsewhere, values)
    assert elsewhere.run("import", file, "--passphrase-file", passphrase)[0] == 0
    assert elsewhere.run("verify")[0] == 0


_KILLED_AT = """
import os, signal, sys
from crypto import durable
durable.{step} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from proxy import cli
sys.exit(cli.main(sys.argv[1:]))
"""


def test_verify_says_what_is_wrong_and_repairs_what_is_old(site: Site, tmp_path: Path) -> None:
    vectors = ROOT / "tests" / "crypto" / "vectors"
    shutil.copy(vectors / "keystore-v1.json", site.keystore)
    shutil.copy(vectors / "master-key-v1.json", site.key_file)
    for path in (site.keystore, site.key_file):
        path.chmod(0o600)
    site.keystore.with_name("keystore.json.lock").unlink()
    code, output, _ = site.run("verify")
    assert code == 1
    assert output.count("has no canary yet: run pgveil keys verify --repair\n") >= 3
    code, output, _ = site.run("verify", "--repair")
    assert code == 0
    assert "keys have a canary now\n" in output
    code, output, _ = site.run("verify", "--json")
    report = json.loads(output)
    assert (code, report["problems"], report["repaired"]) == (0, [], 0)
    assert report["keystore"] == str(site.keystore)
    assert report["master_key"].startswith("local:")
    site.keystore.write_text(site.keystore.read_text().replace('"active"', '"retiring"'))
    code, output, _ = site.run("verify")
    assert code == 1
    assert f"problem     {site.keystore}: its seal is broken: the file was altered" in output


def test_a_destruction_that_was_killed_is_finished_by_the_next(site: Site) -> None:
    """Killed when nobody seals with the key any more, and when the keystore is replaced for the last time."""
    (site.directory / "policy.yaml").write_text(
        "version: 1\nclasses: {equal: {mode: deterministic}}\ntables: {users: {email: equal}}\n"
    )
    values = use(site, EMAIL, QUERY)
    words = ["destroy", "users.email", "--shred", "--confirm", "users.email"]
    config = str(site.directory / "pgveil.yaml")
    for place in ("destruction.asyncio.sleep", "durable._write_temporary"):
        killed = subprocess.run(
            [sys.executable, "-c", _KILLED_IN.format(place=place), "keys", *words, "--config", config],
            cwd=ROOT,
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL
        states = {row["name"]: row["state"] for row in json.loads(site.run("list", "--json")[1])}
        assert states[EMAIL.name] == "retiring"
        assert reads(site, values)
    code, output, _ = site.run(*words)
    assert (code, "destroyed: fek 'public.users.email' version 1\n" in output) == (0, True)
    assert "destroy exports, backups of the keystore" in output
    assert reads(site, {QUERY: values[QUERY]})
    assert site.run("verify")[0] == 0


_KILLED_IN = """
import os, signal, sys
from crypto import destruction, durable
{place} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from proxy import cli
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["users.email", "--shred"], "--shred loses values: repeat the name, with --confirm users.email"),
        (["users.email", "--shred", "--confirm", "email"], "repeat the name, with --confirm users.email"),
        (["users.none"], "the policy has no field 'users.none', so that its rows cannot be looked for"),
        (["users.email", "--login", "mysql://x"], "--login: "),
        (["users.email", "--login", "postgresql://127.0.0.1/app"], "--login: the URL names no user"),
    ],
)
def test_what_is_not_destroyed(site: Site, words: list[str], told: str) -> None:
    (site.directory / "policy.yaml").write_text(
        "version: 1\nclasses: {equal: {mode: deterministic}}\ntables: {users: {email: equal}}\n"
    )
    values = use(site, EMAIL)
    code, _, errors = site.run("destroy", *words)
    assert (code, told in errors) == (2, True), errors
    assert reads(site, values)
