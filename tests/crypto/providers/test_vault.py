"""The transit engine of a real OpenBao: what opens and what does not, versions, outages and refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from crypto.errors import ProviderError, ProviderUnavailable
from crypto.hierarchy import create_dek
from crypto.keyset import KeyType
from crypto.providers import Creatable, Versioned
from crypto.providers.service import ServiceProvider
from crypto.providers.settings import VaultSettings
from crypto.providers.vault import open_provider
from tests.crypto.stores import new_record
from tests.openbao import Bao, private

Open = Callable[..., ServiceProvider]


@pytest.fixture
def settings(shared_bao: Bao, tmp_path: Path) -> VaultSettings:
    token = private(tmp_path / "token", shared_bao.token("pgveil-transit") + "\n")
    return VaultSettings(address=shared_bao.address, key="pgveil", token_file=token)


@pytest.fixture
async def provider(settings: VaultSettings) -> AsyncIterator[ServiceProvider]:
    opened = open_provider(settings)
    yield opened
    await opened.close()


async def test_what_one_process_wraps_another_unwraps(
    provider: ServiceProvider, settings: VaultSettings
) -> None:
    wrapped = await provider.wrap(b"a data encryption key", b"context")
    assert wrapped.startswith(b"vault:v")
    other = open_provider(settings)
    assert await other.unwrap(wrapped, b"context") == b"a data encryption key"
    assert provider.reference == other.reference == "vault:transit/pgveil"
    await other.close()
    assert isinstance(provider, Versioned)
    assert not isinstance(provider, Creatable)


async def test_another_context_or_an_altered_wrap_does_not_open(provider: ServiceProvider) -> None:
    wrapped = await provider.wrap(b"key", b"context")
    altered = wrapped[:-6] + (b"AAAA" if wrapped[-6:-2] != b"AAAA" else b"BBBB") + wrapped[-2:]
    for other, context in ((wrapped, b"other"), (altered, b"context"), (b"\xff\x01", b"context"), (b"", b"")):
        with pytest.raises(ProviderError) as told:
            await provider.unwrap(other, context)
        assert not isinstance(told.value, ProviderUnavailable)


async def test_a_new_version_wraps_and_old_ones_open_until_they_are_given_up(
    shared_bao: Bao, settings: VaultSettings
) -> None:
    transit = shared_bao.root.secrets.transit
    transit.create_key("versions")
    shared_bao.root.sys.create_or_update_policy(
        "versions", 'path "transit/+/versions*" { capabilities = ["read", "update"] }'
    )
    token = shared_bao.token("versions")
    assert settings.token_file is not None
    settings.token_file.write_text(token)
    provider = open_provider(replace(settings, key="versions"))
    first = await provider.wrap(b"key", b"context")
    shared_bao.root.sys.create_or_update_policy(
        "versions", 'path "transit/*" { capabilities = ["read", "update"] }'
    )
    await provider.rotate()
    again = await provider.rewrap(first, b"context")
    assert (first[:9], again[:9]) == (b"vault:v1:", b"vault:v2:")
    assert await provider.unwrap(first, b"context") == await provider.unwrap(again, b"context") == b"key"
    transit.update_key_configuration("versions", min_decryption_version=2)
    with pytest.raises(ProviderError, match=r"disallowed by policy .too old."):
        await provider.unwrap(first, b"context")
    assert await provider.unwrap(again, b"context") == b"key"
    told = await provider.describe()
    assert (told["type"], told["version"], told["oldest version that opens"]) == ("aes256-gcm96", "2", "2")
    await provider.close()


async def test_health_wraps_and_unwraps(provider: ServiceProvider) -> None:
    await provider.health()


async def test_a_key_that_is_not_there_is_not_made(shared_bao: Bao, settings: VaultSettings) -> None:
    """Transit would make one, of any token that may create."""
    shared_bao.root.sys.create_or_update_policy(
        "all", 'path "transit/*" { capabilities = ["create", "read", "update"] }'
    )
    assert settings.token_file is not None
    settings.token_file.write_text(shared_bao.token("all"))
    provider = open_provider(replace(settings, key="mistyped"))
    with pytest.raises(ProviderError, match="no such key"):
        await provider.wrap(b"key", b"context")
    await provider.close()
    assert "mistyped" not in shared_bao.root.secrets.transit.list_keys()["data"]["keys"]


async def test_a_key_that_binds_nothing_is_refused(shared_bao: Bao, settings: VaultSettings) -> None:
    shared_bao.root.secrets.transit.create_key("rsa", key_type="rsa-2048")
    assert settings.token_file is not None
    settings.token_file.write_text(shared_bao.root.token)
    provider = open_provider(replace(settings, key="rsa"))
    with pytest.raises(ProviderError, match="rsa-2048 takes no associated data"):
        await provider.wrap(b"key", b"context")
    await provider.close()


async def test_a_namespace_is_another_place(shared_bao: Bao, settings: VaultSettings) -> None:
    shared_bao.root.sys.create_namespace("team")
    inside = type(shared_bao.root)(url=shared_bao.address, token=shared_bao.root.token, namespace="team")
    inside.sys.enable_secrets_engine("transit")
    inside.secrets.transit.create_key("pgveil")
    assert settings.token_file is not None
    settings.token_file.write_text(shared_bao.root.token)
    provider = open_provider(replace(settings, namespace="team"))
    assert provider.reference == "vault:team/transit/pgveil"
    wrapped = await provider.wrap(b"key", b"context")
    outside, wrong = (open_provider(replace(settings, namespace=name)) for name in (None, "none"))
    with pytest.raises(ProviderError):
        await outside.unwrap(wrapped, b"context")
    with pytest.raises(ProviderError, match="namespace not found") as told:
        await wrong.unwrap(wrapped, b"context")
    assert not isinstance(told.value, ProviderUnavailable)
    for opened in (provider, outside, wrong):
        await opened.close()


async def test_what_the_policy_does_not_allow_is_denied(shared_bao: Bao, settings: VaultSettings) -> None:
    assert settings.token_file is not None
    settings.token_file.write_text(shared_bao.token("pgveil-kv"))
    provider = open_provider(settings)
    with pytest.raises(ProviderError, match="permission denied") as told:
        await provider.wrap(b"key", b"context")
    assert not isinstance(told.value, ProviderUnavailable)
    await provider.close()


@pytest.mark.usefixtures("impatient")
async def test_sealed_and_stopped_are_outages_that_end(own_bao: Bao, tmp_path: Path) -> None:
    token = private(tmp_path / "token", own_bao.token("pgveil-transit"))
    provider = open_provider(
        VaultSettings(address=own_bao.address, key="pgveil", token_file=token, timeout=2.0)
    )
    wrapped = await provider.wrap(b"key", b"context")
    own_bao.seal()
    with pytest.raises(ProviderUnavailable, match="Vault is sealed"):
        await provider.unwrap(wrapped, b"context")
    own_bao.unseal()
    assert await healed(provider, wrapped) == b"key"
    own_bao.stop()
    with pytest.raises(ProviderUnavailable, match=r"has been away since .*connection refused"):
        await provider.unwrap(wrapped, b"context")
    own_bao.start()
    assert await healed(provider, wrapped) == b"key"
    await provider.close()


async def test_a_wrong_authority_is_no_outage(shared_bao: Bao, settings: VaultSettings) -> None:
    both = replace(settings, address=shared_bao.tls_address)
    provider = open_provider(both)
    with pytest.raises(ProviderError, match="certificate is not one that is trusted") as told:
        await provider.health()
    assert not isinstance(told.value, ProviderUnavailable)
    await provider.close()
    trusting = open_provider(replace(both, ca=shared_bao.certificates.authority))
    await trusting.health()
    await trusting.close()


async def test_a_data_key_is_bound_to_its_record(provider: ServiceProvider) -> None:
    record, _ = await create_dek(new_record((), KeyType.DEK, "public.users", "aes-256-gcm", None), provider)
    assert record.encrypted_key is not None
    await provider.unwrap(record.encrypted_key, record.identity)
    other = new_record((), KeyType.DEK, "public.other", "aes-256-gcm", None)
    with pytest.raises(ProviderError, match="authentication failed"):
        await provider.unwrap(record.encrypted_key, other.identity)


async def healed(provider: ServiceProvider, wrapped: bytes) -> bytes:
    """What it unwraps, once it does again: the circuit closes by itself."""
    for _ in range(100):
        try:
            return await provider.unwrap(wrapped, b"context")
        except ProviderUnavailable:
            await asyncio.sleep(0.1)
    raise AssertionError("it did not heal")
