"""DEKs and FEKs: how they are made, and that a record opens only as what it was made for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from crypto.envelope import SUITES
from crypto.errors import KeystoreError, ProviderUnavailable
from crypto.hierarchy import DEK_ALGORITHM, DataKey, create_dek, open_dek
from crypto.keyset import KeyType
from crypto.keystore import KeyRecord
from crypto.providers.local import LocalProvider
from tests.crypto.stores import CountingProvider, new_record

PROVIDER = LocalProvider(bytes(32))
MASTER = new_record([], KeyType.MASTER, PROVIDER.reference, "local", None)


async def new_dek(name: str = "public.users") -> tuple[KeyRecord, DataKey]:
    return await create_dek(new_record([], KeyType.DEK, name, DEK_ALGORITHM, MASTER), PROVIDER)


def new_fek(dek: KeyRecord, data_key: DataKey, algorithm: str = "aes-256-gcm") -> tuple[KeyRecord, bytes]:
    return data_key.create(new_record([], KeyType.FEK, "public.users.email", algorithm, dek))


@pytest.mark.parametrize("algorithm", SUITES)
async def test_a_key_comes_back_through_the_whole_hierarchy(algorithm: str) -> None:
    dek, data_key = await new_dek()
    fek, key = new_fek(dek, data_key, algorithm)
    assert len(key) == SUITES[algorithm].key_bytes
    assert key not in (fek.encrypted_key or b"")
    again = await open_dek(dek, LocalProvider(bytes(32)))
    assert again.open(fek) == key


async def test_no_two_keys_are_alike() -> None:
    dek, data_key = await new_dek()
    blank = new_record([], KeyType.FEK, "public.users.email", "aes-256-gcm", dek)
    assert data_key.create(blank)[1] != data_key.create(blank)[1]


CHANGES: list[dict[str, Any]] = [
    {"name": "public.users.phone"},
    {"version": 2},
    {"algorithm": "chacha20-poly1305"},
    {"key_type": KeyType.DEK},
    {"id": UUID(int=7)},
    {"parent_id": UUID(int=7)},
    {"parent_id": None},
    {"encrypted_key": None},
    {"encrypted_key": b""},
    {"key_hash": None},
    {"key_hash": bytes(32)},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
async def test_an_altered_fek_does_not_open(change: dict[str, Any]) -> None:
    dek, data_key = await new_dek()
    fek, _ = new_fek(dek, data_key)
    with pytest.raises(KeystoreError, match="was altered, or belongs elsewhere"):
        data_key.open(replace(fek, **change))


@pytest.mark.parametrize("change", [{"key_type": KeyType.FEK}, *CHANGES[:3], *CHANGES[4:]], ids=str)
async def test_an_altered_dek_does_not_open(change: dict[str, Any]) -> None:
    dek, _ = await new_dek()
    with pytest.raises(KeystoreError, match="does not open"):
        await open_dek(replace(dek, **change), PROVIDER)


async def test_feks_of_two_deks_cannot_be_swapped() -> None:
    users, users_key = await new_dek("public.users")
    orders, orders_key = await new_dek("public.orders")
    fek, _ = new_fek(users, users_key)
    with pytest.raises(KeystoreError):
        orders_key.open(replace(fek, parent_id=orders.id))


async def test_a_dek_of_another_master_key_does_not_open() -> None:
    dek, _ = await new_dek()
    with pytest.raises(
        KeystoreError, match=r"dek 'public\.users' version 1 does not open: .* another master"
    ):
        await open_dek(dek, LocalProvider(bytes([1]) * 32))


async def test_an_outage_is_no_alteration() -> None:
    dek, _ = await new_dek()
    provider = CountingProvider()
    provider.away = True
    with pytest.raises(ProviderUnavailable):
        await open_dek(dek, provider)


async def test_the_key_hash_holds_where_the_provider_does_not_bind() -> None:
    """A provider that ignores the context, and hands out the key for any record."""

    class Unbound(LocalProvider):
        __slots__ = ()

        async def wrap(self, key: bytes, context: bytes) -> bytes:
            return key

        async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
            return wrapped

    unbound = Unbound(bytes(32))
    blank = new_record([], KeyType.DEK, "public.users", DEK_ALGORITHM, MASTER)
    dek, _ = await create_dek(blank, unbound)
    await open_dek(dek, unbound)
    with pytest.raises(KeystoreError, match="altered"):
        await open_dek(replace(dek, name="public.orders"), unbound)


def test_versions_go_up_over_all_algorithms_of_a_name() -> None:
    first = new_record([], KeyType.FEK, "a", "aes-siv", None)
    second = new_record([first], KeyType.FEK, "a", "aes-256-gcm", None)
    other = new_record([first, second], KeyType.FEK, "b", "aes-siv", None)
    assert (first.version, second.version, other.version) == (1, 2, 1)


def test_short_ids_are_unique(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_record([], KeyType.FEK, "a", "aes-siv", None)
    collision = UUID(bytes=first.short_id + bytes(12))
    other = UUID(int=5)
    drawn = iter([collision, first.id, other])
    monkeypatch.setattr("crypto.record_index.uuid4", lambda: next(drawn))
    assert new_record([first], KeyType.FEK, "b", "aes-siv", None).id == other
