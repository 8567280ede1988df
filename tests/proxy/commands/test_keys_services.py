"""`pgveil keys` with a master key in a service: it is tried before anything is made, and told of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crypto.providers import resilient
from tests.openbao import Bao, private
from tests.proxy.commands.test_keys import Site


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    return Site(tmp_path, capsys)


def configure(site: Site, bao: Bao, policy: str, **vault: str) -> Path:
    """Returns the token's file."""
    token_file = site.directory / "token"
    if not token_file.exists():
        private(token_file, bao.token(policy))
    section = {"address": bao.address, "token_file": "token", "timeout": "1s", **vault}
    site.configure(json.dumps({"provider": "vault", "vault": section}))
    return token_file


def test_a_transit_key_is_tried_before_the_keystore_is_made(site: Site, shared_bao: Bao) -> None:
    configure(site, shared_bao, "pgveil-transit", key="none")
    code, _, errors = site.run("init")
    assert code == 2
    assert "no such key" in errors or "permission denied" in errors
    assert not site.keystore.exists()
    configure(site, shared_bao, "pgveil-transit", key="pgveil")
    for _ in range(2):
        code, output, errors = site.run("init")
        assert (code, errors) == (0, "")
        assert "vault:transit/pgveil: wraps and unwraps" in output
    assert site.run("list")[0] == 0
    code, output, _ = site.run("status", "--json")
    status = json.loads(output)
    assert (code, status["findings"]) == (0, [])
    assert status["master_key"] == "vault:transit/pgveil"
    assert status["described"]["type"] == "aes256-gcm96"
    assert "type: aes256-gcm96" in site.run("status")[1]


def test_the_secret_of_a_kv_engine_is_made_if_it_is_asked_for(site: Site, shared_bao: Bao) -> None:
    configure(site, shared_bao, "pgveil-kv", engine="kv", path=f"pgveil/{site.directory.name}")
    code, _, errors = site.run("init")
    assert code == 2
    assert "no such key or secret" in errors
    code, output, errors = site.run("init", "--create-secret")
    assert (code, errors) == (0, "")
    assert ": made" in output
    code, _, errors = site.run("init", "--create-secret")
    assert code == 2
    assert "the keystore exists" in errors
    status = json.loads(site.run("status", "--json")[1])
    assert status["master_key"] in output
    assert status["described"]["engine"] == "kv"


def test_only_a_kv_engine_has_a_secret(site: Site, shared_bao: Bao) -> None:
    configure(site, shared_bao, "pgveil-transit", key="pgveil")
    code, _, errors = site.run("init", "--create-secret")
    assert code == 2
    assert "--create-secret is for keys.vault.engine kv" in errors


def test_what_is_wrong_with_the_service_is_told(
    site: Site, shared_bao: Bao, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resilient, "_FIRST_WAIT", 0.01)
    token_file = configure(site, shared_bao, "pgveil-transit", key="pgveil")
    assert site.run("init")[0] == 0
    token_file.write_text("of nobody")
    code, output, _ = site.run("status")
    assert code == 1
    assert "permission denied" in output
    configure(site, shared_bao, "pgveil-transit", key="pgveil", address="http://127.0.0.1:9")
    code, output, _ = site.run("status")
    assert code == 1
    assert "has been away since" in output
    assert "connection refused" in output
