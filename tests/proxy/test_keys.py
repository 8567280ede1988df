"""The keystore that the configuration names: a file, a table, and a table behind TLS as libpq checks it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest

from crypto.errors import KeystoreUnavailable
from crypto.manager import KeyNeed
from crypto.providers.local import LocalProvider
from proxy.config import Config, ConfigError, load
from proxy.keys import key_manager
from tests.postgres import Database, Postgres

PROVIDER = LocalProvider(bytes(32))
EMAIL = KeyNeed("public.users.email", "public.users", "aes-siv")


def configured(directory: Path, keystore: str) -> Config:
    path = directory / "pgveil.yaml"
    path.write_text(
        "upstream: postgresql://127.0.0.1:5432\n"
        "maintenance: postgresql://pgveil@127.0.0.1:5432/app\n"
        f"keys: {{keystore: {{{keystore}}}, cache_ttl: 7s}}\n"
    )
    return load(path, {})


async def test_a_file(tmp_path: Path) -> None:
    manager = key_manager(configured(tmp_path, "file: keys.json"), PROVIDER)
    await manager.create()
    assert manager.keystore.location == str(tmp_path / "keys.json")
    assert len(await manager.ensure([EMAIL])) == 1
    await manager.close()


async def test_a_table(tmp_path: Path, database18: Database) -> None:
    manager = key_manager(configured(tmp_path, f"url: '{database18.dsn}', schema: vault"), PROVIDER)
    await manager.create()
    assert manager.keystore.location == "table vault.encryption_keys"
    assert len(await manager.ensure([EMAIL])) == 1
    await manager.close()


def tls_url(database: Database, **options: str) -> str:
    return f"{database.dsn}?{urlencode(options)}"


async def test_a_table_whose_server_the_operating_system_trusts(
    tmp_path: Path, postgres15_tls: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sslrootcert=system`, which asyncpg by itself takes for the name of a file."""
    assert postgres15_tls.certificates is not None
    with postgres15_tls.database() as database:
        url = tls_url(database, sslmode="verify-full", sslrootcert="system")
        config = configured(tmp_path, f"url: '{url}'")
        with pytest.raises(KeystoreUnavailable, match="certificate verify failed"):
            await key_manager(config, PROVIDER).create()
        monkeypatch.setenv("SSL_CERT_FILE", str(postgres15_tls.certificates.authority))
        manager = key_manager(config, PROVIDER)
        await manager.create()
        assert len(await manager.ensure([EMAIL])) == 1
        await manager.close()


def test_a_file_for_tls_that_is_not_there(tmp_path: Path) -> None:
    url = "postgresql://pgveil@db.example.org/app?sslmode=verify-full&sslrootcert=none.pem"
    with pytest.raises(ConfigError) as caught:
        key_manager(configured(tmp_path, f"url: '{url}'"), PROVIDER)
    assert caught.value.findings == ["keys.keystore.url: No such file or directory (a file for TLS)"]
