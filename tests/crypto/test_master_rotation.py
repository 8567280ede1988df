"""The master key changes: every process opens every key, before, in between and after."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from crypto.errors import KeystoreError, ProviderUnavailable
from crypto.keyset import KeyState, KeyType
from crypto.keystore import Keystore, Records
from crypto.keystore_file import FileKeystore
from crypto.keystore_table import TableKeystore
from crypto.manager import KeyManager, KeyNeed
from crypto.master_rotation import conclude, exchange, renew
from crypto.providers import Provider, Versioned
from crypto.wrapping import WrappingKey
from crypto.wrappings import masters_of
from tests.crypto.stores import CountingProvider
from tests.postgres import Postgres

EMAIL = KeyNeed("public.users.email", "public.users", "aes-256-gcm")
PHONE = KeyNeed("public.users.phone", "public.users", "aes-siv")
QUERY = KeyNeed("public.conversations.user_query", "public.conversations", "aes-256-gcm")

OpenKeystore = Callable[[Provider], Keystore]


def old() -> CountingProvider:
    return CountingProvider(bytes(32))


def new() -> CountingProvider:
    return CountingProvider(bytes([1]) * 32)


class VersionedProvider:
    """A holder whose master key has versions, as key services have: a wrap names its own."""

    reference = "service:key"

    def __init__(self, versions: list[WrappingKey]) -> None:
        self.versions = versions  # of the service, which several providers share

    async def rotate(self) -> None:
        self.versions.append(WrappingKey(bytes([len(self.versions)]) * 32))

    async def wrap(self, key: bytes, context: bytes) -> bytes:
        return bytes([len(self.versions) - 1]) + self.versions[-1].wrap(key, context)

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        return self.versions[wrapped[0]].unwrap(wrapped[1:], context)

    async def rewrap(self, wrapped: bytes, context: bytes) -> bytes:
        return await self.wrap(await self.unwrap(wrapped, context), context)

    async def refresh(self) -> None: ...

    async def describe(self) -> dict[str, str]:
        return {}

    async def health(self) -> None: ...

    async def close(self) -> None: ...


@pytest.fixture(params=["file", "table"])
def keystores(request: pytest.FixtureRequest, tmp_path: Path) -> object:
    """How a process opens the keystore that all of them share."""
    if request.param == "file":
        return lambda provider: FileKeystore(tmp_path / "keystore.json", provider)
    postgres: Postgres = request.getfixturevalue("postgres18")
    database = request.getfixturevalue("database18")
    assert postgres
    return lambda provider: TableKeystore(database.dsn)


@pytest.fixture
async def process(keystores: OpenKeystore) -> AsyncIterator[KeyManager]:
    """A running process with the old master key, which holds keys of two tables."""
    provider = old()
    manager = KeyManager(keystores(provider), provider)
    await manager.create()
    await manager.ensure([EMAIL, PHONE])
    yield manager
    await manager.close()


async def reads_all(keystores: OpenKeystore, provider: Provider, sealed: bytes) -> None:
    """A process that starts now, with this master key, reads and writes."""
    manager = KeyManager(keystores(provider), provider)
    ring = await manager.refresh()
    assert manager.problems == {}
    assert ring.opener(EMAIL.name, EMAIL.algorithm, "text")(sealed) == b"value"
    await manager.close()


def sealed_by(process: KeyManager) -> bytes:
    key = process.keyring.active(EMAIL.name, EMAIL.algorithm)
    assert key is not None
    return key.sealer("text")(b"value")


def deks(records: Records) -> Records:
    return tuple(record for record in records if record.key_type is KeyType.DEK and record.state.opens)


async def test_in_between_either_master_key_works(keystores: OpenKeystore, process: KeyManager) -> None:
    sealed = sealed_by(process)
    provider = old()
    for _ in range(2):  # once more, as after a kill
        assert await exchange(keystores(provider), provider, new()) == 1
    await reads_all(keystores, old(), sealed)
    await reads_all(keystores, new(), sealed)
    assert all(len(masters_of(dek)) == 2 for dek in deks(await keystores(new()).read()))
    await process.refresh()
    assert process.problems == {}
    assert await process.ensure([EMAIL, PHONE]) is process.keyring


async def test_afterwards_only_the_new_one_does(keystores: OpenKeystore, process: KeyManager) -> None:
    sealed = sealed_by(process)
    provider = old()
    await exchange(keystores(provider), provider, new())
    following = new()
    for _ in range(2):
        assert await conclude(keystores(following), following) == 1
    await reads_all(keystores, new(), sealed)
    records = await keystores(new()).read()
    assert all(len(masters_of(dek)) == 1 for dek in deks(records))
    assert {record.name: record.state for record in records if record.key_type is KeyType.MASTER} == {
        old().reference: KeyState.DESTROYED,
        new().reference: KeyState.ACTIVE,
    }
    with pytest.raises(KeystoreError):
        await reads_all(keystores, old(), sealed)
    # A process that still has the old one goes on with what it has open.
    with pytest.raises(KeystoreError):
        await process.refresh()
    assert process.keyring.opener(EMAIL.name, EMAIL.algorithm, "text")(sealed) == b"value"


async def test_a_key_that_an_old_process_makes_meanwhile_is_not_lost(
    keystores: OpenKeystore, process: KeyManager
) -> None:
    provider = old()
    await exchange(keystores(provider), provider, new())
    await process.ensure([QUERY])  # a DEK that only the old master key wraps
    following = new()
    with pytest.raises(KeystoreError, match="not wrapped by this master key"):
        await conclude(keystores(following), following)
    assert await conclude(keystores(following), following, old()) == 2
    manager = KeyManager(keystores(following), following)
    assert (await manager.refresh()).active(QUERY.name, QUERY.algorithm)
    assert manager.problems == {}


async def test_it_can_go_back_before_it_is_concluded(keystores: OpenKeystore, process: KeyManager) -> None:
    sealed = sealed_by(process)
    provider, following = old(), new()
    await exchange(keystores(provider), provider, following)
    await exchange(keystores(following), following, provider)
    await conclude(keystores(provider), provider)
    await reads_all(keystores, old(), sealed)


async def test_a_new_master_key_that_does_not_answer_changes_nothing(
    keystores: OpenKeystore, process: KeyManager
) -> None:
    provider, following = old(), new()
    before = await keystores(provider).read()
    following.away = True
    with pytest.raises(ProviderUnavailable):
        await exchange(keystores(provider), provider, following)
    assert set(map(repr, await keystores(provider).read())) == set(map(repr, before))


async def test_what_is_no_rotation_is_refused(keystores: OpenKeystore, process: KeyManager) -> None:
    provider = old()
    with pytest.raises(KeystoreError, match="the new master key is the old one"):
        await exchange(keystores(provider), provider, old())
    stranger = CountingProvider(bytes([2]) * 32)
    with pytest.raises(KeystoreError, match="belongs to master key"):
        await exchange(keystores(provider), stranger, new())
    assert await conclude(keystores(provider), provider) == 1


async def test_a_master_key_with_versions_of_its_own_is_renewed(keystores: OpenKeystore) -> None:
    versions = [WrappingKey(bytes([9]) * 32)]
    service = VersionedProvider(versions)
    assert isinstance(service, Versioned)
    manager = KeyManager(keystores(service), service)
    await manager.create()
    await manager.ensure([EMAIL])
    sealed = sealed_by(manager)
    assert await renew(keystores(service), service) == 1
    assert all((dek.encrypted_key or b"")[0] == 1 for dek in deks(await keystores(service).read()))
    await manager.refresh()
    assert manager.problems == {}
    versions[0] = WrappingKey(bytes(32))  # the service has given up the first version
    await reads_all(keystores, VersionedProvider(versions), sealed)
