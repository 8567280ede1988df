"""Puts a key manager together from plain settings: which provider, which keystore.

In two steps, so that a program of several processes can open the provider once, perhaps asking a person for
a passphrase, and give it to each of them.
"""

from __future__ import annotations

from pathlib import Path
from ssl import SSLContext

from crypto.errors import ProviderError
from crypto.keystore import Keystore
from crypto.manager import KeyManager
from crypto.private_file import Passphrase, passphrase_from
from crypto.providers import Provider, local
from crypto.providers.settings import (
    SERVICES,
    AwsSettings,
    AzureSettings,
    GcpSettings,
    ServiceSettings,
    VaultSettings,
)

PROVIDERS = ("local", *SERVICES)


def open_provider(
    name: str = "local",
    *,
    key_file: Path | None = None,
    passphrase_file: Path | None = None,
    ask_passphrase: Passphrase | None = None,
    service: ServiceSettings | None = None,
) -> Provider:
    """Open the master key's provider. Raises ProviderError, with one clear line.

    A sealed key file takes its passphrase from `passphrase_file` if there is one, otherwise by calling
    `ask_passphrase` (a terminal's prompt, say), otherwise not at all. Every other provider takes `service`,
    and asks its service nothing yet.
    """
    if name not in PROVIDERS:
        raise ProviderError(f"provider {name!r} is not supported (supported: {', '.join(PROVIDERS)})")
    if name != "local":
        return _open_service(name, service)
    if key_file is None:
        raise ProviderError("provider 'local' needs a master key file")
    passphrase = passphrase_from(passphrase_file) if passphrase_file else ask_passphrase
    return local.load(key_file, passphrase, interactive=passphrase_file is None)


def _open_service(name: str, settings: ServiceSettings | None) -> Provider:
    """Its library is imported now: others do without it."""
    try:
        match settings:
            case VaultSettings(engine="kv"):
                from crypto.providers import vault_kv

                return vault_kv.KvProvider(settings)
            case VaultSettings():
                from crypto.providers import vault

                return vault.open_provider(settings)
            case AwsSettings():
                from crypto.providers import aws_kms

                return aws_kms.open_provider(settings)
            case GcpSettings():
                from crypto.providers import gcp_kms

                return gcp_kms.open_provider(settings)
            case AzureSettings():
                from crypto.providers import azure_key_vault

                return azure_key_vault.open_provider(settings)
            case None:
                raise ProviderError(f"provider {name!r} needs its settings, keys.{name}")
    except ImportError as error:
        extra = name.partition("-")[0]
        raise ProviderError(
            f"provider {name!r} needs the package {error.name}: pip install 'pgveil[{extra}]'"
        ) from None


def open_keystore(
    provider: Provider,
    *,
    file: Path | None = None,
    url: str | None = None,
    schema: str = "pgveil",
    tls: SSLContext | None = None,
) -> Keystore:
    """The keystore in a sealed file or in a table of the database at `url`; nothing is read yet.

    `tls`, if there is one, goes before what the URL says of TLS.
    """
    if (file is None) == (url is None):
        raise ValueError("a keystore is in a file or in a database, one of them")
    if file is not None:
        from crypto.keystore_file import FileKeystore

        return FileKeystore(file, provider)
    from crypto.keystore_table import TableKeystore  # asyncpg, for those who need it

    assert url is not None
    return TableKeystore(url, schema, tls=tls)


def open_manager(
    *,
    provider: str = "local",
    key_file: Path | None = None,
    passphrase_file: Path | None = None,
    ask_passphrase: Passphrase | None = None,
    keystore_file: Path | None = None,
    keystore_url: str | None = None,
    keystore_schema: str = "pgveil",
    keystore_tls: SSLContext | None = None,
    cache_ttl: float = 300.0,
) -> KeyManager:
    """A key manager, ready for `load`. Raises ProviderError, or ValueError for impossible settings."""
    opened = open_provider(
        provider, key_file=key_file, passphrase_file=passphrase_file, ask_passphrase=ask_passphrase
    )
    keystore = open_keystore(
        opened, file=keystore_file, url=keystore_url, schema=keystore_schema, tls=keystore_tls
    )
    return KeyManager(keystore, opened, cache_ttl=cache_ttl)
