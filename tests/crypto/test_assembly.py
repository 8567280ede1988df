"""From plain settings to a working key manager."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crypto import master_key_file
from crypto.assembly import open_keystore, open_manager, open_provider
from crypto.errors import ProviderError
from crypto.keystore_file import FileKeystore
from crypto.keystore_table import TableKeystore
from crypto.manager import KeyNeed
from crypto.providers import Creatable, local
from crypto.providers.settings import (
    SERVICES,
    AwsSettings,
    AzureSettings,
    GcpSettings,
    ServiceSettings,
    VaultSettings,
)
from tests.postgres import Database

ROOT = Path(__file__).parent.parent.parent
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
    with pytest.raises(ProviderError, match="provider 'volt' is not supported"):
        open_provider("volt", key_file=key_file)
    with pytest.raises(ProviderError, match=r"needs its settings, keys\.vault"):
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


SETTINGS: dict[str, ServiceSettings] = {
    "vault": VaultSettings(address="https://vault", key="pgveil"),
    "aws-kms": AwsSettings(key="alias/pgveil"),
    "gcp-kms": GcpSettings(key="projects/p/locations/global/keyRings/r/cryptoKeys/pgveil"),
    "azure-key-vault": AzureSettings(key="https://team.vault.azure.net/keys/pgveil"),
}
LIBRARIES = {
    "vault": "hvac",
    "aws-kms": "boto3",
    "gcp-kms": "google.auth",
    "azure-key-vault": "azure.core.credentials",
}


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_is_asked_nothing_when_its_provider_is_opened(name: str) -> None:
    provider = open_provider(name, service=SETTINGS[name])
    assert provider.reference.startswith(f"{name}:")
    await provider.close()


def test_a_kv_engine_takes_another_provider() -> None:
    settings = VaultSettings(address="https://vault", engine="kv", path="pgveil")
    assert isinstance(open_provider("vault", service=settings), Creatable)


@pytest.mark.parametrize("name", SERVICES)
def test_a_library_that_is_not_installed_is_named_with_its_extra(name: str) -> None:
    """In a Python of its own, where the import fails as it does without the package."""
    program = f"""
import sys
sys.modules[{LIBRARIES[name]!r}] = None
from tests.crypto.test_assembly import SETTINGS, open_provider
try:
    open_provider({name!r}, service=SETTINGS[{name!r}])
except Exception as error:
    print(type(error).__name__, error)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    extra = name.partition("-")[0]
    needs = f"needs the package {LIBRARIES[name]}: pip install 'pgveil[{extra}]'"
    assert run.stdout == f"ProviderError provider {name!r} {needs}\n"


def test_commands_import_no_service_and_none_of_their_libraries() -> None:
    program = "import sys, proxy.cli, proxy.commands.keys, proxy.commands.serve; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = set(run.stdout.split())
    assert "crypto.providers.settings" in loaded
    assert not loaded & {"hvac", "requests", "boto3", "botocore", "google.auth", "azure.core", "tenacity"}
