"""From the configuration to master key and key manager: the one place that knows how they are reached."""

from __future__ import annotations

from crypto.assembly import open_keystore, open_provider
from crypto.events import Observer, unobserved
from crypto.manager import KeyManager
from crypto.private_file import Passphrase
from crypto.providers import Provider
from proxy.config import Config, ConfigError, Keys


def master_key(keys: Keys, ask_passphrase: Passphrase | None) -> Provider:
    """Who holds the master key. Raises ProviderError."""
    return open_provider(
        keys.provider,
        key_file=keys.local.file,
        passphrase_file=keys.local.passphrase_file,
        ask_passphrase=ask_passphrase,
    )


def key_manager(config: Config, provider: Provider, observe: Observer = unobserved) -> KeyManager:
    """The manager of the keys that the configuration names; nothing is read yet.

    `provider` holds the master key. Raises ConfigError where a TLS file of the keystore's URL cannot be used.
    """
    address = config.keys.keystore
    if address.url is None:
        keystore = open_keystore(provider, file=address.file)
    else:
        try:
            tls = address.url.tls_context()
        except OSError as error:
            raise ConfigError([f"keys.keystore.url: {error.strerror or error} (a file for TLS)"]) from None
        keystore = open_keystore(provider, url=address.url.url(), schema=address.schema, tls=tls)
    return KeyManager(
        keystore,
        provider,
        cache_ttl=config.keys.cache_ttl,
        cache_size=config.keys.cache_size,
        observe=observe,
    )
