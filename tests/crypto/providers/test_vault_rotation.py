"""A master key in a real OpenBao: it takes over from a file, is renewed, and goes away for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from crypto.assembly import open_provider
from crypto.errors import KeystoreError, ProviderUnavailable
from crypto.keyset import KeyType
from crypto.keystore_file import FileKeystore
from crypto.manager import KeyManager
from crypto.master_rotation import conclude, exchange, renew
from crypto.providers import Creatable, Provider, Versioned, local
from crypto.providers.settings import VaultSettings
from tests.crypto.providers.renewal import EMAIL, QUERY
from tests.openbao import Bao, private


def transit(bao: Bao, directory: Path) -> Provider:
    token = directory / "token"
    if not token.exists():
        private(token, bao.token("pgveil-transit"))
    settings = VaultSettings(address=bao.address, key="pgveil", token_file=token, timeout=2.0)
    return open_provider("vault", service=settings)


async def test_it_takes_over_from_a_file_and_is_renewed(own_bao: Bao, tmp_path: Path) -> None:
    old, path = local.create(tmp_path / "master.key"), tmp_path / "keystore.json"
    process = KeyManager(FileKeystore(path, old), old)
    await process.create()
    await process.ensure([EMAIL, QUERY])
    key = process.keyring.active(EMAIL.name, EMAIL.algorithm)
    assert key is not None
    sealed = key.sealer("text")(b"value")

    vault = transit(own_bao, tmp_path)
    assert await exchange(FileKeystore(path, old), old, vault) == 2
    await process.refresh()  # with the old one, still
    assert process.problems == {}
    assert await conclude(FileKeystore(path, vault), vault) == 2
    with pytest.raises(KeystoreError):
        await process.refresh()

    assert isinstance(vault, Versioned)
    assert await renew(FileKeystore(path, vault), vault) == 2
    own_bao.root.secrets.transit.update_key_configuration("pgveil", min_decryption_version=2)
    following = KeyManager(FileKeystore(path, vault), vault)
    ring = await following.refresh()
    assert following.problems == {}
    assert ring.opener(EMAIL.name, EMAIL.algorithm, "text")(sealed) == b"value"
    records = await following.keystore.read()
    wraps = {record.encrypted_key for record in records if record.key_type is KeyType.DEK}
    assert all(wrap is not None and wrap.startswith(b"vault:v2:") for wrap in wraps)
    await process.close()
    await following.close()


@pytest.mark.usefixtures("impatient")
async def test_a_running_process_goes_through_an_outage(
    own_bao: Bao, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crypto.manager.RETRY_INTERVAL", 0.1)
    vault = transit(own_bao, tmp_path)
    process = KeyManager(FileKeystore(tmp_path / "keystore.json", vault), vault, cache_ttl=0.3)
    await process.create()
    await process.load()
    await process.ensure([EMAIL])
    own_bao.seal()
    await until(lambda: process.outage is not None)
    assert "Vault is sealed" in str(process.outage)
    assert process.keyring.active(EMAIL.name, EMAIL.algorithm)
    with pytest.raises(ProviderUnavailable, match="Vault is sealed"):
        await process.ensure([QUERY])
    own_bao.unseal()
    await until(lambda: process.outage is None)
    assert (await process.ensure([QUERY])).active(QUERY.name, QUERY.algorithm)
    await process.close()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("engine", ["transit", "kv"])
async def test_a_process_may_start_during_an_outage(
    own_bao: Bao, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """It has no key, and with a KV secret not even the name of its master key; then it has all of them."""
    monkeypatch.setattr("crypto.manager.RETRY_INTERVAL", 0.1)
    settings = VaultSettings(
        address=own_bao.address,
        engine=engine,
        key="pgveil",
        path="pgveil/master",
        token_file=private(tmp_path / "token", own_bao.token(f"pgveil-{engine}")),
        timeout=2.0,
    )
    before = open_provider("vault", service=settings)
    if isinstance(before, Creatable):
        await before.create()
    made = KeyManager(FileKeystore(tmp_path / "keystore.json", before), before)
    await made.create()
    await made.ensure([EMAIL])
    await made.close()
    own_bao.seal()
    vault = open_provider("vault", service=settings)
    process = KeyManager(FileKeystore(tmp_path / "keystore.json", vault), vault)
    assert len(await process.load(patient=True)) == 0
    with pytest.raises(ProviderUnavailable, match="Vault is sealed"):
        await process.ensure([EMAIL])
    own_bao.unseal()
    await until(lambda: process.outage is None)
    assert process.keyring.active(EMAIL.name, EMAIL.algorithm)
    await process.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.05)
