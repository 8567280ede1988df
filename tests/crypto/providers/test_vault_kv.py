"""The master key in a secret of a real OpenBao: read once, used in this process."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from crypto import master_key_file
from crypto.errors import ProviderError, ProviderUnavailable
from crypto.providers import Creatable, Versioned
from crypto.providers.settings import VaultSettings
from crypto.providers.vault_kv import KvProvider
from tests.openbao import Bao, private


@pytest.fixture
def settings(shared_bao: Bao, tmp_path: Path) -> VaultSettings:
    return VaultSettings(
        address=shared_bao.address,
        engine="kv",
        path=f"pgveil/{tmp_path.name}",
        token_file=private(tmp_path / "token", shared_bao.token("pgveil-kv")),
    )


async def test_a_key_is_made_once_and_opens_in_every_process(
    shared_bao: Bao, settings: VaultSettings
) -> None:
    first, second = KvProvider(settings), KvProvider(settings)
    assert isinstance(first, Creatable)
    assert not isinstance(first, Versioned)  # nor does asking need the reference, which is not known yet
    with pytest.raises(ProviderUnavailable, match="has not been read yet"):
        assert first.reference
    await first.refresh()
    with pytest.raises(ProviderError, match="no such key or secret"):
        assert first.reference
    await first.create()
    assert settings.token_file is not None
    for token, why in ((None, "permission denied"), (shared_bao.root.token, "check-and-set")):
        settings.token_file.write_text(token or settings.token_file.read_text())
        again = KvProvider(settings)
        with pytest.raises(ProviderError, match=why):  # by the policy, or by the engine
            await again.create()
        await again.close()
    wrapped = await first.wrap(b"key", b"context")
    assert await second.unwrap(wrapped, b"context") == b"key"
    with pytest.raises(ProviderError, match="another master key"):
        await second.unwrap(wrapped, b"other")
    assert first.reference == second.reference
    assert not isinstance(first, Versioned)
    assert first.reference.startswith(f"vault-kv:secret/{settings.path}:")
    assert (await first.describe())["version"] == "1"
    for provider in (first, second):
        await provider.health()
        await provider.close()


async def test_a_key_that_a_person_has_written(shared_bao: Bao, settings: VaultSettings) -> None:
    """vault kv put secret/… key=$(openssl rand -base64 32)"""
    put(shared_bao, settings, {"key": base64.b64encode(bytes(32)).decode()})
    provider = KvProvider(settings)
    assert await provider.unwrap(await provider.wrap(b"key", b"context"), b"context") == b"key"
    put(shared_bao, settings, {"key": base64.b64encode(bytes([1] * 32)).decode()})
    with pytest.raises(ProviderError, match="holds another key by now"):
        await provider.health()
    await provider.close()


@pytest.mark.parametrize(
    "secret", [{}, {"key": "c2hvcnQ="}, {"key": "not base64"}, {"format": "x", "key": ""}]
)
async def test_a_secret_that_holds_no_master_key(
    shared_bao: Bao, settings: VaultSettings, secret: dict[str, str]
) -> None:
    put(shared_bao, settings, secret)
    provider = KvProvider(settings)
    with pytest.raises(ProviderError, match="is not a master key"):
        await provider.wrap(b"key", b"context")
    await provider.close()


async def test_a_sealed_key_takes_a_passphrase(
    settings: VaultSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(master_key_file, "SCRYPT_N", 1 << 10)
    passphrase = private(tmp_path / "passphrase", "of a person\n")
    sealed = replace(settings, passphrase_file=passphrase)
    provider, without = KvProvider(sealed), KvProvider(settings)
    await provider.create()
    wrapped = await provider.wrap(b"key", b"context")
    with pytest.raises(ProviderError, match="its passphrase is needed"):
        await without.unwrap(wrapped, b"context")
    passphrase.write_text("of somebody else")
    other = KvProvider(sealed)
    with pytest.raises(ProviderError, match="wrong passphrase"):
        await other.unwrap(wrapped, b"context")
    for opened in (provider, without, other):
        await opened.close()


@pytest.mark.usefixtures("impatient")
async def test_a_service_that_is_away_is_asked_again(settings: VaultSettings) -> None:
    away = KvProvider(replace(settings, address="http://127.0.0.1:9", timeout=0.3))
    await away.refresh()  # raises nothing
    with pytest.raises(ProviderUnavailable, match="connection refused"):
        assert away.reference
    await away.close()


def put(bao: Bao, settings: VaultSettings, secret: dict[str, str]) -> None:
    bao.root.secrets.kv.v2.create_or_update_secret(path=settings.path, secret=secret)
