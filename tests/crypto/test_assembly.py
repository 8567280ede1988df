"""From plain settings to a working key manager."""

from __future__ import annotations

from pathlib import Path

import pytest

from crypto import master_key_file
from crypto.assembly import open_keystore, open_manager, open_provider
from crypto.errors import ProviderError
from crypto.keystore_file import FileKeystore
from crypto.keystore_table import TableKeystore
from crypto.manager import KeyNeed
from crypto.providers import local
from tests.postgres import Database

NEED = KeyNeed("public.users.email", "public.users", "aes-256-gcm")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "master.key"
    local.create(path)
    return path


async def test_a_manager_over_a_file(key_file: Path, tmp_path: Path) -> None:
    for _ in range(2):
        manager = open_manager(key_file=key_file, keystore_file=tmp_path / "keys" / "keystore.json")
        await manager.create()
        await manager.load()
        ring = await manager.ensure([NEED])
        await manager.close()
        assert [key.version for key in ring.versions(NEED.name, NEED.algorithm)] == [1]


async def test_a_manager_over_a_table(key_file: Path, database: Database) -> None:
    for _ in range(2):
        manager = open_manager(key_file=key_file, keystore_url=database.dsn, keystore_schema="secrets")
        await manager.create()
        await manager.load()
        await manager.ensure([NEED])
        await manager.close()
    assert database.execute(
        "SELECT key_type, count(*) FROM secrets.encryption_keys GROUP BY 1 ORDER BY 1"
    ) == [
        ("dek", 1),
        ("fek", 1),
        ("master", 1),
    ]


def test_a_passphrase_from_a_file_goes_before_a_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(master_key_file, "SCRYPT_N", 1 << 10)
    key_file, passphrase_file = tmp_path / "master.key", tmp_path / "passphrase"
    passphrase_file.touch(0o600)
    passphrase_file.write_text("from the file\n")
    made = local.create(key_file, lambda: b"from the file")
    opened = open_provider(
        key_file=key_file, passphrase_file=passphrase_file, ask_passphrase=lambda: b"from a person"
    )
    assert opened.reference == made.reference
    assert (
        open_provider(key_file=key_file, ask_passphrase=lambda: b"from the file").reference == made.reference
    )
    with pytest.raises(ProviderError, match="wrong passphrase"):
        open_provider(key_file=key_file, ask_passphrase=lambda: b"from a person")


def test_impossible_settings(key_file: Path) -> None:
    with pytest.raises(ProviderError, match="provider 'vault' is not supported"):
        open_provider("vault", key_file=key_file)
    with pytest.raises(ProviderError, match="needs a master key file"):
        open_provider()
    provider = open_provider(key_file=key_file)
    with pytest.raises(ValueError, match="one of them"):
        open_keystore(provider)
    with pytest.raises(ValueError, match="one of them"):
        open_keystore(provider, file=key_file, url="postgresql:///")


def test_either_keystore(key_file: Path, tmp_path: Path) -> None:
    provider = open_provider(key_file=key_file)
    assert isinstance(open_keystore(provider, file=tmp_path / "keystore.json"), FileKeystore)
    table = open_keystore(provider, url="postgresql://127.0.0.1/app", schema="keys")
    assert isinstance(table, TableKeystore)
    assert table.location == "table keys.encryption_keys"
